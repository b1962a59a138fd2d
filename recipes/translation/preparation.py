"""From what the command line names to pairs and tokenizers."""

import warnings

from kattention.text import SubwordTokenizer
from recipes.translation import corpora, files, splitting
from recipes.translation.errors import UsageError

# Pairs from which subwords are learnt, at most.
LEARNT_FROM = 200_000


def load_pairs(recorded):
    """Returns the stream of training pairs and the validation `Pairs` of a run."""
    if recorded["data"]:
        corpus, split = corpora.find(recorded["data"])
        if split:
            raise UsageError(
                f"train takes a corpus without a split, got {recorded['data']}"
            )
        print(corpus.notice)
        training = corpus.load("train", recorded["data_dir"])
        validation = corpus.load("valid", recorded["data_dir"])
    else:
        training = own_files(recorded["pairs"], recorded["source"], recorded["target"])
        if recorded["alignments"]:
            training = files.Linked(training, recorded["alignments"])
        if recorded["valid_source"]:
            validation = files.read_parallel(
                recorded["valid_source"], recorded["valid_target"]
            )
        else:
            training, validation = splitting.hold_out(training)
    if recorded["limit"]:
        training = splitting.limit(training, recorded["limit"])
    return training, validation


def own_files(pairs, source, target):
    """The user's own files: one of pairs, or two in parallel."""
    return files.PairFiles((pairs,) if pairs else (source, target))


def load_tokenizers(folder, training, preset):
    """Loads a run's tokenizers, or learns them from the training text."""
    paths = folder / "source.model", folder / "target.model"
    if not all(path.exists() for path in paths):
        learnt = _learn(training, preset)
        for path, tokenizer in zip(paths, learnt, strict=True):
            aside = path.with_name(f".writing-{path.name}")
            tokenizer.save(aside)
            aside.replace(path)
    source, target = map(SubwordTokenizer.load, paths)
    return source, source if preset.shared_vocabulary else target


def _learn(training, preset):
    every = 1 + sum(1 for _ in training) // LEARNT_FROM
    pairs = [pair[:2] for n, pair in enumerate(training) if n % every == 0]
    sides = [list(side) for side in zip(*pairs, strict=True)]
    if preset.shared_vocabulary:
        sides = [sides[0] + sides[1]]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        learnt = [
            SubwordTokenizer.train(lines, preset.vocabulary_size) for lines in sides
        ]
    for warning in caught:
        print(warning.message)
    return learnt[0], learnt[-1]
