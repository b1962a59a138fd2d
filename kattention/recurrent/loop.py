"""The loop of one cell with a gradient of its own, compiled (TensorFlow)."""

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


def run(gates, inputs, states, kernel, bias, valid, steps):
    """Runs a number of steps.

    Args:
        gates: The `Gates` of a cell.
        inputs: Projected inputs, `(T, B, G)`.
        states: The initial states, a list of `(B, H)`.
        kernel: The recurrent kernel, `(H, G)`.
        bias: The recurrent bias, `(G,)`.
        valid: `(T, B, 1)`, 1 where the state moves on, or `None`.
        steps: An integer tensor. What follows in `T` is padding, and 0 in what
            is returned: that so many steps are run is not compiled.

    Returns:
        The states after each step, a list of `(T, B, H)`. They have gradients.
    """
    steps = tf.convert_to_tensor(steps)  # a number would be compiled in

    @tf.custom_gradient
    def stacks_of(inputs, kernel, bias, *states):
        # Or an eager tape would look into the compiled functions.
        inputs, kernel, bias, *states = map(
            tf.stop_gradient, (inputs, kernel, bias, *states)
        )
        saved = _forward(gates, inputs, states, kernel, bias, valid, steps)
        stacks, z = saved[:-PARTS], saved[-PARTS:]

        def gradient(*gradients):
            before = one_before(stacks, states)
            # Once, not at every step, and out of XLA's sight, which would undo it.
            turned = tf.transpose(kernel)
            d_states, dz = _backward(gates, turned, before, z, valid, steps, gradients)
            dx, dr = gates.apart(dz)
            d_kernel = outer(before[0], dr)
            return (tf.concat(dx, -1), d_kernel, over_all(dr), *d_states)

        return tuple(stacks), gradient

    return with_shapes(stacks_of(inputs, kernel, bias, *states), states)


@tf.function(jit_compile=True, autograph=False)
def _forward(gates, inputs, states, kernel, bias, valid, steps):
    """Stacks the new states, then what each step's gates read."""

    def step(t, states):
        z = gates.met(inputs[t], states[0] @ kernel + bias)
        new = gates(z, states)
        if valid is not None:
            new = moved(valid[t], new, states)
        return new, [*new, *z]

    count = len(states) + PARTS
    return loop(step, list(states), steps, tf.shape(inputs)[0], count)[1]


@tf.function(jit_compile=True, autograph=False)
def _backward(gates, turned, before, z, valid, steps, gradients):
    """Goes back through the steps.

    Returns the gradients of the initial states, and stacks of those of `z`."""

    def step(t, d_states):
        d_states = [d + g[t] for d, g in zip(d_states, gradients, strict=True)]
        held = [tf.zeros_like(d) for d in d_states]
        if valid is not None:
            held = moved(valid[t], held, d_states)
            d_states = [valid[t] * d for d in d_states]
        states = [stack[t] for stack in before]
        dz, d_before = through(gates, [part[t] for part in z], states, d_states)
        d_before[0] += joined(gates.apart(dz)[1]) @ turned
        return [d + h for d, h in zip(d_before, held, strict=True)], dz

    zeros = [tf.zeros_like(stack[0]) for stack in before]
    return loop(step, zeros, steps, tf.shape(z[0])[0], PARTS, reverse=True)
