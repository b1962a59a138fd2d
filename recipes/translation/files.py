"""Text files with one sentence a line, and pairs of them."""

import gzip
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from recipes.translation.errors import UsageError


@dataclass
class Pairs:
    """Sentences with their translations, one or more each."""

    sources: list[str]
    references: list[list[str]]

    def __len__(self):
        return len(self.sources)

    @property
    def targets(self):
        return [references[0] for references in self.references]

    def select(self, indices):
        return Pairs(
            [self.sources[i] for i in indices], [self.references[i] for i in indices]
        )


def read_lines(path):
    """Reads the lines of a UTF-8 file, plain or `.gz`."""
    path = Path(path)
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except FileNotFoundError:
        raise UsageError(f"no such file: {path}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    return decode_lines(data, path)


def decode_lines(data, path):
    """Splits bytes at line feeds only: other separators are part of the text."""
    lines = []
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n"), 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise UsageError(f"{path}, line {number}: not UTF-8") from None
        lines.append(text.removesuffix("\r"))
    if not any(line.strip() for line in lines):
        raise UsageError(f"{path} is empty")
    return lines


def read_parallel(source_path, target_path):
    """Reads two files whose lines correspond."""
    sources, targets = read_lines(source_path), read_lines(target_path)
    if len(sources) != len(targets):
        raise UsageError(
            f"{source_path} has {len(sources)} lines, {target_path} has "
            f"{len(targets)}: they must correspond line by line"
        )
    return _filled(sources, targets, source_path)


def read_tsv(path):
    """Reads a file of lines `source TAB target`; further columns are ignored."""
    return split_columns(read_lines(path), path)


def split_columns(lines, path, source=0, target=1):
    """Takes two columns out of tab-separated lines; blank lines are skipped."""
    sources, targets = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        columns = line.split("\t")
        if len(columns) <= max(source, target):
            raise UsageError(
                f"{path}, line {number}: expected source, a tab and target, "
                f"got {len(columns)} column"
            )
        sources.append(columns[source])
        targets.append(columns[target])
    return _filled(sources, targets, path)


def _filled(sources, targets, path):
    """Pairs of stripped sentences, without those that lack a side."""
    stripped = (
        (source.strip(), target.strip())
        for source, target in zip(sources, targets, strict=True)
    )
    pairs = [pair for pair in stripped if all(pair)]
    if not pairs:
        raise UsageError(f"{path} holds no pair with both sides")
    if len(pairs) < len(sources):
        print(f"{path}: left out {len(sources) - len(pairs)} pairs with an empty side")
    return Pairs([source for source, _ in pairs], [[target] for _, target in pairs])


def bucket(sentence, buckets):
    """A number below `buckets` that depends on the normalised sentence only.

    Splitting by it keeps a sentence that occurs twice on one side: a random
    split by lines would leak test sentences into training.
    """
    normalized = " ".join(sentence.casefold().split())
    return int.from_bytes(sha256(normalized.encode()).digest()[:8], "big") % buckets


def hold_out(pairs, share=20):
    """Splits into training and validation: one source sentence in `share`."""
    buckets = [bucket(source, share) for source in pairs.sources]
    valid = [i for i, number in enumerate(buckets) if number == 0]
    if not valid or len(valid) == len(pairs):  # a very small file
        valid = [i for i, s in enumerate(pairs.sources) if s == min(pairs.sources)]
    train = sorted(set(range(len(pairs))) - set(valid))
    if not train:
        raise UsageError(
            "training needs at least 2 different source sentences, got "
            f"{len(set(pairs.sources))}"
        )
    return pairs.select(train), pairs.select(valid)
