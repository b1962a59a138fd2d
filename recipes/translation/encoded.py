"""A corpus as ids in files, which may be larger than memory.

A folder holds, as plain numbers without a header:

    source.ids, target.ids           the ids of all pairs, one after the other
    source.lengths, target.lengths   how many of them belong to each pair
    hashes                           a number for each pair: the same text, the same
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

FILES = {
    "source.ids": np.int32,
    "source.lengths": np.int32,
    "target.ids": np.int32,
    "target.lengths": np.int32,
    "hashes": np.uint64,
}
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
        """The chosen rows as int32 `(rows, longest)`, with 0 after each one's end."""
        lengths = self.lengths[chosen][:, None]
        columns = np.arange(lengths.max(initial=0))
        inside = columns < lengths
        places = self._starts[chosen][:, None] + columns
        ids = np.zeros(inside.shape, "int32")
        ids[inside] = self.flat[places[inside]]
        return ids


@dataclass(frozen=True)
class EncodedPairs:
    """The ids of pairs, without start and end.

    Attributes:
        source: `Rows`.
        target: `Rows`.
        hashes: A number for each pair.
    """

    source: Rows
    target: Rows
    hashes: np.ndarray

    def __len__(self):
        return len(self.hashes)


def encode(folder, pairs, source_tokenizer, target_tokenizer):
    """Encodes a stream of pairs into a folder, unless that was done before.

    The folder appears when it is complete.

    Returns:
        `EncodedPairs` that read from the folder.
    """
    folder = Path(folder)
    if not folder.exists():
        aside = folder.with_name(f".writing-{folder.name}")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        _write(aside, pairs, source_tokenizer, target_tokenizer)
        os.rename(aside, folder)
    ids = {name: _open(folder / name, dtype) for name, dtype in FILES.items()}
    return EncodedPairs(
        Rows(ids["source.ids"], ids["source.lengths"]),
        Rows(ids["target.ids"], ids["target.lengths"]),
        ids["hashes"],
    )


def _write(folder, pairs, *tokenizers):
    stream = iter(tqdm(pairs, "encoding", unit=" pairs", disable=None))
    with ExitStack() as stack:
        files = {name: stack.enter_context(open(folder / name, "wb")) for name in FILES}
        while chunk := list(islice(stream, CHUNK)):
            for side, tokenizer, lines in zip(
                ("source", "target"), tokenizers, zip(*chunk, strict=True), strict=True
            ):
                ids = tokenizer.encode(lines)
                _append(files, f"{side}.ids", ids.flat_values.numpy())
                _append(files, f"{side}.lengths", ids.row_lengths().numpy())
            _append(files, "hashes", [_hash(*pair) for pair in chunk])


def _append(files, name, numbers):
    np.asarray(numbers, FILES[name]).tofile(files[name])


def _hash(source, target):
    digest = blake2b(f"{source}\t{target}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _open(path, dtype):
    if not path.stat().st_size:  # which cannot be mapped
        return np.zeros(0, dtype)
    return np.memmap(path, dtype, mode="r")
