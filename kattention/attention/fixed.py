"""The control: a decoder that cannot look."""

import keras
from keras import ops

from kattention.attention import shapes


@keras.saving.register_keras_serializable(package="kattention")
class FixedContext(keras.layers.Layer):
    """Gives every step the encoder's final state as its context.

    The encoder-decoder without attention, in the same place as an attention
    mechanism, so that what attention brings can be measured. `value` comes
    from a bidirectional encoder: the first half of its depth, read forwards,
    ends at the last valid position, the second half, read backwards, at the
    first. There are no weights to learn and none to return.

    Source: Cho et al., "Learning Phrase Representations using RNN
    Encoder-Decoder for Statistical Machine Translation" (2014), section 2.2.
    """

    aligns = False

    def build(self, query_shape, value_shape, key_shape=None):
        shapes.check_inputs(query_shape, value_shape, key_shape)

    def prepare(self, value, key=None, mask=None):
        """Returns the memory: `{"value": final state, (B, 1, D)}`."""
        shapes.check_rank("value", value.shape, (3,))
        value = ops.cast(value, self.compute_dtype)
        if mask is not None:
            shapes.check_mask("mask", mask, value.shape[:-1])
            # Padding may hold anything, and 0 * nan is nan.
            kept = ops.expand_dims(ops.cast(mask, "bool"), -1)
            value = ops.where(kept, value, ops.zeros_like(value))
        half = value.shape[-1] // 2
        forward, backward = value[:, -1:, :half], value[:, :1, half:]
        if mask is not None:
            # The first and the last valid position differ from row to row.
            valid = ops.cast(mask, "int32")
            after = ops.cumsum(ops.flip(valid, 1), axis=1)
            last = ops.logical_and(mask, ops.flip(after, 1) == 1)
            first = ops.logical_and(mask, ops.cumsum(valid, axis=1) == 1)
            forward = _pick(value[..., :half], last)
            backward = _pick(value[..., half:], first)
        return {"value": ops.concatenate([forward, backward], axis=-1)}

    def attend(self, query, memory, state=(), training=None):
        """Returns `(context, None, state)`: the final state for every query."""
        if len(query.shape) == 2:
            return memory["value"][:, 0], None, state
        zeros = ops.zeros_like(query[..., :1])  # (B, T, 1)
        return memory["value"] + ops.cast(zeros, self.compute_dtype), None, state

    def call(self, query, value, key=None, value_mask=None):
        context, _, _ = self.attend(query, self.prepare(value, key, value_mask))
        return context

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        return (*query_shape[:-1], value_shape[-1])


def _pick(values, place):
    """The value `(B, 1, D)` of the one place that is `True` in each row."""
    place = ops.expand_dims(ops.cast(place, values.dtype), 1)
    return ops.matmul(place, values)
