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
            # Right padding: the last valid position differs from row to row.
            valid = ops.cast(mask, self.compute_dtype)
            after = ops.pad(valid[:, 1:], [[0, 0], [0, 1]])
            last = ops.expand_dims(valid * (1 - after), 1)  # (B, 1, S), one-hot
            forward = ops.matmul(last, value[..., :half])
        return {"value": ops.concatenate([forward, backward], axis=-1)}

    def attend(self, query, memory, state=(), training=None):
        """Returns `(context, None, state)`: the final state for every query."""
        if len(query.shape) == 2:
            return memory["value"][:, 0], None, state
        zeros = ops.zeros_like(query[..., :1])  # (B, T, 1)
        return memory["value"] + ops.cast(zeros, self.compute_dtype), None, state

    def call(self, query, value, value_mask=None):
        context, _, _ = self.attend(query, self.prepare(value, mask=value_mask))
        return context
