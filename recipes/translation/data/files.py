"""Text files with one sentence a line, and pairs of them, read as streams.

A stream of pairs can be iterated over several times, and yields `(source,
target)`, or `(source, target, links)` with the links between their words. A
corpus larger than memory is a stream, and so is `Pairs`.
"""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path

from ..errors import UsageError


@dataclass
class Pairs:
    """Sentences with their translations, one or more each, in memory."""

    sources: list[str]
    references: list[list[str]]

    def __len__(self):
        return len(self.sources)

    def __iter__(self):
        return zip(self.sources, self.targets, strict=True)

    @property
    def targets(self):
        return [references[0] for references in self.references]

    def select(self, indices):
        return Pairs(
            [self.sources[i] for i in indices], [self.references[i] for i in indices]
        )


@dataclass(frozen=True)
class PairFiles:
    """The stream of pairs of one file with two columns, or of two in parallel."""

    paths: tuple

    def __iter__(self):
        if len(self.paths) == 1:
            [path] = self.paths
            return split_columns(iterate_lines(path), path)
        return _parallel(*self.paths)


@dataclass(frozen=True)
class Selected:
    """The pairs of a stream for which `keep(source, target)` is true."""

    pairs: Iterable
    keep: Callable

    def __iter__(self):
        return (pair for pair in self.pairs if self.keep(*pair[:2]))


def iterate_lines(path):
    """Yields the lines of a UTF-8 file, plain or `.gz`."""
    path = Path(path)
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            yield from decode_lines(file, path)
    except FileNotFoundError:
        raise UsageError(f"no such file: {path}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}") from None


def decode_lines(file, path):
    """Yields the lines of an open binary file; only a line feed ends a line."""
    filled = False
    for number, line in enumerate(file, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise UsageError(f"{path}, line {number}: not UTF-8") from None
        filled = filled or not text.isspace()
        yield text.removesuffix("\n").removesuffix("\r")
    if not filled:
        raise UsageError(f"{path} is empty")


def _parallel(source_path, target_path):
    sides = iterate_lines(source_path), iterate_lines(target_path)
    for number, (source, target) in enumerate(zip_longest(*sides)):
        if source is None or target is None:
            longer = number + 1 + sum(1 for side in sides for _ in side)
            lengths = (number, longer) if source is None else (longer, number)
            raise UsageError(
                f"{source_path} has {lengths[0]} lines, {target_path} has "
                f"{lengths[1]}: they must correspond line by line"
            )
        yield source.strip(), target.strip()


def split_columns(lines, path, source=0, target=1):
    """Takes two columns out of tab-separated lines; blank lines are skipped."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        columns = line.split("\t")
        if len(columns) <= max(source, target):
            raise UsageError(
                f"{path}, line {number}: expected source, a tab and target, "
                f"got {len(columns)} column"
            )
        yield columns[source].strip(), columns[target].strip()


def read_pairs(stream):
    """Reads a stream of pairs into memory."""
    pairs = list(stream)
    return Pairs([source for source, _ in pairs], [[target] for _, target in pairs])


def load_pairs(stream, name):
    """Reads a stream of pairs into memory, without pairs that lack a side."""
    pairs = read_pairs(stream)
    filled = [i for i, pair in enumerate(pairs) if all(pair)]
    if not filled:
        raise UsageError(f"{name} holds no pair with both sides")
    if len(filled) < len(pairs):
        left_out = len(pairs) - len(filled)
        # Not to standard output, which other programs may read.
        print(f"{name}: left out {left_out} pairs with an empty side", file=sys.stderr)
    return pairs.select(filled)


def read_parallel(source_path, target_path):
    """Reads two files whose lines correspond."""
    return load_pairs(PairFiles((source_path, target_path)), source_path)


def bucket(sentence, buckets):
    """A number below `buckets` that depends only on the normalised sentence.

    A split by this number keeps all copies of a sentence on one side. A random
    split by lines would leak test sentences into training.
    """
    normalized = " ".join(sentence.casefold().split())
    return int.from_bytes(sha256(normalized.encode()).digest()[:8], "big") % buckets
