"""Batches without their padding: readout and logits for real tokens only."""

import keras
from keras import ops

from kattention.ids import END, PADDING


def pack(tensor, kept):
    """Keeps some positions, row after row.

    Args:
        tensor: `(B, T, ...)`.
        kept: Booleans `(B, T)`.

    Returns:
        `(N, ...)` for `N` positions.
    """
    [positions] = ops.nonzero(ops.reshape(kept, (-1,)))
    return ops.take(ops.reshape(tensor, (-1, *tensor.shape[2:])), positions, axis=0)


@keras.saving.register_keras_serializable(package="kattention")
class PackTokens(keras.layers.Layer):
    """Packs tensors into one row without padding.

    Call arguments:
        tensors: A list of floats `(B, T, D)`.
        ids: Integers `(B, T)`, the inputs of a decoder.

    Returns:
        A list of `(1, N, D)`, for the `N` ids that are neither padding nor the
        end token. (Inputs are targets without the last column, so shorter rows
        still hold their end token, after which nothing is predicted.)

    Raises:
        ValueError: The backend is JAX, which wants shapes known in advance.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        if keras.backend.backend() == "jax":
            raise ValueError(
                "packing needs shapes that depend on ids, which the jax backend "
                "does not have: use packed=False"
            )
        self.supports_jit = False
        self.supports_masking = True

    def compute_mask(self, inputs, previous_mask):
        return None  # no padding is left

    def call(self, tensors, ids):
        kept = ops.logical_and(ops.not_equal(ids, PADDING), ops.not_equal(ids, END))
        return [ops.expand_dims(pack(tensor, kept), 0) for tensor in tensors]

    def compute_output_spec(self, tensors, ids):
        return [keras.KerasTensor((1, None, t.shape[-1]), t.dtype) for t in tensors]
