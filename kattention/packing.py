"""Batches without their padding: what is computed a token, on tokens only."""

import keras
from keras import ops

PADDING = 0


def pack(tensor, ids):
    """Keeps the positions whose id is not padding, row after row.

    Args:
        tensor: `(B, T, ...)`.
        ids: Integers `(B, T)`.

    Returns:
        `(N, ...)` for `N` tokens.
    """
    [positions] = ops.nonzero(ops.reshape(ids, (-1,)))
    return ops.take(ops.reshape(tensor, (-1, *tensor.shape[2:])), positions, axis=0)


@keras.saving.register_keras_serializable(package="kattention")
class PackTokens(keras.layers.Layer):
    """Packs tensors into one row without padding.

    Call arguments:
        tensors: A list of floats `(B, T, D)`.
        ids: Integers `(B, T)`, 0 where padded.

    Returns:
        A list of `(1, N, D)`, for the `N` ids that are not 0.

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

    def call(self, tensors, ids):
        return [ops.expand_dims(pack(tensor, ids), 0) for tensor in tensors]

    def compute_output_spec(self, tensors, ids):
        return [keras.KerasTensor((1, None, t.shape[-1]), t.dtype) for t in tensors]
