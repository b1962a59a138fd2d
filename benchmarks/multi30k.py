"""Real sentences for benchmarks: Multi30k En-De in subwords."""

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

# The recipes are run from the repository's root and are not installed.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from kattention.text import SubwordTokenizer
from recipes.translation.data import corpora
from recipes.translation.data.batches import Batches
from recipes.translation.data.encoded import encode
from recipes.translation.options import PRESETS


def load(data_dir, vocabulary, count=None):
    """Returns the training `Pairs`, or the first ones, and their tokenizer."""
    corpus, _ = corpora.find("multi30k-en-de")
    pairs = corpus.load("train", data_dir)
    pairs = pairs.select(range(count or len(pairs)))
    return pairs, SubwordTokenizer.train(pairs.sources + pairs.targets, vocabulary)


def our_batches(pairs, tokenizer):
    """The recipes' `Batches`."""
    folder = Path(tempfile.mkdtemp()) / "ids"
    atexit.register(shutil.rmtree, folder.parent)
    encoded = encode(folder, pairs, tokenizer, tokenizer)
    return Batches(encoded, PRESETS["small"].batch_tokens)


def write_batches(folder, data_dir, vocabulary, count=960):
    """Writes one sample of the training pairs, batched in two ways.

    Returns:
        `(target tokens, path of shuffled batches of 64, path of our buckets)`.
    """
    pairs, tokenizer = load(data_dir, vocabulary)
    chosen = np.random.default_rng(1).permutation(len(pairs))[:count]
    batches = our_batches(pairs.select(chosen), tokenizer)
    tokens = 0
    rows = []
    for (source, _), target in batches.endless(seed=1).take(batches.steps):
        rows.append((_rows(source.numpy()), _rows(target.numpy())))
        tokens += int((target.numpy() != 0).sum())
    sources = [row for group, _ in rows for row in group]
    targets = [row for _, group in rows for row in group]
    sizes = [len(group) for group, _ in rows]
    _store(folder / "ours.npz", sources, targets, np.arange(count), sizes)
    shuffled = np.random.default_rng(2).permutation(count)
    sizes = [min(64, count - first) for first in range(0, count, 64)]
    _store(folder / "own.npz", sources, targets, shuffled, sizes)
    return tokens, folder / "own.npz", folder / "ours.npz"


def _rows(ids):
    return [row[row != 0] for row in ids]


def _store(path, sources, targets, order, sizes):
    # The start token is an input, the end token an output.
    targets = [np.concatenate([[2], row]).astype("int32") for row in targets]
    np.savez(
        path,
        source=np.concatenate(sources),
        source_lengths=[len(row) for row in sources],
        target=np.concatenate(targets),
        target_lengths=[len(row) for row in targets],
        order=order,
        sizes=sizes,
    )
