"""What a training is told: the corpus, the budget, and the model's choices.

The command line is generated from the fields of these classes.
"""

from argparse import ArgumentTypeError
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from .data import corpora
from .errors import UsageError

ATTEND = ("before", "between", "after")
# The preset of your own text: the first one with more pairs than that.
PRESET_BELOW = {"mini": 10_000, "small": 100_000}


def _kind(described, metavar, kind, holds):
    """Returns what turns a string into a value, or says what it must be."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not holds(value):
            raise ArgumentTypeError(f"must be {described}, got {text!r}")
        return value

    parse.metavar = metavar
    return parse


positive_int = _kind("a whole number above 0", "N", int, lambda value: value > 0)
even_int = _kind(
    "an even number above 0", "N", int, lambda value: value > 0 and value % 2 == 0
)
positive_float = _kind("a number above 0", "X", float, lambda value: value > 0)
natural = _kind("a whole number from 0", "N", int, lambda value: value >= 0)
share = _kind("at least 0 and below 1", "SHARE", float, lambda value: 0 <= value < 1)


def _choice(kind, help, metavar=None, **default):
    """A field that is an option: `kind` parses it, or is a tuple of its values."""
    metavar = metavar or getattr(kind, "metavar", None)
    return field(metadata={"kind": kind, "help": help, "metavar": metavar}, **default)


def _file(help, metavar="FILE"):
    return _choice(Path, help, metavar, default=None)


@dataclass(frozen=True)
class Preset:
    """Every choice about model and training, saved with the run."""

    vocabulary_size: int = _choice(
        positive_int, "subwords, of both languages together if shared"
    )
    shared_vocabulary: bool = _choice(
        bool, "one vocabulary and embedding for both sides"
    )
    embedding: int = _choice(
        positive_int, "depth of token vectors, and of the readout tied to them"
    )
    units: int = _choice(
        even_int, "depth of the decoder's state, and of the encoder's two, joined"
    )
    attention_units: int = _choice(positive_int, "size of the attention's hidden layer")
    attend: str = _choice(
        ATTEND, "where the decoder attends: see kattention.AttentionDecoder"
    )
    compiled: bool = _choice(
        bool,
        "compile the loops of encoder and decoder, which pays off in trainings of more "
        "than a few minutes",
    )
    bfloat16: bool = _choice(
        bool,
        "compute logits in bfloat16, in training and afterwards: faster on processors "
        "that support it",
    )
    word_dropout: float = _choice(share, "share of source words hidden in training")
    embedding_dropout: float = _choice(share, "dropout on the source's token vectors")
    memory_dropout: float = _choice(share, "dropout on the encoder's states")
    attention_dropout: float = _choice(share, "dropout on attention weights")
    readout_dropout: float = _choice(share, "dropout before the logits")
    scheduled_sampling: float = _choice(
        share,
        "share of target tokens that the model draws itself at the end of training, "
        "rising from 0: see kattention.training.ScheduledSampling",
    )
    guided_alignment: float = _choice(
        positive_float, "weight of the loss on --alignments, for example 0.5"
    )
    label_smoothing: float = _choice(share, "probability spread over all tokens")
    learning_rate: float = _choice(positive_float, "the highest learning rate")
    warmup: float = _choice(
        share, "share of the budget in which the learning rate rises"
    )
    clip_norm: float = _choice(positive_float, "largest norm of all gradients together")
    ema: float = _choice(
        share,
        "momentum of the moving average of the weights, which is validated and kept; "
        "0: validate and keep the weights themselves",
    )
    batch_tokens: int = _choice(
        positive_int, "tokens a batch, padding included, of the longer side"
    )
    max_tokens: int = _choice(
        positive_int, "leave out training pairs with a longer side"
    )
    max_ratio: float = _choice(
        positive_float,
        "leave out pairs with one side so many times as long as the other",
    )
    epochs: int = _choice(
        positive_int, "passes over the corpus, without a budget of minutes"
    )
    patience: int = _choice(
        positive_int, "validations without a better BLEU before training stops"
    )


# The same in every preset.
_COMMON = {
    "bfloat16": False,
    "word_dropout": 0.0,
    "attention_dropout": 0.0,
    "scheduled_sampling": 0.0,
    "guided_alignment": 0.0,
    "warmup": 0.1,
    "clip_norm": 1.0,
    "ema": 0.0,
    "max_tokens": 100,
    "max_ratio": 9.0,
    "patience": 5,
}
TINY = Preset(
    **_COMMON,
    vocabulary_size=1200,
    shared_vocabulary=False,
    embedding=112,
    units=64,
    attention_units=64,
    attend="before",
    compiled=False,
    embedding_dropout=0.0,
    memory_dropout=0.0,
    readout_dropout=0.0,
    label_smoothing=0.05,
    learning_rate=1e-2,
    batch_tokens=800,
    epochs=3,
)
MINI = replace(
    TINY,
    embedding_dropout=0.2,
    memory_dropout=0.2,
    readout_dropout=0.3,
    word_dropout=0.1,
    learning_rate=5e-3,
    epochs=24,
)
SMALL = Preset(
    **_COMMON,
    vocabulary_size=8000,
    shared_vocabulary=True,
    embedding=256,
    units=320,
    attention_units=256,
    attend="between",
    compiled=True,
    embedding_dropout=0.2,
    memory_dropout=0.2,
    readout_dropout=0.3,
    label_smoothing=0.1,
    learning_rate=1.5e-3,
    batch_tokens=1500,
    epochs=15,
)
BASE = replace(
    SMALL, embedding_dropout=0.1, memory_dropout=0.1, readout_dropout=0.2, epochs=10
)
PRESETS = {"tiny": TINY, "mini": MINI, "small": SMALL, "base": BASE}


@dataclass(frozen=True)
class CorpusOptions:
    """A corpus that has a name, or files of one's own."""

    data: str | None = _choice(
        str,
        f"a named corpus: {', '.join(sorted(corpora.CORPORA))}",
        "NAME",
        default=None,
    )
    pairs: Path | None = _file("lines of source, a tab and target", "TSV")
    source: Path | None = _file("a sentence a line; with --target")
    target: Path | None = _file("the translations of --source, line by line")
    data_dir: Path | None = _file(
        "a folder that holds the named corpus, instead of a download", "DIR"
    )

    def __post_init__(self):
        given = [name for name in ("data", "pairs", "source") if getattr(self, name)]
        if len(given) > 1:
            raise UsageError(f"give only one of --{' and --'.join(given)}")
        if bool(self.source) != bool(self.target):
            raise UsageError("--source and --target go together")
        if self.data_dir and (self.pairs or self.source):
            raise UsageError("--data-dir goes with --data, not --pairs or --source")


@dataclass(frozen=True)
class TrainOptions(CorpusOptions):
    """What `train` is told.

    Attributes:
        changes: Choices of `Preset` that differ from the preset's, a dict.
    """

    output: Path | None = _file("the run folder", "RUN")
    valid_source: Path | None = _file("sentences to validate on, with --valid-target")
    valid_target: Path | None = _file("their translations")
    alignments: Path | None = _file(
        "links between the words of each own training pair, such as 3-4, as the align "
        "command prints them: attention is trained to follow them"
    )
    minutes: float | None = _choice(
        positive_float,
        "wall-clock budget instead of --epochs, for example 45 or 0.5, validations "
        "included; the learning rate follows it too",
        "MINUTES",
        default=None,
    )
    limit: int | None = _choice(
        positive_int, "train on so many pairs only", default=None
    )
    attention: str = _choice(
        ("bahdanau", "none"),
        "'none': the control, with the encoder's final state as context",
        default="bahdanau",
    )
    seed: int = _choice(natural, "seed of weights, batches and dropout", default=1)
    preset: str | None = _choice(
        ("tiny", "mini", "small", "base"),
        "sizes and settings; without it the corpus decides",
        default=None,
    )
    changes: dict = field(default_factory=dict)

    def __post_init__(self):
        super().__post_init__()
        if not (self.data or self.pairs or self.source):
            raise UsageError("give one of --data, --pairs and --source")
        if not self.output:
            raise UsageError("give --output, the run folder")
        if bool(self.valid_source) != bool(self.valid_target):
            raise UsageError("--valid-source and --valid-target go together")
        for name in ("valid_source", "alignments"):
            if getattr(self, name) and self.data:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} goes with --pairs or --source, not --data")
        if bool(self.alignments) != bool(self.changes.get("guided_alignment")):
            raise UsageError("--alignments and --guided-alignment go together")
        if self.alignments and self.attention == "none":
            raise UsageError("--alignments goes with --attention bahdanau")
        if self.minutes and "epochs" in self.changes:
            raise UsageError("give either --minutes or --epochs")
        unknown = set(self.changes) - {choice.name for choice in fields(Preset)}
        if unknown:
            raise UsageError(
                f"unknown choices of a preset: {', '.join(sorted(unknown))}"
            )


def choose_preset(options, count_pairs):
    """Returns the name of the preset that is named, or that fits the corpus.

    Args:
        options: `TrainOptions`.
        count_pairs: A function that counts the training pairs of own text.
    """
    if options.preset:
        return options.preset
    if options.data:
        return corpora.find(options.data)[0].preset
    count = count_pairs()
    name = next((name for name, size in PRESET_BELOW.items() if count < size), "base")
    print(f"preset {name}, for {count:,} pairs of your own (--preset chooses another)")
    return name


def make_preset(name, changes):
    """Returns a preset with the choices that differ from it."""
    return replace(PRESETS[name], **changes)
