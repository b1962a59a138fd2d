"""Token accuracy, without padding."""

from typing import Any

import keras
from keras import ops

from kattention.training.tokens import pack_like
from kattention.types import Tensor


@keras.saving.register_keras_serializable(package="kattention")
class TokenAccuracy(keras.metrics.Mean):
    """The share of tokens, without padding, whose logit is the largest."""

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        y_true, weights = pack_like(y_pred, y_true, sample_weight, self.dtype)
        ids = ops.expand_dims(ops.cast(y_true, "int32"), -1)
        own = ops.squeeze(ops.take_along_axis(y_pred, ids, axis=-1), -1)
        # Not argmax, which TensorFlow does not vectorise on a CPU.
        right = ops.greater_equal(own, ops.max(y_pred, axis=-1))
        super().update_state(ops.cast(right, self.dtype), sample_weight=weights)
