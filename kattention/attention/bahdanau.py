"""Additive attention, as Bahdanau, Cho and Bengio (2014) wrote it."""

from typing import Any

import keras
from keras import ops

from kattention import checks
from kattention.attention import additive
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


@keras.saving.register_keras_serializable(package="kattention")
class BahdanauAttention(AttentionMechanism):
    """Additive attention with learned projections of query and key.

    For a query `s_i` and the keys `h_j`:

        e_ij = v . tanh(W s_i + U h_j)
        a_ij = softmax over j of e_ij
        c_i  = sum over j of a_ij h_j

    For a query of rank 3 gradients of gradients, as gradient penalties take
    them, are not supported.

    Args:
        units: Size `U` of the hidden layer that scores.
        normalize: Score with `gain * v / ||v||` and a learned `gain`, which
            starts at `units ** -0.5` (weight normalisation, as in the
            normalised Bahdanau attention of TensorFlow's NMT models).
        use_bias: Add a bias inside the tanh.
        dropout: Rate of dropout on the weights that form the context. The
            weights that are returned are those before dropout.
        kernel_initializer: Initializer of the two projections.
        score_initializer: Initializer of `v`. `"zeros"` is the paper's
            (appendix B.1): attention begins exactly uniform.
        kernel_regularizer: Regularizer of the two projections.

    Call arguments, returns and errors: see `AttentionMechanism`.

    Example:

    >>> attention = BahdanauAttention(64)
    >>> query, value = keras.ops.ones((2, 5, 32)), keras.ops.ones((2, 7, 48))
    >>> context, weights = attention(query, value, return_attention_scores=True)
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 5, 48), (2, 5, 7))

    Source: Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly
    Learning to Align and Translate" (2014), section 3.1 and appendix A.1.2.
    """

    def __init__(
        self,
        units: int,
        *,
        normalize: bool = False,
        use_bias: bool = False,
        dropout: float = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        score_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dropout=dropout, **kwargs)
        checks.check_positive("units", units)
        self.units = units
        self.normalize = normalize
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.score_initializer = keras.initializers.get(score_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        super().build(query_shape, value_shape, key_shape)
        key_shape = key_shape or value_shape
        self.query_kernel = self._add_kernel("query_kernel", query_shape[-1])
        self.key_kernel = self._add_kernel("key_kernel", key_shape[-1])
        self.score_vector = self.add_weight(
            name="score_vector",
            shape=(self.units,),
            initializer=self.score_initializer,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer="zeros"
            )
        if self.normalize:
            self.score_gain = self.add_weight(
                name="score_gain",
                shape=(),
                initializer=keras.initializers.Constant(self.units**-0.5),
            )

    def _add_kernel(self, name, depth):
        return self.add_weight(
            name=name,
            shape=(depth, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )

    def project_key(self, key: Tensor) -> Tensor:
        key = ops.matmul(key, self.cast(self.key_kernel))
        # Once for a memory, in place of once a step.
        return key + self.cast(self.bias) if self.use_bias else key

    def project_query(self, query: Tensor) -> Tensor:
        return ops.matmul(query, self.cast(self.query_kernel))

    def score(self, query: Tensor, memory: Memory, state: State) -> Tensor:
        return additive.score(query, memory["key"], self.scoring_vector())

    def score_many(
        self, query: Tensor, memory: Memory, training: bool | None
    ) -> Tensor:
        if type(self).score is not BahdanauAttention.score:
            return super().score_many(query, memory, training)  # a subclass's own
        vector = self.scoring_vector()
        return additive.score_in_blocks(query, memory["key"], vector, bool(training))

    def scoring_vector(self) -> Tensor:
        """The vector `(U,)` that scores: `v`, scaled with `normalize`."""
        vector = ops.convert_to_tensor(self.score_vector)
        if self.normalize:
            vector = as_precise(vector)
            squared = ops.sum(ops.square(vector))
            gain = ops.cast(self.score_gain, vector.dtype)
            # The floor makes v = 0 score 0 everywhere: uniform, not nan.
            vector = gain * vector * ops.rsqrt(ops.maximum(squared, 1e-12))
        return self.cast(vector)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "units": self.units,
            "normalize": self.normalize,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "score_initializer": keras.initializers.serialize(self.score_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
