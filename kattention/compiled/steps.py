"""Between sequences `(B, T, ...)` and the steps of a compiled loop, `(T, B, ...)`."""

from keras import ops

from kattention.compiled.xla import round_up
from kattention.precision import as_precise


def by_step(tensor, like):
    """`(B, T)` or `(B, T, S)` to `(T, B, 1 or S)`, padded with steps."""
    tensor = as_precise(ops.cast(tensor, like.dtype))
    if len(tensor.shape) == 2:
        tensor = ops.expand_dims(tensor, -1)
    return round_up(ops.transpose(tensor, (1, 0, 2)), axis=0)


def project_by_step(inputs, kernel):
    """Inputs `(B, T, D)` times a kernel, as `(T, B, G)`, padded with steps."""
    # Transposed and padded while they are small.
    inputs = round_up(ops.transpose(inputs, (1, 0, 2)), axis=0)
    return as_precise(ops.matmul(inputs, ops.cast(kernel, inputs.dtype)))


def by_row(stack, length, depth=None):
    """`(T, B, D)` without its padding, as `(B, T, D)`."""
    _, batch, whole = ops.shape(stack)
    # Not `stack[:length]`, the gradient of which is several times as slow.
    shape = (length, batch, whole if depth is None else depth)
    return ops.transpose(ops.slice(stack, (0, 0, 0), shape), (1, 0, 2))
