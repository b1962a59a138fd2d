"""Keras's recurrent layer, its training compiled."""

import keras
from keras import ops

from kattention.recurrent import gates, steps
from kattention.xla import can_compile


@keras.saving.register_keras_serializable(package="kattention")
class FastRNN(keras.layers.RNN):
    """`keras.layers.RNN` over a GRU or LSTM cell, faster where sequences are long.

    In training on the TensorFlow backend the loop is compiled and has a
    gradient of its own, which keeps a few tensors of each step where autodiff
    keeps them all; it has first derivatives only. Each batch size and each
    length, rounded up to a multiple of 8, is compiled once, in a second or so.
    Elsewhere, and for a cell of another precision than the layer's, it is
    Keras's own loop, to which it is equal but for rounding. On a GPU
    `keras.layers.GRU` has cuDNN, which this layer has not. For an encoder of
    both directions:

        keras.layers.Bidirectional(FastRNN(keras.layers.GRUCell(256), ...))

    Args:
        cell: A `keras.layers.GRUCell` with `reset_after=True`, or a
            `keras.layers.LSTMCell`, without `recurrent_dropout`, and with
            `implementation=2` where it has dropout.
        **kwargs: What `keras.layers.RNN` takes, but for `unroll`:
            `return_sequences`, `return_state`, `go_backwards`, `stateful`,
            `zero_output_for_mask`.

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
        ValueError: The cell is of another kind, `unroll` is asked for, or
            `initial_state` is not of the cell's.

    Example:

    >>> encoder = keras.layers.Bidirectional(
    ...     FastRNN(keras.layers.GRUCell(32), return_sequences=True))
    >>> tuple(encoder(keras.ops.ones((2, 7, 8)), training=True).shape)
    (2, 7, 64)

    Source: Cho et al., "Learning Phrase Representations using RNN
    Encoder-Decoder" (2014), section 2.3; Hochreiter and Schmidhuber, "Long
    Short-Term Memory" (1997).
    """

    def __init__(self, cell, **kwargs):
        reason = gates.reason_against(cell)
        if reason:
            raise ValueError(
                "cell must be a GRUCell with reset_after=True or an LSTMCell, but "
                f"{reason}: use keras.layers.RNN"
            )
        if kwargs.get("unroll"):
            raise ValueError("unroll must be False, got True: use keras.layers.RNN")
        super().__init__(cell, **kwargs)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        depths = [state.shape[-1] for state in initial_state]
        if depths != self.state_size:
            raise ValueError(
                f"initial_state must be tensors of depths {self.state_size}, "
                f"got {depths}"
            )
        # Weights are read here in the layer's precision.
        alike = self.compute_dtype == self.cell.compute_dtype
        if not (training and alike and can_compile()):
            return super().inner_loop(sequences, initial_state, mask, training)
        from kattention.recurrent import loop

        sequences = ops.cast(sequences, self.compute_dtype)
        if mask is not None:
            mask = ops.reshape(ops.cast(mask, "bool"), ops.shape(sequences)[:2])
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)
        if 0 < self.cell.dropout < 1:
            # Drawn by the layer, once a sequence.
            dropout = self.cell.get_dropout_mask(sequences[:, 0])
            sequences = sequences * ops.expand_dims(dropout, 1)
        kernel, bias, recurrent, recurrent_bias = gates.linear_maps(self.cell)
        length = ops.shape(sequences)[1]
        stacks = loop.run(
            gates.gates_of(self.cell),
            steps.projected(sequences, kernel) + bias,
            [steps.precise(state) for state in initial_state],
            recurrent,
            recurrent_bias,
            None if mask is None else steps.by_step(mask, sequences),
            length,
        )
        states = [stack[length - 1] for stack in stacks]
        outputs = ops.transpose(steps.cut(stacks[0], length), (1, 0, 2))
        if mask is not None:
            # The states repeat themselves, from the initial ones on.
            shown = mask
            if not self.zero_output_for_mask:
                shown = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
            shown = ops.expand_dims(shown, -1)
            outputs = ops.where(shown, outputs, ops.zeros_like(outputs))
        return outputs[:, -1], outputs, states
