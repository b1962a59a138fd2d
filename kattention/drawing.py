"""Drawing a token, in a search and in training."""

from keras import ops


def draw(logits, uniform):
    """Draws a column of each row by inverting the cumulative distribution.

    Args:
        logits: Floats `(N, V)`; `-inf`, or very low, for what is not drawn.
        uniform: Numbers in [0, 1), `(N,)`.

    Returns:
        Columns `(N,)`, int32.
    """
    reached = ops.cumsum(ops.softmax(logits, axis=-1), axis=-1)
    # The last sum may be just below 1.
    aim = ops.expand_dims(uniform, -1) * reached[:, -1:]
    return ops.sum(ops.cast(reached <= aim, "int32"), axis=-1)
