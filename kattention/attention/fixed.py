"""The control: a decoder without attention."""

import keras
from keras import ops

from kattention.attention.base import AttentionMechanism
from kattention.attention.weights import weighted_sum
from kattention.precision import as_precise
from kattention.types import Memory, State, Tensor


@keras.saving.register_keras_serializable(package="kattention")
class FixedContext(AttentionMechanism):
    """Gives every step the encoder's final state as its context.

    The encoder-decoder without attention, in the place of an attention
    mechanism, so that what attention brings can be measured. `value` comes
    from a bidirectional encoder: the first half of its depth, read forwards,
    ends at the last valid position, the second half, read backwards, at the
    first. It has no weights to learn and returns no alignments.

    Call arguments, returns and errors: see `AttentionMechanism`.

    Example:

    >>> context = FixedContext()(keras.ops.ones((2, 5, 32)), keras.ops.ones((2, 7, 48)))
    >>> tuple(context.shape)
    (2, 5, 48)

    Source: Cho et al., "Learning Phrase Representations using RNN
    Encoder-Decoder for Statistical Machine Translation" (2014), section 2.2.
    """

    aligns = False

    def prepare(
        self, value: Tensor, key: Tensor | None = None, mask: Tensor | None = None
    ) -> Memory:
        """Returns a memory of one position, the final state `(B, 1, D)`."""
        memory = super().prepare(value, key, mask)
        value, valid = memory["value"], memory.get("mask")
        if valid is None:
            valid = ops.ones_like(value[..., 0], dtype="bool")
        counts = ops.cumsum(ops.cast(valid, "int32"), axis=1)  # (B, S)
        first = ops.logical_and(valid, counts == 1)
        last = ops.logical_and(valid, counts == counts[:, -1:])
        half = value.shape[-1] // 2
        final = [
            weighted_sum(ops.cast(place, value.dtype), part)
            for place, part in ((last, value[..., :half]), (first, value[..., half:]))
        ]
        final = ops.expand_dims(ops.concatenate(final, axis=-1), 1)
        return {"key": final, "value": final}

    def score(self, query: Tensor, memory: Memory, state: State) -> Tensor:
        same = ops.zeros_like(memory["value"][..., 0])  # (B, S)
        if len(query.shape) == 3:
            same = ops.expand_dims(same, 1)
        return same + ops.zeros_like(query[..., :1])

    def weigh(self, scores: Tensor, memory: Memory, state: State) -> Tensor:
        # What a softmax over one position is too, but Keras warns of that one.
        weights = ops.ones_like(as_precise(scores))
        if "mask" in memory:  # the padding of a compiled loop
            weights = weights * ops.cast(memory["mask"], weights.dtype)
        return weights
