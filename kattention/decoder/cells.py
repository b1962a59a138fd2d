"""One way to call all of Keras's recurrent cells, with flat lists of states."""

import keras
from keras import ops


def as_list(cell):
    """Returns the cells of a cell, a stack or a list of either."""
    if isinstance(cell, keras.layers.StackedRNNCells):
        cell = cell.cells
    if isinstance(cell, (list, tuple)) and cell:
        return [single for inner in cell for single in as_list(inner)]
    if isinstance(cell, keras.layers.RNN):
        raise ValueError(f"cell must be a cell, as GRUCell for GRU, got {cell!r}")
    if not callable(cell) or not hasattr(cell, "state_size"):
        raise ValueError(
            "cell must be a Keras RNN cell (with a state_size) or a list of them, "
            f"got {cell!r}"
        )
    return [cell]


def state_sizes(cell):
    """Depth of each state of a cell."""
    return keras.tree.flatten(cell.state_size)


def output_size(cell):
    """The cell's `output_size`, or without one the depth of its first state."""
    size = getattr(cell, "output_size", None)
    return state_sizes(cell)[0] if size is None else size


def initial_states(cell, batch_size):
    """The states before the first step: zeros unless the cell says otherwise."""
    if hasattr(cell, "get_initial_state"):
        return keras.tree.flatten(cell.get_initial_state(batch_size=batch_size))
    return [ops.zeros((batch_size, size)) for size in state_sizes(cell)]


def run(cell, inputs, states):
    """Runs a cell; returns `(output, states)`."""
    packed = keras.tree.pack_sequence_as(cell.state_size, states)
    packed = list(packed) if isinstance(packed, (list, tuple)) else [packed]
    # Keras passes `training` on to the layers that are called inside a layer.
    output, states = cell(inputs, packed)
    return output, keras.tree.flatten(states)
