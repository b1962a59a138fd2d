"""The decoder's loop with a gradient of its own, compiled (TensorFlow).

Autodiff through a loop keeps `tanh(query + key)` of every step, `(T, B, S, U)`,
and adds up every weight's gradient step by step. This loop keeps only what is
`(T, B, something)`, computes the tanh again on the way back, and leaves the
gradients of weights and values to a few large products after it.

One cell: `look` with its state, then run it on the input and the context. Two
cells (`attend="between"`): run the first on the input, look with its state,
run the second on the context. `h` is the state that looks; with it are
multiplied the query's kernel and the recurrent kernel of the cell that
follows, side by side.
"""

from typing import NamedTuple

import tensorflow as tf

from kattention.recurrent.compiling import (
    joined,
    loop,
    moved,
    one_before,
    outer,
    over_all,
    through,
    with_shapes,
)
from kattention.recurrent.gates import PARTS


class Operands(NamedTuple):
    """Everything the loop reads. G is the width of a cell's gates."""

    inputs: tf.Tensor  # (T, B, G), of the first cell, projected
    input_bias: tf.Tensor  # (G,)
    states: list  # (B, H) each
    key: tf.Tensor  # (B, S, U)
    value: tf.Tensor  # (B, S, D)
    score_vector: tf.Tensor  # (U,)
    looking_kernel: tf.Tensor  # (H, U + G)
    looking_bias: tf.Tensor  # (U + G,)
    context_kernel: tf.Tensor  # (D, G)
    context_bias: tf.Tensor | None  # (G,), with two cells
    first_kernel: tf.Tensor | None  # (H, G), recurrent, with two cells
    first_bias: tf.Tensor | None  # (G,)
    mask: tf.Tensor  # (B, S), 1 where valid
    valid: tf.Tensor | None  # (T, B, 1), 1 where the state moves on
    noise: tf.Tensor | None  # (T, B, S), dropout on the weights
    context_noise: tf.Tensor | None  # (B, D), dropout on the cell's input


def decode(cells, operands, steps):
    """Runs a number of steps.

    Args:
        cells: The `Gates` of one cell or of two.
        operands: `Operands`.
        steps: An integer tensor. What follows in `T` is padding, and 0 in
            what is returned: that so many steps are run is not compiled.

    Returns:
        `(states, contexts, weights)`: a list of `(T, B, H)`, `(T, B, D)` and
        `(T, B, S)`. All have gradients.
    """
    steps = tf.convert_to_tensor(steps)  # a number would be compiled in
    given = [tensor for tensor in tf.nest.flatten(operands) if tensor is not None]

    @tf.custom_gradient
    def run(*tensors):
        # Or an eager tape would look into the compiled functions.
        whole = _fill(operands, [tf.stop_gradient(tensor) for tensor in tensors])
        saved = _forward(cells, whole, steps)
        states, rest = saved[: len(whole.states)], saved[len(whole.states) :]
        contexts, weights = rest[0], rest[1]

        def gradient(*gradients):
            return _gradients(cells, whole, steps, saved, gradients)

        return (*states, contexts, weights), gradient

    *states, contexts, weights = run(*given)
    states = with_shapes(states, operands.states)
    contexts = tf.ensure_shape(contexts, [None, None, operands.value.shape[-1]])
    return states, contexts, weights


def _fill(operands, tensors):
    """The operands with `tensors` in place of those that are there."""
    tensors = iter(tensors)
    return tf.nest.map_structure(
        lambda old: None if old is None else next(tensors), operands
    )


@tf.function(jit_compile=True, autograph=False)
def _forward(cells, o, steps):
    """Stacks the new states, then contexts, weights, the query, `z` and, with
    two cells, the first one's `z` and `h`."""
    two = len(cells) == 2

    def step(t, states):
        middle, x, first = states, o.inputs[t] + o.input_bias, []
        if two:
            z = cells[0].met(x, states[0] @ o.first_kernel + o.first_bias)
            middle = cells[0](z, states)
            x, first = o.context_bias, [*z, middle[0]]
        looking = middle[0] @ o.looking_kernel + o.looking_bias
        units = o.key.shape[-1]
        query, r = looking[:, :units], looking[:, units:]
        score = _times(tf.tanh(query[:, None] + o.key), o.score_vector)
        weights = tf.nn.softmax(tf.where(o.mask > 0, score, -1e30)) * o.mask
        kept = weights if o.noise is None else weights * o.noise[t]
        context = _weighted(kept, o.value)
        z = cells[-1].met(x + _dropped(context, o) @ o.context_kernel, r)
        new = cells[-1](z, middle)
        if o.valid is not None:
            new = moved(o.valid[t], new, states)
        return new, [*new, context, weights, query, *z, *first]

    count = len(o.states) + 3 + PARTS + (PARTS + 1) * two
    length = tf.shape(o.inputs)[0]
    _, stacks = loop(step, list(o.states), steps, length, count)
    return stacks


@tf.function(jit_compile=True, autograph=False)
def _backward(cells, o, turned, steps, before, saved, gradients):
    """Goes back through the steps, with the kernels `turned` for it.

    Returns the carry (gradients of the initial states, the key and the
    score vector) and stacks of the gradients of the query, the context, `z`
    and, with two cells, the first one's `z`."""
    two, count = len(cells) == 2, len(o.states)
    looking_kernel, context_kernel, first_kernel = turned
    weights_of, query_of, *rest = saved
    z_of, first_of = rest[:PARTS], rest[PARTS : 2 * PARTS]

    def step(t, carry):
        d_states, d_key, d_vector = carry
        d_states = [d + g[t] for d, g in zip(d_states, gradients[:count], strict=True)]
        held = [0.0] * count
        if o.valid is not None:
            held = [(1 - o.valid[t]) * d for d in d_states]
            d_states = [o.valid[t] * d for d in d_states]
        states = [stack[t] for stack in before]
        z, first_z = ([part[t] for part in parts] for parts in (z_of, first_of))
        middle = cells[0](first_z, states) if two else states
        dz, d_middle = through(cells[-1], z, middle, d_states)
        dx, dr = cells[-1].apart(dz)
        d_context = gradients[count][t] + _dropped(joined(dx) @ context_kernel, o)
        d_weights = tf.linalg.matvec(o.value, d_context)
        if o.noise is not None:
            d_weights = d_weights * o.noise[t]
        d_weights = d_weights + gradients[count + 1][t]
        weights = weights_of[t]
        mean = tf.reduce_sum(weights * d_weights, -1, keepdims=True)
        d_score = weights * (d_weights - mean)
        hidden = tf.tanh(query_of[t][:, None] + o.key)
        slope = 1 - hidden * hidden
        d_query = _weighted(d_score, slope) * o.score_vector
        d_middle[0] += tf.concat([d_query, joined(dr)], -1) @ looking_kernel
        stacks = [d_query, d_context, *dz]
        if two:
            dz, d_middle = through(cells[0], first_z, states, d_middle)
            d_middle[0] += joined(cells[0].apart(dz)[1]) @ first_kernel
            stacks += dz
        d_states = [d + h for d, h in zip(d_middle, held, strict=True)]
        d_key = d_key + d_score[..., None] * slope
        d_vector = d_vector + _weighted(d_score, hidden)
        return [d_states, d_key, d_vector], stacks

    zeros = tf.nest.map_structure(tf.zeros_like, [list(o.states), o.key, o.key[:, 0]])
    length, written = tf.shape(query_of)[0], 2 + PARTS * len(cells)
    carry, stacks = loop(step, zeros, steps, length, written, reverse=True)
    d_states, d_key, d_vector = carry
    d_vector = tf.reduce_sum(d_vector, 0)
    return [d_states, d_key * o.score_vector, d_vector], stacks


def _gradients(cells, o, steps, saved, gradients):
    """Gradients of the operands that are there, in their order."""
    two, count = len(cells) == 2, len(o.states)
    contexts, weights = saved[count : count + 2]
    before = one_before(saved[:count], o.states)
    # Once, not at every step, and out of XLA's sight, which would undo it.
    kernels = o.looking_kernel, o.context_kernel, o.first_kernel
    turned = [None if kernel is None else tf.transpose(kernel) for kernel in kernels]
    # A compiled call holds what it is given: no more than it reads.
    read = o._replace(inputs=None)
    (d_states, d_key, d_vector), (d_query, d_context, *dz) = _backward(
        cells, read, turned, steps, before, saved[count + 1 :], gradients
    )
    kept = weights if o.noise is None else weights * o.noise
    h = saved[-1] if two else before[0]
    dx, dr = cells[-1].apart(dz[:PARTS])
    d_inputs, d_first_r = cells[0].apart(dz[PARTS:]) if two else (dx, None)
    found = {
        "inputs": tf.concat(d_inputs, -1),
        "input_bias": over_all(d_inputs),
        "states": d_states,
        "key": d_key,
        "value": tf.einsum("tbs,tbd->bsd", kept, d_context),
        "score_vector": d_vector,
        "looking_kernel": outer(h, [d_query, *dr]),
        "looking_bias": over_all([d_query, *dr]),
        "context_kernel": outer(_dropped(contexts, o), dx),
    }
    if two:
        found["context_bias"] = over_all(dx)
        found["first_kernel"] = outer(before[0], d_first_r)
        found["first_bias"] = over_all(d_first_r)
    result = []
    for name, operand in zip(o._fields, o, strict=True):
        if operand is not None:
            result += tf.nest.flatten(found.get(name))
    return result


def _dropped(context, o):
    return context if o.context_noise is None else context * o.context_noise


# Sums as products: XLA runs these several times faster than a product of whole
# tensors that is then reduced.
def _weighted(weights, tensor):
    """Sum over S of weights (B, S) times tensor (B, S, D)."""
    return tf.matmul(weights[:, None], tensor)[:, 0]


def _times(tensor, vector):
    """Sum over U of tensor (B, S, U) times vector (U,)."""
    rows = tf.reshape(tensor, [-1, tensor.shape[-1]])
    return tf.reshape(tf.linalg.matvec(rows, vector), tf.shape(tensor)[:-1])
