"""Values and gradients of a function on any backend."""

import keras
import numpy as np

from tests.conftest import FLOAT64


def values_and_gradients(function, tensors, upstream):
    """The values, and gradients of their sum weighted by `upstream`."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tensors = [tf.constant(tensor) for tensor in tensors]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            values = function(*tensors)
            total = tf.reduce_sum(values * upstream)
        return [values, *tape.gradient(total, tensors)]
    if backend == "jax":
        import jax

        values, back = jax.vjp(function, *map(keras.ops.array, tensors))
        return [values, *back(keras.ops.array(upstream, values.dtype))]
    import torch

    tensors = [keras.ops.array(tensor).requires_grad_(True) for tensor in tensors]
    values = function(*tensors)
    gradients = torch.autograd.grad(
        values, tensors, keras.ops.array(upstream, values.dtype)
    )
    return [keras.ops.convert_to_numpy(part) for part in (values, *gradients)]


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10 if FLOAT64 else 1e-4)
