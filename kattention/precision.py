"""Precision of what loops add up and softmaxes normalise."""

import keras
from keras import ops


def as_precise(tensor):
    """Casts to float32 at least."""
    tensor = ops.convert_to_tensor(tensor)
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return ops.cast(tensor, keras.backend.result_type(dtype, "float32"))
