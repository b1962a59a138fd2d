"""Tokens that are never produced."""

from collections.abc import Iterable

import tensorflow as tf

from kattention.search.rules.base import IMPOSSIBLE, Apply, Rule, SearchSetup


class Forbid(Rule):
    """Never produces some tokens.

    Args:
        ids: Their ids.
    """

    def __init__(self, ids: Iterable[int]) -> None:
        self.ids = tuple(ids)

    def open(self, setup: SearchSetup) -> Apply:
        def apply(allowed, moment):
            every = tf.range(tf.shape(allowed)[-1])
            forbidden = tf.reduce_any(every[:, None] == list(self.ids), axis=1)
            return tf.where(forbidden, IMPOSSIBLE, allowed)

        return apply
