"""Graphs that run on a machine without a GPU, wherever they are traced."""

from kattention.temporary import temporarily


def without_cudnn(model):
    """A context in which the layers of a model do without cuDNN.

    Keras chooses cuDNN's operations for a GRU or LSTM when it is traced on a
    machine with a GPU. A server without one could not run them.
    """
    layers = [layer for layer in _sublayers(model) if hasattr(layer, "use_cudnn")]
    return temporarily(layers, "use_cudnn", False)


def _sublayers(layer):
    yield layer
    wrapped = ("forward_layer", "backward_layer", "layer")
    own = [getattr(layer, name) for name in wrapped if hasattr(layer, name)]
    for child in (*getattr(layer, "layers", ()), *own):
        yield from _sublayers(child)
