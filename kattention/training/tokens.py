"""Weights of tokens, for losses and metrics."""

from keras import ops

from kattention import checks
from kattention.ids import PADDING
from kattention.packing import pack


def weigh(weights, sample_weight):
    """Multiplies weights `(B, T)` by sample weights of `(B,)` or `(B, T)`, if any."""
    if sample_weight is None:
        return weights
    sample_weight = ops.cast(sample_weight, weights.dtype)
    if len(sample_weight.shape) == 1:
        sample_weight = ops.expand_dims(sample_weight, -1)
    return weights * sample_weight


def pack_like(y_pred, y_true, sample_weight, dtype):
    """Returns `(ids, weights)`, packed if the logits are.

    The weight of padding is 0, that of a token its sample weight or 1.
    """
    y_true = ops.convert_to_tensor(y_true)
    packed = len(y_pred.shape) == 2
    expected = (None, None) if packed else y_pred.shape[:-1]
    checks.check_shape("y_true", y_true, expected)
    is_token = ops.not_equal(y_true, PADDING)
    weights = weigh(ops.cast(is_token, dtype), sample_weight)
    if not packed:
        return y_true, weights
    return pack(y_true, is_token), pack(weights, is_token)
