"""Keras's cells as two linear maps with gates between: what compiled loops run."""

from dataclasses import dataclass

import keras
from keras import ops

from kattention.precision import as_precise


@dataclass(frozen=True)
class Gates:
    """The elementwise part of a GRU or LSTM cell.

    With the input `y` and the state `h`, the linear maps `x = y W + b` and
    `r = h R + d` are `(B, G)`; the weights come from `linear_maps`. The gates
    read most of both as a sum only, so four tensors `(B, H)`, the
    preactivations, are all that a loop has to keep of a step.
    """

    name: str
    activation: object
    recurrent_activation: object

    def preactivations(self, x, r):
        """Returns what the gates read: four tensors `(B, H)`."""
        if self.name == "lstm":
            return _split(x + r, 4)
        # The reset gate comes between the two halves of the candidate.
        (*xs, x_candidate), (*rs, r_candidate) = _split(x, 3), _split(r, 3)
        sums = [x + r for x, r in zip(xs, rs, strict=True)]
        return [*sums, x_candidate, r_candidate]

    def gradients(self, *dz):
        """Returns the gradients of `x` and of `r`, given the preactivations'."""
        if self.name == "lstm":
            dx = _join(dz)
            return dx, dx
        update, reset, x_candidate, r_candidate = dz
        return _join([update, reset, x_candidate]), _join([update, reset, r_candidate])

    def __call__(self, preactivations, states):
        """Returns the new states; the first one is the cell's output."""
        step = {"gru": self._gru, "lstm": self._lstm}[self.name]
        return step(*preactivations, *states)

    def _gru(self, update, reset, x_candidate, r_candidate, state):
        update = self.recurrent_activation(update)
        reset = self.recurrent_activation(reset)
        candidate = self.activation(x_candidate + reset * r_candidate)
        return [update * state + (1 - update) * candidate]

    def _lstm(self, enter, forget, candidate, leave, _, carry):
        kept = self.recurrent_activation(forget) * carry
        carry = kept + self.recurrent_activation(enter) * self.activation(candidate)
        return [self.recurrent_activation(leave) * self.activation(carry), carry]


# Not `split` and `concat`: XLA on a CPU gets the gradient of the one and the
# value of the other wrong in a loop at some sizes.
def _split(tensor, count):
    """`(B, count * H)` into a list of `(B, H)`."""
    parts = ops.reshape(tensor, (-1, count, tensor.shape[-1] // count))
    return ops.unstack(parts, axis=1)


def _join(parts):
    """Undoes `_split`."""
    depth = parts[0].shape[-1]
    return ops.reshape(ops.stack(parts, axis=1), (-1, len(parts) * depth))


def gates_of(cell):
    """Returns the `Gates` of a cell that `reason_against_cell` lets pass."""
    name = "gru" if type(cell) is keras.layers.GRUCell else "lstm"
    return Gates(name, cell.activation, cell.recurrent_activation)


def reason_against_cell(cell):
    """Says in a few words why a cell does not have the form above, or nothing."""
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
    kernel, recurrent = as_precise(cell.kernel), as_precise(cell.recurrent_kernel)
    zeros = ops.zeros_like(kernel[0])
    if not cell.use_bias:
        return kernel, zeros, recurrent, zeros
    bias = as_precise(cell.bias)
    if len(bias.shape) == 2:
        bias, recurrent_bias = ops.unstack(bias)
        return kernel, bias, recurrent, recurrent_bias
    return kernel, bias, recurrent, zeros
