"""The sizes and settings that fit a corpus."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Every choice that a run makes; it is saved with the run.

    Attributes:
        vocabulary_size: Subwords, of both languages together if shared.
        shared_vocabulary: One vocabulary and one embedding for both sides.
        embedding: Depth of the token vectors, and of the readout tied to them.
        units: Size of the decoder's state, and of both directions of the
            encoder together.
        attention_units: Size of the attention's hidden layer.
        attend: Where the decoder attends: see `kattention.AttentionDecoder`.
        fast: See `kattention.AttentionRNN`. A training of two minutes does not
            earn back the compiling.
        dropout: Rate on embeddings, encoder states and readout.
        label_smoothing: See `kattention.training.TokenCrossentropy`.
        learning_rate: Its peak.
        batch_tokens: Tokens a batch, padding included, of the longer side.
        max_tokens: Training pairs with a longer side are left out.
        epochs: Passes over the corpus, if no other budget is given.
        patience: Epochs without a better validation loss before stopping.
    """

    vocabulary_size: int
    shared_vocabulary: bool
    embedding: int
    units: int
    attention_units: int
    attend: str
    fast: str | bool
    dropout: float
    label_smoothing: float
    learning_rate: float
    batch_tokens: int
    max_tokens: int
    epochs: int
    patience: int


PRESETS = {
    "tiny": Preset(
        vocabulary_size=1000,
        shared_vocabulary=False,
        embedding=112,
        units=64,
        attention_units=64,
        attend="before",
        fast=False,
        dropout=0.0,
        label_smoothing=0.05,
        learning_rate=6e-3,
        batch_tokens=540,
        max_tokens=100,
        epochs=3,
        patience=5,
    ),
    "small": Preset(
        vocabulary_size=8000,
        shared_vocabulary=True,
        embedding=256,
        units=320,
        attention_units=256,
        attend="between",
        fast="auto",
        dropout=0.3,
        label_smoothing=0.1,
        learning_rate=1.5e-3,
        batch_tokens=1500,
        max_tokens=100,
        epochs=12,
        patience=5,
    ),
}
