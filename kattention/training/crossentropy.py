"""Cross-entropy over a large vocabulary in few passes.

Logits are the largest tensor of a training step, and autodiff reads or writes a
tensor of their size about ten times. The gradient is written by hand here: it
needs the softmax, two products and one number for each row.
"""

from keras import ops


def check_smoothing(label_smoothing):
    """Refuses what is not a share of probability."""
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must be in [0, 1), got {label_smoothing!r}")


def smoothed_crossentropy(ids, logits, smoothing):
    """`(1 - e) * -log p(y) + e * mean over v of -log p(v)`, with a gradient.

    Second derivatives are not supported.

    Args:
        ids: `y`, integers `(N,)`, N at least 1.
        logits: Floats `(N, V)`.
        smoothing: `e`, a number.

    Returns:
        Losses `(N,)`.
    """
    ids = ops.expand_dims(ids, -1)
    size = logits.shape[-1]

    @ops.custom_gradient
    def losses(logits):
        # An eager tape of TensorFlow would keep what happens inside.
        logits = ops.stop_gradient(logits)
        probabilities = ops.softmax(logits, axis=-1)
        top = ops.max(logits, axis=-1)
        own = ops.squeeze(ops.take_along_axis(logits, ids, axis=-1), -1)
        # Relative to the largest logit, so that large logits keep their precision.
        # The largest probability is at least 1 / V, so its logarithm is finite.
        loss = (1 - smoothing) * (top - own) - ops.log(ops.max(probabilities, axis=-1))
        if smoothing:
            loss = loss + smoothing * (top - ops.mean(logits, axis=-1))

        def gradient(*upstreams, upstream=None):
            # The torch backend passes it by name.
            scale = ops.expand_dims(
                upstreams[0] if upstream is None else upstream, axis=-1
            )
            rest = probabilities - smoothing / size if smoothing else probabilities
            rest = rest * scale
            own = ops.take_along_axis(rest, ids, axis=-1) - (1 - smoothing) * scale
            rows = ops.expand_dims(ops.arange(ops.shape(ids)[0], dtype=ids.dtype), -1)
            places = ops.concatenate([rows, ids], axis=-1)
            return ops.scatter_update(rest, places, ops.squeeze(own, -1))

        return loss, gradient

    return losses(logits)
