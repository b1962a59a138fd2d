"""`AttentionDecoder` in the compiled loop (TensorFlow).

Equal to the plain loop, which is its specification. What does not depend on
the step before is one large product over all steps.
"""

from weakref import WeakKeyDictionary

import keras
import tensorflow as tf
from keras import ops

from kattention.attention.weights import valid_only
from kattention.compiled.gates import gates_of, linear_maps
from kattention.compiled.loop import Fixed, Loop, Operands
from kattention.compiled.steps import by_row, by_step, project_by_step
from kattention.compiled.xla import round_up
from kattention.precision import as_precise

# The loop of each decoder, with what was compiled for it.
_loops: WeakKeyDictionary = WeakKeyDictionary()


def run(cell, inputs, memory, states, inputs_mask, noise):
    """Runs a sequence in training: arguments and results are `plain.run`'s."""
    if cell not in _loops:
        _loops[cell] = Loop(_Step(cell))
    loop, length = _loops[cell], ops.shape(inputs)[1]
    own = len(cell.state_size)
    padded, mask = _pad(memory)
    with_mask = {**padded, "mask": mask}
    operands = Operands(
        states=[
            *map(as_precise, states[:own]),
            *_pad_states(cell.attention, states[own:], with_mask),
        ],
        **_linear_maps(cell, inputs),
        value=[padded["value"]],
        constants={
            "memory": padded,
            "variables": [as_precise(v) for v in _float_variables(cell.attention)],
        },
    )
    fixed = Fixed(
        valid=() if inputs_mask is None else by_step(inputs_mask, inputs) > 0,
        by_step={
            name: round_up(by_step(part, inputs), axis=2)
            for name, part in noise.items()
        },
        constants={"mask": mask, "dropout": _dropout_masks(cell, inputs)},
    )
    final, (*outputs, weights) = loop(operands, fixed, length)
    final = [_unpad(*pair) for pair in zip(final, states, strict=True)]
    outputs = ops.concatenate([by_row(part, length) for part in outputs], axis=-1)
    outputs = tf.ensure_shape(outputs, [None, None, cell.output_size])
    alignments = by_row(weights, length, ops.shape(memory["value"])[1])
    if inputs_mask is not None:
        outputs = _repeat_last(outputs, inputs_mask)
        alignments = valid_only(alignments, inputs_mask)
    return outputs, final, alignments


class _Step:
    """One step of a decoder, as `Loop` runs it.

    It must not refer to the `AttentionDecoder`, the weak key of `_loops`: that
    would keep the decoder alive for ever.
    """

    def __init__(self, cell):
        self.order = cell.order
        self.attention = cell.attention
        self.own_states = len(cell.state_size)
        self.gates = [gates_of(one) for one in cell.cells]
        layer = cell.attention_layer
        self.activation = None if layer is None else layer.activation
        self.variables = _float_variables(cell.attention)

    def __call__(self, tools, states):
        own, state = states[: self.own_states], states[self.own_states :]
        parts = _Parts(self, tools, tuple(state))
        # The inputs are projected already: the first cell adds them as an offset.
        outputs, own = self.order.step(parts, None, list(own))
        return [*own, *parts.state], [*outputs, parts.weights]


class _Parts:
    """What an order puts a step together from: see `kattention.decoder.orders`."""

    def __init__(self, step, tools, state):
        self.step, self.tools, self.state = step, tools, state
        self.weights = None

    def attend(self, query):
        step, tools = self.step, self.tools
        if "query" in tools.operands.biases:
            query = tools.affine("query", [query])
            [query] = tools.keep(lambda query: [query], lambda d: d, query)
        cast = step.attention.cast  # the mechanism computes in its own precision
        memory = {name: cast(part) for name, part in tools.constants["memory"].items()}
        memory |= {"mask": tools.fixed["mask"], "noise": tools.by_step}
        mapping = zip(step.variables, tools.constants["variables"], strict=True)
        with keras.StatelessScope(state_mapping=mapping):
            self.weights, self.state = step.attention.step(
                cast(query), memory, self.state
            )
        kept = self.weights
        if "dropout" in tools.by_step:
            kept = kept * tools.by_step["dropout"]
        return tools.read(kept)

    def run(self, number, inputs, states):
        gates, tools = self.step.gates[number], self.tools
        inputs = inputs[number == 0 :]  # the step's own is in the offset
        masks = tools.fixed["dropout"][number]
        if masks:
            inputs = [x * mask for x, mask in zip(inputs, masks, strict=True)]
        x = tools.affine(f"input {number}", inputs)
        r = tools.affine(f"state {number}", [states[0]])
        z = tools.keep(gates.preactivations, gates.gradients, x, r)
        states = gates(z, states)
        return states[0], states

    def combine(self, parts):
        vector = self.tools.affine("attention_layer", parts)
        [vector] = self.tools.keep(lambda vector: [vector], lambda d: d, vector)
        return self.step.activation(vector)


def _linear_maps(cell, inputs):
    """The projected inputs, and the kernels and biases of all maps in the loop."""
    depth, kernels, biases = inputs.shape[-1], {}, {}
    for number, one in enumerate(cell.cells):
        kernel, bias, recurrent, recurrent_bias = linear_maps(one)
        kernels[f"input {number}"], biases[f"input {number}"] = [kernel], bias
        kernels[f"state {number}"] = [recurrent]
        biases[f"state {number}"] = recurrent_bias
    first = cell.cells[0]
    if 0 < first.dropout < 1:
        mask = first.get_dropout_mask(inputs)[:, :depth]
        inputs = inputs * ops.expand_dims(mask, 1)
    # Not slices, each of whose gradients is as large as the kernel.
    kernel, rest = ops.split(kernels["input 0"][0], [depth], axis=0)
    kernels["input 0"] = [rest] if rest.shape[0] else []
    same = ops.eye(cell.order.query_size, dtype=cell.compute_dtype)
    query_kernel = cell.attention.project_query(same)
    if query_kernel is not same:
        kernels["query"] = [as_precise(query_kernel)]
        biases["query"] = ops.zeros_like(kernels["query"][0][0])
    if cell.attention_layer is not None:
        kernel_of_vector, bias = _dense(cell.attention_layer)
        sizes = [cell.order.output_size]
        kernels["attention_layer"] = ops.split(kernel_of_vector, sizes, axis=0)
        biases["attention_layer"] = bias
    offset = project_by_step(inputs, kernel)
    return {"offset": offset, "kernels": kernels, "biases": biases}


def _dense(layer):
    kernel = as_precise(layer.kernel)
    return kernel, as_precise(layer.bias) if layer.use_bias else 0 * kernel[0]


def _dropout_masks(cell, inputs):
    """For each cell the masks of its inputs in the loop, which it keeps itself."""
    masks = [
        [as_precise(one.get_dropout_mask(inputs))] if 0 < one.dropout < 1 else []
        for one in cell.cells
    ]
    rest = [mask[:, inputs.shape[-1] :] for mask in masks[0]]
    return [[mask for mask in rest if mask.shape[-1]], *masks[1:]]


def _pad(memory):
    """The memory and its mask, the source padded with masked positions."""
    padded = {
        name: round_up(as_precise(part), axis=1)
        for name, part in memory.items()
        if name != "mask"
    }
    mask = memory.get("mask", ops.ones_like(memory["value"][..., 0]))
    return padded, round_up(ops.cast(mask, "float32"), axis=1) > 0


def _pad_states(attention, states, memory):
    """The mechanism's states, as long as the padded memory makes them."""
    padded = []
    for state, like in zip(states, attention.open_state(memory), strict=True):
        missing = tf.shape(like) - tf.shape(state)
        state = tf.pad(as_precise(state), tf.stack([0 * missing, missing], axis=1))
        state.set_shape(like.shape)
        padded.append(state)
    return padded


def _unpad(state, initial):
    """A final state in the shape of the initial one."""
    shape = tf.shape(initial)
    return tf.ensure_shape(tf.slice(state, 0 * shape, shape), initial.shape)


def _float_variables(layer):
    return [v for v in layer.variables if "float" in v.dtype]


def _repeat_last(outputs, mask):
    """Puts the last valid step's output, or zeros, at each masked step."""
    steps = ops.arange(1, ops.shape(outputs)[1] + 1)
    valid = ops.expand_dims(ops.where(mask, steps, 0), 1)  # (B, 1, T)
    earlier = ops.expand_dims(steps, -1) >= steps  # (T, T)
    # The number of the last valid step so far, 0 for none: (B, T).
    last = ops.max(ops.where(earlier, valid, 0), axis=-1)
    padded = ops.pad(outputs, [[0, 0], [1, 0], [0, 0]])
    return ops.take_along_axis(padded, ops.expand_dims(last, -1), axis=1)
