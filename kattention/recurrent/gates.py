"""Keras's cells as two linear maps with gates between: what compiled loops run."""

from dataclasses import dataclass
from functools import cache

import keras
from keras import ops


@dataclass(frozen=True, eq=False)
class Gates:
    """What a cell does elementwise: `(x, r, states) -> states`.

    With the input `y` and the state `h`, `x = y W + b` is `(B, G)` and so is
    `r = h R + d`; the weights come from `linear_maps`.
    """

    name: str
    activation: object
    recurrent_activation: object

    def __call__(self, x, r, states):
        return {"gru": self._gru, "lstm": self._lstm}[self.name](x, r, states)

    def _gru(self, x, r, states):
        x_update, x_reset, x_candidate = _parts(x, states)
        r_update, r_reset, r_candidate = _parts(r, states)
        update = self.recurrent_activation(x_update + r_update)
        reset = self.recurrent_activation(x_reset + r_reset)
        candidate = self.activation(x_candidate + reset * r_candidate)
        return [update * states[0] + (1 - update) * candidate]

    def _lstm(self, x, r, states):
        enter, forget, candidate, leave = _parts(x + r, states)
        kept = self.recurrent_activation(forget) * states[1]
        new = self.recurrent_activation(enter) * self.activation(candidate)
        carry = kept + new
        return [self.recurrent_activation(leave) * self.activation(carry), carry]


def _parts(tensor, states):
    # Not `split`: XLA on a CPU gets its gradient wrong in a loop at some sizes.
    units = states[0].shape[-1]
    parts = tensor.shape[-1] // units
    return ops.unstack(ops.reshape(tensor, (-1, parts, units)), axis=1)


def gates_of(cell):
    """Returns the `Gates` of a cell that `reason_against` lets pass."""
    name = "gru" if type(cell) is keras.layers.GRUCell else "lstm"
    return _gates(name, cell.activation, cell.recurrent_activation)


# One object for cells alike: compiled functions are kept by it.
_gates = cache(Gates)


def reason_against(cell):
    """Says in a few words why a cell is not of the form above, or nothing."""
    kind = type(cell).__name__
    if type(cell) not in (keras.layers.GRUCell, keras.layers.LSTMCell):
        return f"the cell is a {kind}, not a GRUCell or LSTMCell"
    if kind == "GRUCell" and not cell.reset_after:
        return "the GRUCell has reset_after=False"
    if cell.recurrent_dropout:
        return f"the {kind} has recurrent_dropout"
    if cell.dropout and cell.implementation == 1:
        return f"the {kind} has dropout with implementation=1"
    return None


def linear_maps(cell):
    """Returns `(W (Din, G), b (G,), R (H, G), d (G,))`, in float32 at least."""
    dtype = keras.backend.result_type(cell.variable_dtype, "float32")
    kernel = ops.cast(cell.kernel, dtype)
    recurrent = ops.cast(cell.recurrent_kernel, dtype)
    nothing = ops.zeros(kernel.shape[-1:], dtype)
    if not cell.use_bias:
        return kernel, nothing, recurrent, nothing
    bias = ops.cast(cell.bias, dtype)
    if len(bias.shape) == 2:
        return kernel, bias[0], recurrent, bias[1]
    return kernel, bias, recurrent, nothing
