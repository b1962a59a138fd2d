"""Where XLA may compile a loop, and the shapes that it compiles for."""

import keras
from keras import ops

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
