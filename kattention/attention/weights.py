"""From scores to weights, and from weights to a context, without padding."""

from keras import ops

from kattention.precision import as_precise


def masked_softmax(scores, mask=None):
    """The softmax over the valid positions, in float32 at least.

    Args:
        scores: Floats `(B, S)` or `(B, T, S)`.
        mask: Booleans `(B, S)`, `None` for all.

    Returns:
        Weights of the scores' shape: 0 where masked, all 0 in a row without
        a valid position.
    """
    scores = as_precise(scores)
    if mask is None:
        return ops.softmax(scores, axis=-1)
    if len(scores.shape) == 3:
        mask = ops.expand_dims(mask, 1)
    # A finite floor: the softmax of a fully masked row must stay finite before
    # it is zeroed, or its gradient is nan.
    weights = ops.softmax(ops.where(mask, scores, -1e30), axis=-1)
    return weights * ops.cast(mask, weights.dtype)


def valid_only(tensor, mask):
    """The tensor `(..., D)` with zeros where the mask `(...)` is false."""
    valid = ops.expand_dims(ops.cast(mask, "bool"), -1)
    # Not a product: padding may hold anything, and 0 * nan is nan.
    return ops.where(valid, tensor, ops.zeros_like(tensor))


def weighted_sum(weights, value):
    """Sums values `(B, S, D)` with weights `(B, S)` or `(B, T, S)`."""
    if len(weights.shape) == 3:
        return ops.matmul(weights, value)
    return ops.squeeze(ops.matmul(ops.expand_dims(weights, 1), value), 1)
