"""The way through `AttentionRNN` that training takes on TensorFlow.

Equal to the plain way, which is its specification. What does not depend on
the step before is one large product over all steps, and so are the gradients
of the weights; the rest is the compiled loop in `loop.py`.
"""

import keras
from keras import ops

from kattention.attention import BahdanauAttention
from kattention.decoder.cell import AttentionDecoder
from kattention.recurrent import gates
from kattention.recurrent.steps import by_step, cut, precise, projected
from kattention.xla import round_up


def reason_against(cell, compute_dtype):
    """Says in a few words why this cell or place cannot be fast, or nothing.

    Args:
        cell: The cell of an `AttentionRNN`.
        compute_dtype: That of the `AttentionRNN`, in which it reads weights.
    """
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
    for part in (cell, cell.attention, *cell.cells):
        if part.compute_dtype != compute_dtype:
            return (
                f"the {type(part).__name__} computes in {part.compute_dtype}, "
                f"not in {compute_dtype}"
            )
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
    operands = loop.Operands(
        **_recurrence(cell, inputs),
        **_memory(cell, memory),
        states=[precise(state) for state in states],
        valid=None if inputs_mask is None else by_step(inputs_mask, inputs),
        noise=None if noise is None else round_up(by_step(noise, inputs), axis=2),
    )
    cells = tuple(gates.gates_of(one) for one in cell.cells)
    stacks, contexts, weights = loop.decode(cells, operands, length)
    final = [stack[length - 1] for stack in stacks]
    outputs = ops.concatenate([cut(stacks[0], length), cut(contexts, length)], -1)
    outputs = ops.transpose(outputs, (1, 0, 2))
    alignments = ops.transpose(cut(weights, length, source), (1, 0, 2))
    if inputs_mask is not None:
        outputs = _repeat_last(outputs, inputs_mask)
        valid = ops.expand_dims(inputs_mask, -1)
        alignments = ops.where(valid, alignments, ops.zeros_like(alignments))
    results = (outputs, final, alignments)
    return keras.tree.map_structure(lambda t: ops.cast(t, cell.compute_dtype), results)


def _recurrence(cell, inputs):
    """The cells' weights, and their inputs `(T, B, G)` for all steps at once."""
    depth, two = inputs.shape[-1], cell.attend == "between"
    kernel, bias, recurrent, recurrent_bias = gates.linear_maps(cell.cells[0])
    dropout = _input_dropout(cell.cells[0], inputs)
    if dropout is not None:
        inputs = inputs * ops.expand_dims(dropout[:, :depth], 1)
    if not two:
        # Not slices, each of whose gradients is as large as the kernel.
        kernel, context_kernel = ops.split(kernel, [depth], axis=0)
    found = {
        "inputs": projected(inputs, kernel),
        "input_bias": bias,
        "first_kernel": recurrent if two else None,
        "first_bias": recurrent_bias if two else None,
    }
    context_bias = None
    if two:
        context_kernel, context_bias, recurrent, recurrent_bias = gates.linear_maps(
            cell.cells[1]
        )
        dropout = _input_dropout(cell.cells[1], inputs)
        depth = 0
    attention = cell.attention
    query_kernel = precise(attention.query_kernel)
    query_bias = ops.zeros_like(query_kernel[0])
    if attention.use_bias:
        query_bias = precise(attention.bias)
    return {
        **found,
        "looking_kernel": ops.concatenate([query_kernel, recurrent], axis=-1),
        "looking_bias": ops.concatenate([query_bias, recurrent_bias], axis=-1),
        "context_kernel": context_kernel,
        "context_bias": context_bias,
        "context_noise": None if dropout is None else precise(dropout[:, depth:]),
    }


def _memory(cell, memory):
    """The memory, padded with masked positions."""
    key, mask = precise(memory["key"]), memory.get("mask")
    mask = ops.ones_like(key[..., 0]) if mask is None else ops.cast(mask, key.dtype)
    return {
        "key": round_up(key, axis=1),
        "value": round_up(precise(memory["value"]), axis=1),
        "mask": round_up(mask, axis=1),
        "score_vector": precise(cell.attention.scoring_vector()),
    }


def _input_dropout(cell, inputs):
    """The mask `(B, depth)` that the cell keeps for this sequence, if any."""
    return cell.get_dropout_mask(inputs) if cell.dropout else None


def _repeat_last(outputs, mask):
    """Puts the last valid step's output, or zeros, at each masked step."""
    steps = ops.arange(1, ops.shape(outputs)[1] + 1)
    valid = ops.expand_dims(ops.where(mask, steps, 0), 1)  # (B, 1, T)
    earlier = ops.expand_dims(steps, -1) >= steps  # (T, T)
    # The number of the last valid step so far, 0 for none: (B, T).
    last = ops.max(ops.where(earlier, valid, 0), axis=-1)
    padded = ops.pad(outputs, [[0, 0], [1, 0], [0, 0]])
    return ops.take_along_axis(padded, ops.expand_dims(last, -1), axis=1)
