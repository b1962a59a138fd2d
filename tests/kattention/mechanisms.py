"""Mechanisms that tests share, one of them written as the guide shows it."""

import keras
from keras import ops

from kattention import (
    AttentionMechanism,
    BahdanauAttention,
    LocationSensitiveAttention,
    LuongAttention,
)


@keras.saving.register_keras_serializable(package="tests")
class Recency(AttentionMechanism):
    """A mechanism of one's own: a dot product that avoids what was read."""

    def score(self, query, memory, state):
        match = ops.einsum("bd,bsd->bs", query, memory["key"][..., : query.shape[-1]])
        return match - 2 * state[0]

    def initial_state(self, memory):
        return (ops.zeros_like(memory["value"][..., 0]),)

    def next_state(self, weights, memory, state):
        return (state[0] + weights,)


@keras.saving.register_keras_serializable(package="tests")
class Doubled(BahdanauAttention):
    """A subclass of a mechanism of ours."""

    def score(self, query, memory, state):
        return 2 * super().score(query, memory, state)


MECHANISMS = {
    "bahdanau": lambda **o: BahdanauAttention(4, **o),
    "luong": lambda **o: LuongAttention(scale=True, **o),
    "location": lambda **o: LocationSensitiveAttention(
        4, filters=3, kernel_size=5, **o
    ),
    "recency": lambda **o: Recency(**o),
    "doubled": lambda **o: Doubled(4, normalize=True, use_bias=True, **o),
}
STATEFUL = ("location", "recency")
