"""Sequences that do not repeat themselves."""

import tensorflow as tf

from kattention.search.rules.base import IMPOSSIBLE, Apply, Rule, SearchSetup


class NoRepeatNgram(Rule):
    """Lets no sequence produce the same n-gram twice.

    Args:
        size: The `n` of the n-grams.

    Raises:
        ValueError: `size` is below 1.
    """

    needs_past = True

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        self.size = size

    def open(self, setup: SearchSetup) -> Apply:
        size = self.size

        def apply(allowed, moment):
            time, past = moment.time, moment.past
            windows = tf.maximum(tf.shape(past)[1] - size + 1, 0)
            # Column p: does the n-gram at p begin as the one to be completed?
            again = tf.range(windows) + size <= time
            again = tf.broadcast_to(again, [tf.shape(past)[0], windows])
            for i in range(size - 1):
                recent = past[:, tf.maximum(time - size + 1 + i, 0)]
                again &= past[:, i : i + windows] == recent[:, None]
            where = tf.where(again)  # (hypothesis, p)
            tokens = tf.gather_nd(past[:, size - 1 :], where)
            where = tf.stack([where[:, 0], tf.cast(tokens, tf.int64)], axis=1)
            banned = tf.fill([tf.shape(where)[0]], IMPOSSIBLE)
            return tf.tensor_scatter_nd_update(allowed, where, banned)

        return apply
