"""Attention without a query: one vector for a whole sequence."""

from typing import Any

import keras
from keras import ops

from kattention import checks
from kattention.attention.weights import masked_softmax, valid_only, weighted_sum
from kattention.types import Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="kattention")
class AttentionPooling(keras.layers.Layer):
    """Averages a sequence with learned weights, as a classifier needs it.

    For the values `h_j`:

        e_j = v . tanh(W h_j + b)
        a_j = softmax over the valid j of e_j
        c   = sum over j of a_j h_j

    A masked position has weight exactly 0, a sequence without any valid
    position weights 0 and a vector of zeros. The softmax runs in float32 at
    least. It can stand in a `keras.Sequential` and in a
    `keras.layers.TimeDistributed`.

    Args:
        units: Size `U` of the hidden layer that scores.
        use_bias: Add the bias `b` inside the tanh.
        dropout: Rate of dropout on the weights that form the average.
        kernel_initializer: Initializer of `W`.
        score_initializer: Initializer of `v`.
        kernel_regularizer: Regularizer of `W`.

    Call arguments:
        values: Floats `(B, S, D)`.
        mask: Booleans `(B, S)`. Taken from the Keras mask of `values` when
            absent.
        return_attention_scores: Return the weights too.
        training: Whether dropout is on.

    Returns:
        The average `(B, D)`, or `(average, weights)` with weights `(B, S)`.

    Raises:
        ValueError: A rank, depth or mask shape does not fit.

    Example:

    >>> classifier = keras.Sequential([
    ...     keras.layers.Embedding(1000, 16, mask_zero=True),
    ...     keras.layers.LSTM(32, return_sequences=True),
    ...     AttentionPooling(24),
    ...     keras.layers.Dense(1, activation="sigmoid"),
    ... ])
    >>> tuple(classifier(keras.ops.ones((2, 7), "int32")).shape)
    (2, 1)

    Source: Yang et al., "Hierarchical Attention Networks for Document
    Classification" (2016), section 2.2.
    """

    def __init__(
        self,
        units: int,
        *,
        use_bias: bool = True,
        dropout: float = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        score_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.check_positive("units", units)
        self.units = units
        self.use_bias = use_bias
        self.dropout = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.score_initializer = keras.initializers.get(score_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self._drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.supports_masking = True

    def build(self, values_shape: Shape) -> None:
        checks.check_rank("values", values_shape, (3,))
        self.kernel = self.add_weight(
            name="kernel",
            shape=(values_shape[-1], self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer="zeros"
            )
        self.score_vector = self.add_weight(
            name="score_vector", shape=(self.units,), initializer=self.score_initializer
        )

    def call(
        self,
        values: Tensor,
        mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        checks.check_rank("values", values.shape, (3,))
        checks.check_depth("values", values.shape, self.kernel.shape[0])
        if mask is not None:
            checks.check_mask("mask", mask, values.shape[:-1])
            mask = ops.cast(mask, "bool")
            values = valid_only(values, mask)
        hidden = ops.matmul(values, self.kernel)
        hidden = ops.tanh(hidden + self.bias if self.use_bias else hidden)
        scores = ops.matmul(hidden, ops.expand_dims(self.score_vector, -1))
        weights = masked_softmax(ops.squeeze(scores, -1), mask)
        weights = ops.cast(weights, self.compute_dtype)
        average = weighted_sum(self._drop(weights, training=training), values)
        return (average, weights) if return_attention_scores else average

    def compute_mask(
        self, values: Tensor, previous_mask: Tensor | None
    ) -> Tensor | None:
        # The sequence that the mask was about is gone.
        return None

    def compute_output_shape(self, values_shape: Shape) -> Shape:
        return (values_shape[0], values_shape[-1])

    def compute_output_spec(
        self,
        values: Tensor,
        mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        checks.check_rank("values", values.shape, (3,))
        if mask is not None:
            checks.check_mask("mask", mask, values.shape[:-1])
        shapes = (values.shape[0], values.shape[-1]), values.shape[:-1]
        specs = [keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes]
        return tuple(specs) if return_attention_scores else specs[0]

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "score_initializer": keras.initializers.serialize(self.score_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
