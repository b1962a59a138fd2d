"""Where XLA may compile a loop, and the lengths that it compiles for."""

import keras
from keras import ops

# Few lengths, so that it compiles seldom.
MULTIPLE = 8


def can_compile():
    """Whether XLA is at hand: on TensorFlow, outside `tf.distribute`."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.distribute.has_strategy()


def round_up(tensor, axis):
    """Pads an axis with zeros to the next multiple of 8 (TensorFlow)."""
    pads, shape = [[0, 0]] * len(tensor.shape), list(tensor.shape)
    pads[axis], shape[axis] = [0, -ops.shape(tensor)[axis] % MULTIPLE], None
    padded = ops.pad(tensor, pads)
    padded.set_shape(shape)  # TensorFlow forgets every axis
    return padded
