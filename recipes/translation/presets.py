"""The sizes and settings that fit a corpus."""

from dataclasses import dataclass, field, replace

from recipes.translation.values import even_int, positive_float, positive_int, share

ATTEND = ("before", "between", "after")


def _choice(kind, help):
    return field(metadata={"kind": kind, "help": help})


@dataclass(frozen=True)
class Preset:
    """Every choice that a run makes: an option of `train`, saved with the run."""

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
        "compile the loops of encoder and decoder; a training of two minutes does not "
        "earn it back",
    )
    bfloat16: bool = _choice(
        bool,
        "compute logits in bfloat16, in training and ever after: faster on processors "
        "that have it",
    )
    word_dropout: float = _choice(share, "share of source words that training hides")
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
        positive_float, "weight of the loss of --alignments, as 0.5; goes with them"
    )
    label_smoothing: float = _choice(share, "probability spread over all tokens")
    learning_rate: float = _choice(positive_float, "its peak")
    warmup: float = _choice(
        share, "share of the budget in which the learning rate rises"
    )
    clip_norm: float = _choice(positive_float, "largest norm of all gradients together")
    ema: float = _choice(
        share,
        "momentum of the moving average of the weights, which is what is validated "
        "and kept; 0: the weights themselves",
    )
    batch_tokens: int = _choice(
        positive_int, "tokens a batch, padding included, of the longer side"
    )
    max_tokens: int = _choice(
        positive_int, "training pairs with a longer side are left out"
    )
    max_ratio: float = _choice(
        positive_float, "so are pairs with a side so many times the other's"
    )
    epochs: int = _choice(
        positive_int, "passes over the corpus, if there is no budget of minutes"
    )
    patience: int = _choice(
        positive_int, "validations without a better BLEU before training stops"
    )


# What no corpus here wants otherwise.
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
    vocabulary_size=1000,
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
    learning_rate=6e-3,
    batch_tokens=480,
    epochs=3,
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
# What runs did that were recorded before there was the choice.
BEFORE = {"bfloat16": False}
PRESETS = {"tiny": TINY, "small": SMALL, "base": BASE}
