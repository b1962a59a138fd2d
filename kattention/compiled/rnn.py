"""Keras's recurrent layer, its training compiled."""

import copy
from functools import cache
from typing import Any, Literal, Self

import keras
from keras import ops

from kattention.attention.weights import valid_only
from kattention.compiled import policy
from kattention.compiled.gates import gates_of, linear_maps
from kattention.compiled.steps import by_row, by_step, project_by_step
from kattention.precision import as_precise
from kattention.types import Config, Nest, Tensor


@keras.saving.register_keras_serializable(package="kattention")
class FastRNN(keras.layers.RNN):
    """`keras.layers.RNN`, faster over a GRU or LSTM cell where sequences are long.

    In training on the TensorFlow backend the loop is compiled and has a
    gradient of its own, which keeps a few tensors of each step where autodiff
    keeps them all. Second derivatives are not supported there. Each batch size
    and each length, rounded up to a multiple of 8, is compiled once, in a
    second or so. Elsewhere it is Keras's own loop; both are equal but for
    rounding. On a GPU prefer `keras.layers.GRU`, which uses cuDNN. For an
    encoder of both directions:

        keras.layers.Bidirectional(FastRNN(keras.layers.GRUCell(256), ...))

    Args:
        cell: As for `keras.layers.RNN`. Compiled are a `keras.layers.GRUCell`
            with `reset_after=True` and a `keras.layers.LSTMCell`, without
            `recurrent_dropout`, and with `implementation=2` where they have
            dropout.
        fast: `"auto"` compiles where that is possible, `True` raises where it
            is not, `False` never does.
        **kwargs: What `keras.layers.RNN` takes.

    Call arguments:
        sequences: Floats `(B, T, D)`.
        initial_state: The cell's state `(B, H)`, or a list of its states.
            Zeros when absent.
        mask: Booleans `(B, T)`. Taken from the Keras mask of `sequences` when
            absent.
        training: Whether dropout is on, and the loop compiled.

    Returns:
        `outputs`, or `(outputs, *states)` with `return_state`: outputs
        `(B, T, H)`, or `(B, H)` without `return_sequences`; states `(B, H)`.

    Raises:
        ValueError: `initial_state` does not fit the cell, or `fast=True` and
            the loop cannot be compiled.

    Example:

    >>> encoder = keras.layers.Bidirectional(
    ...     FastRNN(keras.layers.GRUCell(32), return_sequences=True))
    >>> tuple(encoder(keras.ops.ones((2, 7, 8)), training=True).shape)
    (2, 7, 64)

    Source: Cho et al., "Learning Phrase Representations using RNN
    Encoder-Decoder" (2014), section 2.3; Hochreiter and Schmidhuber, "Long
    Short-Term Memory" (1997).
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        *,
        fast: bool | Literal["auto"] = "auto",
        **kwargs: Any,
    ) -> None:
        policy.check_fast(fast)
        super().__init__(cell, **kwargs)
        self.fast = fast

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: Nest,
        mask: Tensor | None,
        training: bool | None = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        depths = [state.shape[-1] for state in keras.tree.flatten(initial_state)]
        if depths != keras.tree.flatten(self.state_size):
            raise ValueError(
                f"initial_state must be tensors of depths {self.state_size}, "
                f"got {depths}"
            )
        reason = "it is unrolled" if self.unroll else None
        if not training or not policy.is_fast(self, [self.cell], reason=reason):
            return super().inner_loop(sequences, initial_state, mask, training)
        sequences = ops.cast(sequences, self.compute_dtype)
        if mask is not None:
            mask = ops.reshape(ops.cast(mask, "bool"), ops.shape(sequences)[:2])
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)
        outputs, states = _run(self.cell, sequences, initial_state, mask)
        if mask is not None:
            # The states repeat themselves, from the initial ones on.
            shown = mask
            if not self.zero_output_for_mask:
                shown = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
            outputs = valid_only(outputs, shown)
        return outputs[:, -1], outputs, states

    def get_config(self) -> Config:
        return {**super().get_config(), "fast": self.fast}

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: dict[str, Any] | None = None
    ) -> Self:
        # Keras's takes the cell out of the config that it is given.
        return super().from_config(copy.deepcopy(config), custom_objects)


def _run(cell, sequences, states, mask):
    """Runs a cell; returns all outputs `(B, T, H)` and the final states."""
    from kattention.compiled.loop import OFFSET, Fixed, Operands

    if 0 < cell.dropout < 1:
        # Drawn by the layer, once a sequence.
        dropout = cell.get_dropout_mask(sequences[:, 0])
        sequences = sequences * ops.expand_dims(dropout, 1)
    length = ops.shape(sequences)[1]
    kernel, bias, recurrent, recurrent_bias = linear_maps(cell)
    operands = Operands(
        states=[as_precise(state) for state in states],
        offset=project_by_step(sequences, kernel),
        kernels={OFFSET: [], "state": [recurrent]},
        biases={OFFSET: bias, "state": recurrent_bias},
        value=[],
        constants={},
    )
    fixed = Fixed() if mask is None else Fixed(by_step(mask, sequences) > 0)
    states, [outputs] = _loop(gates_of(cell))(operands, fixed, length)
    return by_row(outputs, length), states


@cache
def _loop(gates):
    """The loop of all cells with these gates, such as those of both directions."""
    from kattention.compiled.loop import OFFSET, Loop

    def step(tools, states):
        x, r = tools.affine(OFFSET, []), tools.affine("state", [states[0]])
        z = tools.keep(gates.preactivations, gates.gradients, x, r)
        new = gates(z, states)
        return new, tools.where_valid(new, states)[:1]

    return Loop(step)
