"""Tokens that are never produced."""

import tensorflow as tf

from kattention.search.rules.base import IMPOSSIBLE, Rule


class Forbid(Rule):
    """Never produces some tokens.

    Args:
        ids: Their ids.
    """

    def __init__(self, ids):
        self.ids = tuple(ids)

    def open(self, setup):
        def apply(allowed, moment):
            every = tf.range(tf.shape(allowed)[-1])
            forbidden = tf.reduce_any(every[:, None] == list(self.ids), axis=1)
            return tf.where(forbidden, IMPOSSIBLE, allowed)

        return apply
