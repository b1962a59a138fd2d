"""The loop around `AttentionDecoder`: any cell, any backend."""

import keras
from keras import ops


def run(cell, inputs, memory, states, inputs_mask, noise=None, training=None):
    """Runs a sequence with Keras's own loop.

    Args:
        cell: An `AttentionDecoder`; in training its dropout masks are drawn.
        inputs: Floats `(B, T, Din)`.
        memory: What `cell.prepare` returned.
        states: The flat list of initial states.
        inputs_mask: Booleans `(B, T)`, or `None`.
        noise: Dropout on the weights, `(B, T, S)`, or `None`.
        training: Whether dropout is on.

    Returns:
        `(outputs (B, T, O), final states, alignments (B, T, S))`.
    """
    sequences, masked = [inputs], inputs_mask is not None
    if masked:
        valid = ops.expand_dims(ops.cast(inputs_mask, inputs.dtype), -1)
        sequences.append(valid)  # (B, T, 1)
        shape = (ops.shape(inputs)[0], cell.output_size)
        previous = ops.zeros(shape, dtype=cell.compute_dtype)
        states = [*states, previous]
    if noise is not None:
        sequences.append(noise)
    step = _Step(cell, memory, inputs.shape[-1], masked, noise is not None, training)
    # `inner_loop` is the public way to Keras's loop, on every backend. It
    # wants one tensor in and one out, hence the columns side by side.
    loop = keras.layers.RNN(step, return_sequences=True, name="loop")
    _, columns, states = loop.inner_loop(
        sequences=ops.concatenate(sequences, axis=-1),
        initial_state=states,
        mask=None,
    )
    # TensorFlow's loop forgets the depth.
    shape = (*ops.shape(inputs)[:2], cell.output_size)
    outputs = ops.reshape(columns[..., : cell.output_size], shape)
    alignments = columns[..., cell.output_size :]
    return outputs, list(states)[: len(cell.state_sizes)], alignments


class _Step:
    """The cell with its memory, in the form that Keras's loop runs.

    The columns of `inputs` are the step's input, then its mask if there is
    one, then noise for the attention weights if there is any. With a mask,
    the last state is the output of the step before.
    """

    def __init__(self, cell, memory, depth, masked, noisy, training):
        self.cell = cell
        self.memory = memory
        self.depth = depth
        self.masked = masked
        self.noisy = noisy
        self.training = training
        self.state_size = list(cell.state_sizes)

    def call(self, inputs, states):
        columns, states = inputs[:, : self.depth], list(states)
        previous = states.pop() if self.masked else None
        memory = self.memory
        if self.noisy:
            memory = {**memory, "noise": inputs[:, self.depth + self.masked :]}

        def look(query):
            context, alignment, _ = self.cell.attention.attend(
                query, memory, training=self.training
            )
            return context, alignment

        output, new_states, alignment = self.cell.advance(columns, states, look)
        if alignment is None:
            alignment = output[:, :0]
        if self.masked:
            valid = ops.cast(inputs[:, self.depth : self.depth + 1], "bool")
            output = ops.where(valid, output, previous)
            new_states = [
                ops.where(valid, new, old) for new, old in zip(new_states, states)
            ]
            new_states.append(output)
            alignment = ops.where(valid, alignment, ops.zeros_like(alignment))
        return ops.concatenate([output, alignment], axis=-1), new_states

    __call__ = call
