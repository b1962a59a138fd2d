"""Decides whether a loop is compiled, and says why not."""

import keras

from kattention.compiled.gates import reason_against_cell
from kattention.compiled.xla import reason_against_xla


def check_fast(fast):
    """Refuses what is not one of the three policies."""
    if fast != "auto" and not isinstance(fast, bool):
        raise ValueError(f"fast must be 'auto', True or False, got {fast!r}")


def is_fast(layer, cells, others=(), reason=None):
    """Decides for a layer with the policy `layer.fast`.

    `"auto"` compiles where that is possible, `False` never does, and `True`
    raises where it is not possible.

    Args:
        layer: An RNN layer.
        cells: Its Keras cells.
        others: What else it computes with, layers.
        reason: Why it is not possible, if that is known already.

    Raises:
        ValueError: `layer.fast` is `True` and it is not possible.
    """
    if layer.fast is False:
        return False
    reason = reason or _reason_against(layer, cells, others)
    if reason and layer.fast is True:
        raise ValueError(
            f"{layer.name} cannot run with fast=True: {reason}. Use fast='auto'"
        )
    return not reason


def reason_against_dense(layer):
    """Says in a few words why a layer is not a plain `Dense`, or nothing."""
    if type(layer) is not keras.layers.Dense:
        return f"the attention_layer is a {type(layer).__name__}, not a Dense"
    return None


def _reason_against(layer, cells, others):
    """Says in a few words why a layer cannot be compiled here, or nothing."""
    reason = reason_against_xla()
    if reason:
        return reason
    for part in (*cells, *others):
        # Weights are read in the precision of the layer.
        dtype = getattr(part, "compute_dtype", None)
        if dtype not in (None, layer.compute_dtype):
            return (
                f"the {type(part).__name__} computes in {dtype}, "
                f"not in {layer.compute_dtype}"
            )
    reasons = map(reason_against_cell, cells)
    return next((reason for reason in reasons if reason), None)
