"""Multiplicative attention, as Luong, Pham and Manning (2015) wrote it."""

from typing import Any, Literal

import keras
from keras import ops

from kattention.attention.base import AttentionMechanism
from kattention.precision import as_precise
from kattention.types import (
    Config,
    Initializer,
    Memory,
    Regularizer,
    Shape,
    State,
    Tensor,
)

SCORES = ("general", "dot")


@keras.saving.register_keras_serializable(package="kattention")
class LuongAttention(AttentionMechanism):
    """Attention that scores by a dot product.

    For a query `q_i` and the keys `k_j`:

        e_ij = q_i . (W k_j)    "general"
        e_ij = q_i . k_j        "dot"

    Then a softmax over the valid `j`, and the context is the weighted sum of
    the values.

    Args:
        score: `"general"`, or `"dot"`, which has no kernel and needs keys as
            deep as queries.
        scale: Multiply scores by a learned gain, which starts at 1.
        dropout: Rate of dropout on the weights that form the context.
        kernel_initializer: Initializer of `W`.
        kernel_regularizer: Regularizer of `W`.

    Call arguments, returns and errors: see `AttentionMechanism`.

    Example:

    >>> attention = LuongAttention(score="general")
    >>> query, value = keras.ops.ones((2, 5, 32)), keras.ops.ones((2, 7, 48))
    >>> tuple(attention(query, value).shape)
    (2, 5, 48)

    Source: Luong, Pham and Manning, "Effective Approaches to Attention-based
    Neural Machine Translation" (2015), section 3.1.
    """

    def __init__(
        self,
        *,
        score: Literal["general", "dot"] = "general",
        scale: bool = False,
        dropout: float = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dropout=dropout, **kwargs)
        if score not in SCORES:
            raise ValueError(f"score must be one of {SCORES}, got {score!r}")
        self.score_mode = score
        self.scale = scale
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        super().build(query_shape, value_shape, key_shape)
        query_depth, key_depth = query_shape[-1], (key_shape or value_shape)[-1]
        self.key_kernel = self.score_gain = None
        if self.score_mode == "general":
            self.key_kernel = self.add_weight(
                name="key_kernel",
                shape=(key_depth, query_depth),
                initializer=self.kernel_initializer,
                regularizer=self.kernel_regularizer,
            )
        elif query_depth != key_depth:
            raise ValueError(
                "score='dot' needs a query as deep as the key, "
                f"got {query_depth} and {key_depth}: use score='general'"
            )
        if self.scale:
            self.score_gain = self.add_weight(
                name="score_gain", shape=(), initializer="ones"
            )

    def project_key(self, key: Tensor) -> Tensor:
        if self.key_kernel is None:
            return key
        return ops.matmul(key, self.cast(self.key_kernel))

    def score(self, query: Tensor, memory: Memory, state: State) -> Tensor:
        if len(query.shape) == 2:
            scores = ops.matmul(memory["key"], ops.expand_dims(query, -1))
            scores = ops.squeeze(scores, -1)  # (B, S)
        else:
            key = ops.swapaxes(memory["key"], 1, 2)
            scores = ops.matmul(query, key)  # (B, T, S)
        if self.score_gain is None:
            return scores
        scores = as_precise(scores)
        return scores * ops.cast(self.score_gain, scores.dtype)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "score": self.score_mode,
            "scale": self.scale,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
