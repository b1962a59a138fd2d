"""Where XLA may compile a loop, and the shapes that it compiles for."""

import keras
from keras import ops

from kattention.precision import as_precise

# Few lengths, so that it compiles seldom.
MULTIPLE = 8


def can_compile():
    """Whether XLA is available: on TensorFlow, outside `tf.distribute`."""
    return reason_against_xla() is None


def reason_against_xla():
    """Says in a few words why no loop can be compiled here, or nothing."""
    if keras.backend.backend() != "tensorflow":
        return f"the backend is {keras.backend.backend()}, not tensorflow"
    import tensorflow as tf

    if tf.distribute.has_strategy():
        return "it runs under a tf.distribute strategy"
    return None


def round_up(tensor, axis):
    """Pads an axis with zeros to the next multiple of 8 (TensorFlow)."""
    pads, shape = [[0, 0]] * len(tensor.shape), list(tensor.shape)
    pads[axis], shape[axis] = [0, -ops.shape(tensor)[axis] % MULTIPLE], None
    padded = ops.pad(tensor, pads)
    padded.set_shape(shape)  # TensorFlow forgets every axis
    return padded


def by_step(tensor, like):
    """`(B, T)` or `(B, T, S)` to `(T, B, 1 or S)`, padded with steps."""
    tensor = as_precise(ops.cast(tensor, like.dtype))
    if len(tensor.shape) == 2:
        tensor = ops.expand_dims(tensor, -1)
    return round_up(ops.transpose(tensor, (1, 0, 2)), axis=0)


def project_by_step(inputs, kernel):
    """Inputs `(B, T, D)` times a kernel, as `(T, B, G)`, padded with steps."""
    # Transposed and padded while they are small.
    inputs = round_up(ops.transpose(inputs, (1, 0, 2)), axis=0)
    return as_precise(ops.matmul(inputs, ops.cast(kernel, inputs.dtype)))


def by_row(stack, length, depth=None):
    """`(T, B, D)` without its padding, as `(B, T, D)`."""
    _, batch, whole = ops.shape(stack)
    # Not `stack[:length]`, the gradient of which is several times as slow.
    shape = (length, batch, whole if depth is None else depth)
    return ops.transpose(ops.slice(stack, (0, 0, 0), shape), (1, 0, 2))
