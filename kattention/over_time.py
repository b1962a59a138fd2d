"""Keras's own loop over time, with several inputs and outputs a step."""

import keras
from keras import ops


def over_time(step, sequences, states):
    """Runs a step for each position of some sequences, on any backend.

    Args:
        step: `(inputs, states) -> (outputs, states)`: lists of tensors with B
            rows. The inputs are one position of each sequence.
        sequences: Tensors `(B, T, D)`. If the depth `D` of one is not known
            statically, all after it must have the same depth.
        states: Tensors with B rows.

    Returns:
        `(outputs, states)`: each output as `(B, T, D)`, and the final states.
    """
    depths = [sequence.shape[-1] for sequence in sequences]
    fixed = depths.index(None) if None in depths else len(depths)

    def unpack(columns):
        inputs, start = [], 0
        for depth in depths[:fixed]:
            inputs.append(columns[:, start : start + depth])
            start += depth
        if fixed < len(depths):
            rest = columns[:, start:]
            count = len(depths) - fixed
            shape = (ops.shape(rest)[0], count, ops.shape(rest)[1] // count)
            inputs += ops.unstack(ops.reshape(rest, shape), count, axis=1)
        return inputs

    cell = _Cell(lambda columns, states: step(unpack(columns), states), states)
    # `inner_loop` is the public way to Keras's loop. It takes one tensor, so the
    # sequences stand side by side.
    loop = keras.layers.RNN(cell, return_sequences=True, name="loop")
    _, outputs, states = loop.inner_loop(
        sequences=ops.concatenate(sequences, axis=-1), initial_state=states, mask=None
    )
    return list(outputs), list(states)


class _Cell:
    """A step in the form that `keras.layers.RNN` takes for a cell."""

    def __init__(self, step, states):
        self.step = step
        # RNN reads the sizes but does not use them in the loop.
        self.state_size = [1 for _ in states]

    def call(self, columns, states):
        outputs, new_states = self.step(columns, list(states))
        # JAX's loop wants its states in the container in which it gave them.
        return outputs, type(states)(new_states)

    __call__ = call
