"""Which tokens count, for losses and metrics."""

from keras import ops

from kattention.packing import PADDING, pack


def token_weights(y_true, sample_weight, dtype):
    """Weights `(B, T)`: 0 for padding, else the sample's or 1."""
    return weigh(ops.cast(ops.not_equal(y_true, PADDING), dtype), sample_weight)


def weigh(weights, sample_weight):
    """Weights `(B, T)`, times those of sequences `(B,)` or of tokens, if any."""
    if sample_weight is None:
        return weights
    sample_weight = ops.cast(sample_weight, weights.dtype)
    if len(sample_weight.shape) == 1:
        sample_weight = ops.expand_dims(sample_weight, -1)
    return weights * sample_weight


def pack_like(y_pred, y_true, weights):
    """Packs ids and weights if the logits are packed."""
    if len(y_pred.shape) == 3:
        return y_true, weights
    return pack(y_true, y_true), pack(weights, y_true)
