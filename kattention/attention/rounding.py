"""Lengths that XLA compiles for: few, so that it compiles seldom."""

from keras import ops

MULTIPLE = 8


def round_up(tensor, axis):
    """Pads an axis with zeros to the next multiple of 8 (TensorFlow)."""
    pads, shape = [[0, 0]] * len(tensor.shape), list(tensor.shape)
    pads[axis], shape[axis] = [0, -ops.shape(tensor)[axis] % MULTIPLE], None
    padded = ops.pad(tensor, pads)
    padded.set_shape(shape)  # TensorFlow forgets every axis
    return padded
