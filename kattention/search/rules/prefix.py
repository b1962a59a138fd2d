"""Sequences that begin with given tokens."""

import tensorflow as tf

from kattention.search.rows import as_ids, check_rows
from kattention.search.rules.base import IMPOSSIBLE, Apply, Rule, SearchSetup
from kattention.types import Tensor


class Prefix(Rule):
    """Makes every sequence of a row begin with given tokens.

    It overrules the rules before it and `forbid`, so it belongs at the end. The
    log-probabilities of the prefix count, and `max_length` cuts it too.

    Args:
        ids: Integers `(B, P)`, 0 after each prefix.
        after: Booleans `(B, V)`: the tokens that may come right after the
            prefix. `None`, or a row without any: all that other rules allow.

    Raises:
        ValueError: `ids` is not `(B, P)`, or the rows are not those of the
            search.
    """

    def __init__(self, ids: Tensor, after: Tensor | None = None) -> None:
        self.ids = as_ids("ids of a prefix", ids)
        self.after = None if after is None else tf.cast(after, tf.bool)
        if self.ids.shape.rank != 2:
            raise ValueError(
                f"ids of a prefix must be (B, P), got shape {self.ids.shape}"
            )

    def open(self, setup: SearchSetup) -> Apply:
        check_rows("ids of a prefix", self.ids, setup.rows)
        # A prefix of no columns has no first token to look at.
        prefix = setup.spread(tf.pad(self.ids, [[0, 0], [0, 1]]))
        length = tf.reduce_sum(tf.cast(prefix != 0, tf.int32), axis=1)
        after = None
        if self.after is not None:
            check_rows("after of a prefix", self.after, setup.rows)
            after = setup.spread(self.after)

        def apply(allowed, moment):
            token = prefix[:, tf.minimum(moment.time, tf.shape(prefix)[1] - 1)]
            every = tf.range(tf.shape(allowed)[-1])
            inside = (moment.time < length)[:, None]
            alone = tf.where(every == token[:, None], moment.logits, IMPOSSIBLE)
            if after is not None:
                # A model may have logits to spare, which are no tokens.
                spare = tf.shape(allowed)[-1] - tf.shape(after)[1]
                may = tf.pad(after, [[0, 0], [0, spare]])
                here = (moment.time == length) & tf.reduce_any(after, axis=1)
                here = here[:, None]
                own = tf.where(may, moment.logits, IMPOSSIBLE)
                allowed = tf.where(here, own, allowed)
            return tf.where(inside, alone, allowed)

        return apply
