"""Between a sequence `(B, T, ...)` and the steps of a compiled loop, `(T, B, ...)`."""

import keras
from keras import ops

from kattention.xla import round_up


def precise(tensor):
    """XLA on a CPU is slow below float32, and a loop adds up errors."""
    tensor = ops.convert_to_tensor(tensor)
    return ops.cast(
        tensor,
        keras.backend.result_type(
            keras.backend.standardize_dtype(tensor.dtype), "float32"
        ),
    )


def by_step(tensor, like):
    """`(B, T)` or `(B, T, S)` to `(T, B, 1 or S)`, padded with steps."""
    tensor = precise(ops.cast(tensor, like.dtype))
    if len(tensor.shape) == 2:
        tensor = ops.expand_dims(tensor, -1)
    return round_up(ops.transpose(tensor, (1, 0, 2)), axis=0)


def projected(inputs, kernel):
    """The inputs `(B, T, D)` of all steps at once, `(T, B, G)`, padded with steps."""
    # Turned round and padded while they are small.
    inputs = round_up(ops.transpose(inputs, (1, 0, 2)), axis=0)
    return precise(ops.matmul(inputs, ops.cast(kernel, inputs.dtype)))


def cut(stack, length, depth=None):
    """`(T, B, D)` without its padding."""
    _, batch, whole = ops.shape(stack)
    # Not `stack[:length]`, the gradient of which is several times as slow.
    return ops.slice(
        stack, (0, 0, 0), (length, batch, whole if depth is None else depth)
    )
