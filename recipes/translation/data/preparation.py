"""From a corpus to subwords and ids in a run folder.

A run keeps what it is trained and validated on, so a corpus that is moved or
changed later does not change a training that goes on.
"""

import json
import warnings
from dataclasses import asdict

from kattention.text import SubwordTokenizer

from .. import run
from ..errors import UsageError
from . import corpora, files, filtering, pharaoh, splitting
from .encoded import encode
from .files import Pairs

# Pairs from which subwords are learnt, at most.
LEARNT_FROM = 200_000


def prepare(folder, recorded, preset):
    """Fills a run folder with what `recorded` and the preset ask for."""
    print("reading the corpus", flush=True)
    training, validation = _load_pairs(recorded)
    tokenizers = learn_tokenizers(training, preset)
    for name, tokenizer in zip(("source", "target"), tokenizers, strict=True):
        tokenizer.save(folder / f"{name}.model")
    encoded = encode(folder / "validation", validation, *tokenizers)
    if not (recorded["data"] or recorded["valid_source"]):
        # In raw text a single very long line could exhaust the memory.
        limits = preset.max_tokens, preset.max_ratio
        short = filtering.select(encoded, *limits).chosen
        if 0 < len(short) < len(validation):
            validation = validation.select(short)
            encode(folder / "validation", validation, *tokenizers)
    (folder / run.VALIDATION).write_text(json.dumps(asdict(validation)))
    # An export of this run is tried on the example.
    written = run.read_options(folder)
    run.write_options(folder, {**written, "example": validation.sources[0]})
    encode(folder / "training", training, *tokenizers)


def _load_pairs(recorded):
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
            training = pharaoh.Linked(training, recorded["alignments"])
        if recorded["valid_source"]:
            validation = files.read_parallel(
                recorded["valid_source"], recorded["valid_target"]
            )
        else:
            training, validation = splitting.hold_out(training)
    if recorded["limit"]:
        training = splitting.limit(training, recorded["limit"])
    return training, validation


def count_pairs(recorded):
    """How many pairs the user's own files hold."""
    own = own_files(recorded["pairs"], recorded["source"], recorded["target"])
    return sum(1 for _ in own)


def own_files(pairs, source, target):
    """The user's own files: one of pairs, or two in parallel."""
    return files.PairFiles((pairs,) if pairs else (source, target))


def load_validation(folder):
    """The `Pairs` that a run is validated on."""
    try:
        return Pairs(**json.loads((folder / run.VALIDATION).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{folder / run.VALIDATION} cannot be read: {error}") from None


def load_tokenizers(folder, preset):
    """Returns a run's `(source tokenizer, target tokenizer)`."""
    names = ("source.model", "target.model")
    source, target = (SubwordTokenizer.load(folder / name) for name in names)
    return source, source if preset.shared_vocabulary else target


def learn_tokenizers(training, preset):
    """Learns `(source tokenizer, target tokenizer)` from a stream of pairs."""
    count = sum(1 for _ in training)
    print(
        f"learning {preset.vocabulary_size:,} subwords from {count:,} pairs", flush=True
    )
    every = 1 + count // LEARNT_FROM
    pairs = [pair[:2] for n, pair in enumerate(training) if n % every == 0]
    sides = [list(side) for side in zip(*pairs, strict=True)]
    if preset.shared_vocabulary:
        sides = [sides[0] + sides[1]]
    with warnings.catch_warnings():
        # It learns as many as there are, which the next line says.
        warnings.simplefilter("ignore")
        learnt = [
            SubwordTokenizer.train(lines, preset.vocabulary_size) for lines in sides
        ]
    if any(one.vocabulary_size < preset.vocabulary_size for one in learnt):
        found = " and ".join(f"{one.vocabulary_size:,}" for one in learnt)
        print(f"the text is too small for so many: it has {found}")
    return learnt[0], learnt[-1]
