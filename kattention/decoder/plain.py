"""A decoder over a whole sequence: any cell, any mechanism, any backend."""

from keras import ops

from kattention.over_time import over_time


def run(cell, inputs, memory, states, inputs_mask, noise, training=None):
    """Runs a sequence with Keras's own loop.

    Args:
        cell: An `AttentionDecoder`; in training its dropout masks are drawn.
        inputs: Floats `(B, T, Din)`.
        memory: What `cell.prepare` returned.
        states: The flat list of initial states.
        inputs_mask: Booleans `(B, T)`, or `None`.
        noise: What `attention.draw_noise` returned.
        training: Whether dropout is on.

    Returns:
        `(outputs (B, T, O), final states, alignments (B, T, S))`.
    """
    masked, sequences = inputs_mask is not None, [inputs]
    if masked:
        valid = ops.expand_dims(ops.cast(inputs_mask, inputs.dtype), -1)
        sequences.append(valid)  # (B, T, 1)
        shape = (ops.shape(inputs)[0], cell.output_size)
        # The output of the step before is what a masked step repeats.
        states = [*states, ops.zeros(shape, dtype=cell.compute_dtype)]

    def step(inputs, states):
        columns, *drawn = inputs
        if masked:
            valid, *drawn = drawn
            *states, previous = states
        own = {**memory, "noise": dict(zip(noise, drawn, strict=True))}
        output, new, alignment = cell.advance(columns, states, own, training)
        if alignment is None:  # the loop wants a tensor
            alignment = output[:, :0]
        if masked:
            output = _where(valid, output, previous)
            new = [_where(valid, a, b) for a, b in zip(new, states, strict=True)]
            new = [*new, output]
            alignment = _where(valid, alignment, ops.zeros_like(alignment))
        return [output, alignment], new

    [outputs, alignments], states = over_time(
        step, [*sequences, *noise.values()], states
    )
    return outputs, states[:-1] if masked else states, alignments


def _where(valid, new, old):
    """The new tensor `(B, ...)` where a step is valid, `(B, 1)`."""
    shape = (-1, *[1] * (len(new.shape) - 1))
    return ops.where(ops.reshape(ops.cast(valid, "bool"), shape), new, old)
