"""Attention mechanisms: what turns a query and a memory into a context.

A mechanism is a Keras layer with two methods. `prepare(value, key, mask)`
does once what does not depend on the query and returns the *memory*, a dict
of tensors whose first axis is the batch, with the values under `"value"`.
`attend(query, memory, state, training)` returns `(context, weights, state)`;
`weights` is `None` for a mechanism that does not look anywhere.
"""

from kattention.attention.bahdanau import BahdanauAttention, additive_score
from kattention.attention.fixed import FixedContext

__all__ = ["BahdanauAttention", "FixedContext", "additive_score"]
