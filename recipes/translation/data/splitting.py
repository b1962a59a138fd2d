"""Parts of a stream of pairs: a sample, and pairs held out for validation."""

import numpy as np

from ..errors import UsageError
from .files import Pairs, Selected, bucket

# One source sentence in 20 is held out, but of large files only about this many.
HELD_OUT = 2000


def limit(pairs, number):
    """A fixed sample of `number` different pairs, in their order.

    Not the first ones, because corpora are often sorted.
    """
    ranks = np.unique(np.fromiter((_rank(*pair[:2]) for pair in pairs), "uint64"))
    if number >= len(ranks):
        return pairs
    last = np.partition(ranks, number - 1)[number - 1]
    return Selected(pairs, lambda source, target: _rank(source, target) <= last)


def _rank(source, target):
    return bucket(f"{source}\t{target}", 2**64)


def hold_out(pairs):
    """Splits a stream into one for training and `Pairs` for validation.

    No source sentence is on both sides.
    """
    # Pairs that lack a side stay in the stream, where they are counted.
    filled = Selected(pairs, lambda source, target: source and target)
    count = sum(1 for _ in filled)
    if not count:
        raise UsageError("training needs pairs with both sides, got none")
    share = max(20, count // HELD_OUT)
    held_out = _held_out(filled, lambda source: bucket(source, share) == 0)
    if not 0 < len(held_out) < count:  # a very small file
        first = min(source for source, *_ in filled)
        held_out = _held_out(filled, lambda source: source == first)
    sources = set(held_out.sources)
    training = Selected(pairs, lambda source, _: source not in sources)
    if not any(source and target for source, target, *_ in training):
        raise UsageError(
            f"training needs at least 2 different source sentences, got {len(sources)}"
        )
    return training, held_out


def _held_out(pairs, chosen):
    found = [pair for pair in pairs if chosen(pair[0])]
    return Pairs([pair[0] for pair in found], [[pair[1]] for pair in found])
