"""The mask that Keras hangs on a tensor, for methods that are not a layer's call."""


def mask_of(tensor):
    """Returns the mask `(B, S)` that a layer gave the tensor, or `None`."""
    # Keras has no public name for it.
    return getattr(tensor, "_keras_mask", None)
