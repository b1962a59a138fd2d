"""Additive attention that knows where it looked before."""

from typing import Any, Literal

import keras
from keras import ops

from kattention import checks
from kattention.attention import additive
from kattention.attention.bahdanau import BahdanauAttention
from kattention.types import Config, Memory, Shape, State, Tensor

HISTORIES = ("previous", "cumulative", "both")


@keras.saving.register_keras_serializable(package="kattention")
class LocationSensitiveAttention(BahdanauAttention):
    """Additive attention over keys and over where earlier steps looked.

    For a query `s_i`, the keys `h_j` and the earlier alignments `a`:

        f_i  = filters * a                  (a convolution over the source)
        e_ij = v . tanh(W s_i + U h_j + L f_ij + b)

    Then a softmax over the valid `j`, and the context is the weighted sum of
    the values. It is for long sources that are read in order, such as speech.
    The earlier alignments are its state, zero before the first step. A query of
    rank 3 is read step by step.

    Args:
        units: Size `U` of the hidden layer that scores.
        filters: Number of filters over the earlier alignments.
        kernel_size: Positions that a filter covers.
        history: What the filters see: the `"previous"` alignment, the
            `"cumulative"` sum of all earlier ones, or `"both"`.
        use_bias: Add a bias inside the tanh.
        **kwargs: `normalize`, `dropout`, `kernel_initializer`,
            `score_initializer` and `kernel_regularizer`, as for
            `BahdanauAttention`. The kernels include the filters and `L`.

    Call arguments, returns and errors: see `AttentionMechanism`.

    Example:

    >>> attention = LocationSensitiveAttention(64, filters=8, kernel_size=5)
    >>> query, value = keras.ops.ones((2, 5, 32)), keras.ops.ones((2, 7, 48))
    >>> tuple(attention(query, value).shape)
    (2, 5, 48)

    Source: Chorowski et al., "Attention-Based Models for Speech Recognition"
    (2015), section 2.2; both histories: Shen et al., "Natural TTS Synthesis"
    (Tacotron 2, 2018), section 2.2.
    """

    def __init__(
        self,
        units: int,
        *,
        filters: int = 32,
        kernel_size: int = 31,
        history: Literal["previous", "cumulative", "both"] = "both",
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, use_bias=use_bias, **kwargs)
        checks.check_positive("filters", filters)
        checks.check_positive("kernel_size", kernel_size)
        if history not in HISTORIES:
            raise ValueError(f"history must be one of {HISTORIES}, got {history!r}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.history = history

    def build(
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        super().build(query_shape, value_shape, key_shape)
        alignments = 2 if self.history == "both" else 1
        self.location_filters = self.add_weight(
            name="location_filters",
            shape=(self.kernel_size, alignments, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.location_kernel = self._add_kernel("location_kernel", self.filters)

    def initial_state(self, memory: Memory) -> State:
        nothing = ops.zeros_like(memory["value"][..., 0])  # (B, S)
        return (nothing, nothing) if self.history == "both" else (nothing,)

    def score(self, query: Tensor, memory: Memory, state: State) -> Tensor:
        history = ops.stack(state, axis=-1)  # (B, S, 1 or 2)
        filters = ops.cast(self.location_filters, history.dtype)
        found = ops.conv(history, filters, padding="same", data_format="channels_last")
        location = ops.matmul(found, self.cast(self.location_kernel))  # (B, S, U)
        return additive.score(query, memory["key"] + location, self.scoring_vector())

    def next_state(self, weights: Tensor, memory: Memory, state: State) -> State:
        if self.history == "previous":
            return (weights,)
        total = state[-1] + weights
        return (weights, total) if self.history == "both" else (total,)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "history": self.history,
        }
