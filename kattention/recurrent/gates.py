"""Keras's cells as two linear maps with gates between: what compiled loops run."""

from dataclasses import dataclass
from functools import cache

import keras
from keras import ops

# What the gates of either cell read at a step: so many tensors of the state's depth.
PARTS = 4


@dataclass(frozen=True, eq=False)
class Gates:
    """What a cell does elementwise: `(z, states) -> states`.

    With the input `y` and the state `h`, `x = y W + b` is `(B, G)` and so is
    `r = h R + d`; the weights come from `linear_maps`. Of most of both a gate
    reads only the sum: `z = met(x, r)`, `PARTS` tensors `(B, H)`, is all that
    is read, and all to be kept.
    """

    name: str
    activation: object
    recurrent_activation: object

    def met(self, x, r):
        if self.name == "lstm":
            return _parts(x + r, 4)
        # The reset gate comes between the two of the candidate.
        (*xs, x_candidate), (*rs, r_candidate) = _parts(x, 3), _parts(r, 3)
        both = [x + r for x, r in zip(xs, rs, strict=True)]
        return [*both, x_candidate, r_candidate]

    def apart(self, dz):
        """The gradients of `x` and of `r` in parts, from those of `z`."""
        if self.name == "lstm":
            return dz, dz
        update, reset, x_candidate, r_candidate = dz
        return [update, reset, x_candidate], [update, reset, r_candidate]

    def __call__(self, z, states):
        return {"gru": self._gru, "lstm": self._lstm}[self.name](*z, *states)

    def _gru(self, update, reset, x_candidate, r_candidate, state):
        update = self.recurrent_activation(update)
        reset = self.recurrent_activation(reset)
        candidate = self.activation(x_candidate + reset * r_candidate)
        return [update * state + (1 - update) * candidate]

    def _lstm(self, enter, forget, candidate, leave, _, carry):
        kept = self.recurrent_activation(forget) * carry
        carry = kept + self.recurrent_activation(enter) * self.activation(candidate)
        return [self.recurrent_activation(leave) * self.activation(carry), carry]


def _parts(tensor, count):
    # Not `split`: XLA on a CPU gets its gradient wrong in a loop at some sizes.
    parts = ops.reshape(tensor, (-1, count, tensor.shape[-1] // count))
    return ops.unstack(parts, axis=1)


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
        bias, recurrent_bias = ops.unstack(bias)
        return kernel, bias, recurrent, recurrent_bias
    return kernel, bias, recurrent, nothing
