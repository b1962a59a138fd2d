"""The way through `AttentionRNN` that training takes on TensorFlow.

Equal to the plain way, which is its specification. What does not depend on
the step before is one large product over all steps, and so are the gradients
of the weights; the rest is the compiled loop in `loop.py`.
"""

import keras
from keras import ops

from kattention.attention import BahdanauAttention
from kattention.decoder import gates
from kattention.decoder.cell import AttentionDecoder

# Each pair of lengths is compiled once: lengths are rounded up to this.
MULTIPLE = 8


def reason_against(cell):
    """Says in a few words why this cell or place cannot be fast, or nothing."""
    if keras.backend.backend() != "tensorflow":
        return f"the backend is {keras.backend.backend()}, not tensorflow"
    import tensorflow as tf

    if tf.distribute.has_strategy():
        return "it runs under a tf.distribute strategy"
    if type(cell) is not AttentionDecoder:
        return f"the cell is a {type(cell).__name__}, not an AttentionDecoder"
    if type(cell.attention) is not BahdanauAttention:
        kind = type(cell.attention).__name__
        return f"the attention is a {kind}, not a BahdanauAttention"
    if cell.attend == "after":
        return "attend='after' has no fast path"
    if len(cell.cells) != (2 if cell.attend == "between" else 1):
        return f"there are {len(cell.cells)} cells, with attend={cell.attend!r}"
    reasons = [gates.reason_against(one) for one in cell.cells]
    return next((reason for reason in reasons if reason), None)


def run(cell, inputs, memory, states, inputs_mask, noise=None, training=True):
    """Runs a sequence.

    Args:
        cell: An `AttentionDecoder` with its dropout masks drawn.
        inputs: Floats `(B, T, Din)`.
        memory: What `cell.prepare` returned.
        states: The flat list of initial states.
        inputs_mask: Booleans `(B, T)`, or `None`.
        noise: Dropout on the weights, `(B, T, S)`, or `None`.
        training: Always true: evaluation goes the plain way.

    Returns:
        `(outputs (B, T, H + D), final states, alignments (B, T, S))`.
    """
    from kattention.decoder import loop

    length, source = ops.shape(inputs)[1], ops.shape(memory["key"])[1]
    operands = _operands(loop.Operands, cell, inputs, memory, states)
    operands = operands._replace(
        valid=_by_step(inputs_mask, operands.inputs.dtype),
        noise=_by_step(noise, operands.inputs.dtype),
    )
    operands = _round_lengths(operands, length, source)
    cells = tuple(gates.gates_of(one) for one in cell.cells)
    stacks, contexts, weights = loop.decode(cells, operands)
    final = [stack[length - 1] for stack in stacks]
    outputs = ops.concatenate([stacks[0], contexts], axis=-1)[:length]
    outputs = ops.transpose(outputs, (1, 0, 2))
    alignments = ops.transpose(weights[:length, :, :source], (1, 0, 2))
    if inputs_mask is not None:
        outputs = _repeat_last(outputs, inputs_mask)
        valid = ops.expand_dims(inputs_mask, -1)
        alignments = ops.where(valid, alignments, ops.zeros_like(alignments))
    dtype = cell.compute_dtype
    return (
        ops.cast(outputs, dtype),
        [ops.cast(state, dtype) for state in final],
        ops.cast(alignments, dtype),
    )


def _operands(kind, cell, inputs, memory, states):
    """Projects the inputs of all steps; puts kernels side by side."""
    # XLA on a CPU is slow below float32, and a loop adds up errors.
    dtype = keras.backend.result_type(cell.compute_dtype, "float32")
    attention, depth = cell.attention, inputs.shape[-1]
    kernel, bias, recurrent, recurrent_bias = gates.linear_maps(cell.cells[0], dtype)
    dropout = _input_dropout(cell.cells[0], inputs, kernel.shape[0])
    if dropout is not None:
        inputs = inputs * ops.expand_dims(dropout[:, :depth], 1)
    projected = ops.matmul(inputs, ops.cast(kernel[:depth], inputs.dtype))
    projected = ops.transpose(ops.cast(projected, dtype), (1, 0, 2)) + bias
    found = {"inputs": projected, "valid": None, "noise": None}
    if cell.attend == "before":
        found["context_kernel"] = kernel[depth:]
        dropout = None if dropout is None else dropout[:, depth:]
        found |= {"context_bias": None, "first_kernel": None, "first_bias": None}
    else:
        found |= {"first_kernel": recurrent, "first_bias": recurrent_bias}
        kernel, bias, recurrent, recurrent_bias = gates.linear_maps(
            cell.cells[1], dtype
        )
        found |= {"context_kernel": kernel, "context_bias": bias}
        dropout = _input_dropout(cell.cells[1], inputs, kernel.shape[0])
    query_bias = ops.zeros((attention.units,), dtype)
    if attention.use_bias:
        query_bias = ops.cast(attention.bias, dtype)
    query_kernel = ops.cast(attention.query_kernel, dtype)
    key = ops.cast(memory["key"], dtype)
    mask = memory.get("mask")
    return kind(
        states=[ops.cast(state, dtype) for state in states],
        key=key,
        value=ops.cast(memory["value"], dtype),
        score_vector=ops.cast(attention.scoring_vector(), dtype),
        looking_kernel=ops.concatenate([query_kernel, recurrent], axis=-1),
        looking_bias=ops.concatenate([query_bias, recurrent_bias], axis=-1),
        mask=ops.ones_like(key[..., 0]) if mask is None else ops.cast(mask, dtype),
        context_noise=None if dropout is None else ops.cast(dropout, dtype),
        **found,
    )


def _input_dropout(cell, inputs, depth):
    """The mask `(B, depth)` that the cell keeps for this sequence."""
    like = ops.ones((ops.shape(inputs)[0], depth), dtype=cell.compute_dtype)
    return cell.get_dropout_mask(like)


def _by_step(tensor, dtype):
    """`(B, T)` or `(B, T, S)` to `(T, B, 1 or S)`."""
    if tensor is None:
        return None
    if len(tensor.shape) == 2:
        tensor = ops.expand_dims(tensor, -1)
    return ops.transpose(ops.cast(tensor, dtype), (1, 0, 2))


def _round_lengths(o, length, source):
    """Pads with steps that are cut off again and with masked positions."""
    steps, positions = -length % MULTIPLE, -source % MULTIPLE
    by_step, by_position = [[0, steps], [0, 0], [0, 0]], [[0, 0], [0, positions]]
    noise = o.noise
    if noise is not None:
        noise = ops.pad(noise, [[0, steps], [0, 0], [0, positions]])
    return o._replace(
        inputs=ops.pad(o.inputs, by_step),
        valid=None if o.valid is None else ops.pad(o.valid, by_step),
        key=ops.pad(o.key, [*by_position, [0, 0]]),
        value=ops.pad(o.value, [*by_position, [0, 0]]),
        mask=ops.pad(o.mask, by_position),
        noise=noise,
    )


def _repeat_last(outputs, mask):
    """Puts the last valid step's output, or zeros, at each masked step."""
    steps = ops.arange(1, ops.shape(outputs)[1] + 1)
    valid = ops.expand_dims(ops.where(mask, steps, 0), 1)  # (B, 1, T)
    earlier = ops.expand_dims(steps, -1) >= steps  # (T, T)
    # The number of the last valid step so far, 0 for none: (B, T).
    last = ops.max(ops.where(earlier, valid, 0), axis=-1)
    padded = ops.pad(outputs, [[0, 0], [1, 0], [0, 0]])
    return ops.take_along_axis(padded, ops.expand_dims(last, -1), axis=1)
