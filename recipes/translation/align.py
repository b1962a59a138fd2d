"""The `align` command: which word is the translation of which."""

import sys

from tqdm import tqdm

from .data import pharaoh
from .errors import UsageError
from .word_links import align, error_rate

BATCH = 256


def align_pairs(translator, pairs, reverse=None):
    """Links between the words, parted by spaces, of pairs.

    Args:
        translator: Reads from source to target.
        pairs: `Pairs`.
        reverse: A `Translator` from target to source: the links of both are
            joined.

    Returns:
        A list of sets of links `(source word, target word)`.
    """
    found = _links(translator, pairs.sources, pairs.targets)
    if reverse is None:
        return found
    back = _links(reverse, pairs.targets, pairs.sources)
    return [
        pharaoh.symmetrize(links, {(i, j) for j, i in turned})
        for links, turned in zip(found, back, strict=True)
    ]


def _links(translator, sources, targets):
    found = [set() for _ in sources]
    # Where a side lacks, nothing is linked.
    filled = [
        i for i, pair in enumerate(zip(sources, targets, strict=True)) if all(pair)
    ]
    firsts = range(0, len(filled), BATCH)
    for first in tqdm(firsts, "aligning", unit="batch", disable=None, leave=False):
        part = filled[first : first + BATCH]
        chosen = ([side[i] for i in part] for side in (sources, targets))
        links = align(translator, *chosen, pharaoh.words)
        if links is None:
            raise UsageError("a model without attention aligns nothing")
        for i, own in zip(part, links, strict=True):
            found[i] = own
    return found


def report(translator, pairs, reverse=None, gold=None):
    """Prints the links of `align_pairs`, and their error rate to standard error."""
    if gold is not None and len(gold) != len(pairs):
        raise UsageError(
            f"the gold links must be {len(pairs)} lines, as the pairs are, got "
            f"{len(gold)}"
        )
    links = align_pairs(translator, pairs, reverse)
    for own in links:
        print(pharaoh.write_links(own))
    if gold is not None:
        rate = error_rate(links, gold)
        print(f"alignment error rate {rate:.3f}", file=sys.stderr)
