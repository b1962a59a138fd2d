"""A corpus as ids in files, possibly larger than memory.

A folder holds, as plain numbers without a header:

    source.ids, target.ids           the ids of all pairs, one after the other
    source.lengths, target.lengths   the number of ids of each pair
    links.ids, links.lengths         the same for linked tokens:
                                     source token + 2**32 * target token
    hashes                           a number for each pair, equal for equal text
"""

import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..word_links import membership
from . import pharaoh

FILES = {
    "source.ids": np.int32,
    "source.lengths": np.int32,
    "target.ids": np.int32,
    "target.lengths": np.int32,
    "links.ids": np.int64,
    "links.lengths": np.int32,
    "hashes": np.uint64,
}
LINK_BASE = 2**32
# Pairs that are turned into ids at a time.
CHUNK = 8192


class Rows:
    """Rows of ids, each of its own length.

    Args:
        flat: The ids of all rows, one after the other.
        lengths: How many belong to each row.
    """

    def __init__(self, flat, lengths):
        self.flat = flat
        self.lengths = lengths
        self._starts = np.cumsum(lengths, dtype="int64") - lengths

    def padded(self, chosen):
        """The chosen rows as `(rows, longest)`, with 0 after each one's end."""
        lengths = self.lengths[chosen][:, None]
        columns = np.arange(lengths.max(initial=0))
        inside = columns < lengths
        places = self._starts[chosen][:, None] + columns
        ids = np.zeros(inside.shape, self.flat.dtype)
        ids[inside] = self.flat[places[inside]]
        return ids


@dataclass(frozen=True)
class EncodedPairs:
    """The ids of pairs, without start and end.

    Attributes:
        source: `Rows`.
        target: `Rows`.
        links: `Rows` of numbers: see the head of this file.
        hashes: A number for each pair.
    """

    source: Rows
    target: Rows
    links: Rows
    hashes: np.ndarray

    def __len__(self):
        return len(self.hashes)


def encode(folder, pairs, source_tokenizer, target_tokenizer):
    """Encodes a stream of pairs into a folder, which appears once it is complete.

    Returns:
        `EncodedPairs` that read from the folder.
    """
    folder = Path(folder)
    aside = folder.with_name(f".writing-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    _write(aside, pairs, source_tokenizer, target_tokenizer)
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(aside, folder)
    return open_encoded(folder)


def open_encoded(folder):
    """Returns `EncodedPairs` that read what `encode` wrote."""
    folder = Path(folder)
    ids = {name: _open(folder / name, dtype) for name, dtype in FILES.items()}
    return EncodedPairs(
        Rows(ids["source.ids"], ids["source.lengths"]),
        Rows(ids["target.ids"], ids["target.lengths"]),
        Rows(ids["links.ids"], ids["links.lengths"]),
        ids["hashes"],
    )


def _write(folder, pairs, *tokenizers):
    stream = iter(tqdm(pairs, "encoding", unit=" pairs", disable=None, leave=False))
    with ExitStack() as stack:
        files = {name: stack.enter_context(open(folder / name, "wb")) for name in FILES}
        while chunk := list(islice(stream, CHUNK)):
            sources, targets, *_ = zip(*chunk, strict=True)
            rows = []
            for side, tokenizer, texts in zip(
                ("source", "target"), tokenizers, (sources, targets), strict=True
            ):
                ids = tokenizer.encode(texts)
                rows.append(ids.to_list())
                _append(files, f"{side}.ids", ids.flat_values.numpy())
                _append(files, f"{side}.lengths", ids.row_lengths().numpy())
            links = [
                _link_tokens(tokenizers, ids, *pair)
                for *ids, pair in zip(*rows, chunk, strict=True)
            ]
            _append(files, "links.ids", [link for own in links for link in own])
            _append(files, "links.lengths", [len(own) for own in links])
            _append(files, "hashes", [_hash(*pair[:2]) for pair in chunk])


def _link_tokens(tokenizers, ids, source, target, links=frozenset()):
    """Links all tokens of a source word to all of a target word linked to it."""
    if not links:
        return []
    source_words, target_words = (
        membership([tokenizer.vocabulary[id] for id in own], text, pharaoh.words)
        for tokenizer, own, text in zip(tokenizers, ids, (source, target), strict=True)
    )
    linked = {
        (int(t), int(s))
        for i, j in links
        for t in np.flatnonzero(target_words[j])
        for s in np.flatnonzero(source_words[i])
    }
    return [s + LINK_BASE * t for t, s in sorted(linked)]


def _append(files, name, numbers):
    np.asarray(numbers, FILES[name]).tofile(files[name])


def _hash(source, target):
    digest = blake2b(f"{source}\t{target}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _open(path, dtype):
    if not path.stat().st_size:  # which cannot be mapped
        return np.zeros(0, dtype)
    return np.memmap(path, dtype, mode="r")
