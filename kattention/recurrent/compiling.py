"""What the compiled loops have in common (TensorFlow).

A loop with a gradient of its own keeps what each step wrote, goes back through
the steps without the gradients of weights, and makes those of all steps at
once, as large products after it. Only the two loops are compiled.
"""

import tensorflow as tf


def loop(step, carry, steps, length, count, reverse=False):
    """Runs `step(t, carry) -> carry, outputs` for `steps` of `length` places.

    Returns:
        The last carry and the `count` outputs, stacked: `(length, ...)`.
    """
    dtype = tf.nest.flatten(carry)[0].dtype
    stacks = [tf.TensorArray(dtype, length) for _ in range(count)]

    def body(i, carry, stacks):
        t = steps - 1 - i if reverse else i
        carry, outputs = step(t, carry)
        stacks = [s.write(t, one) for s, one in zip(stacks, outputs, strict=True)]
        return i + 1, carry, stacks

    _, carry, stacks = tf.while_loop(
        lambda i, *_: i < steps, body, (0, carry, stacks), maximum_iterations=length
    )
    return carry, [stack.stack() for stack in stacks]


def through(gates, z, states, d_states):
    """Gradients of the `z` and the states of `Gates`."""
    with tf.GradientTape() as tape:
        tape.watch([z, states])
        new = gates(z, states)
    return tape.gradient(new, [z, list(states)], d_states, unconnected_gradients="zero")


def joined(parts):
    """Parts (B, H) side by side."""
    # Not `concat`: XLA on a CPU gets it wrong in a loop at some sizes.
    units = parts[0].shape[-1]
    return tf.reshape(tf.stack(parts, axis=1), [-1, len(parts) * units])


def moved(valid, new, old):
    """The new states where a step is valid, `(B, 1)`, the old ones elsewhere."""
    return [tf.where(valid > 0, a, b) for a, b in zip(new, old, strict=True)]


def one_before(stacks, first):
    """The states before each step, from those after each and the initial ones."""
    return [
        tf.concat([initial[None], stack[:-1]], 0)
        for initial, stack in zip(first, stacks, strict=True)
    ]


def outer(left, parts):
    """Sum over all steps and rows of left (T, B, M) times parts (T, B, N) in a row.

    Part by part: side by side they would be there twice.
    """
    left = tf.reshape(left, [-1, left.shape[-1]])
    rows = [tf.reshape(part, [-1, part.shape[-1]]) for part in parts]
    return tf.concat([tf.matmul(left, row, transpose_a=True) for row in rows], -1)


def over_all(parts):
    """Sum over all steps and rows of parts (T, B, N) in a row."""
    return tf.concat([tf.reduce_sum(part, [0, 1]) for part in parts], -1)


def with_shapes(stacks, initial):
    """What was compiled does not say its shapes: `(T, B, H)` of states `(B, H)`."""
    return [
        tf.ensure_shape(stack, [None, *one.shape])
        for stack, one in zip(stacks, initial, strict=True)
    ]
