"""Graphs that run on a machine without a GPU, wherever they are traced."""

import contextlib


@contextlib.contextmanager
def without_cudnn(model):
    """Lets the layers of a model do without cuDNN.

    Keras chooses cuDNN's operations for a GRU or LSTM when it is traced on a
    machine with a GPU. A server without one could not run them.
    """
    layers = [layer for layer in _sublayers(model) if hasattr(layer, "use_cudnn")]
    before = [layer.use_cudnn for layer in layers]
    for layer in layers:
        layer.use_cudnn = False
    try:
        yield
    finally:
        for layer, use in zip(layers, before, strict=True):
            layer.use_cudnn = use


def _sublayers(layer):
    yield layer
    wrapped = ("forward_layer", "backward_layer", "layer")
    own = [getattr(layer, name) for name in wrapped if hasattr(layer, name)]
    for child in (*getattr(layer, "layers", ()), *own):
        yield from _sublayers(child)
