"""Sequences that do not end too early."""

import tensorflow as tf

from kattention.search.rows import positive_each_row
from kattention.search.rules.base import IMPOSSIBLE, Apply, Rule, SearchSetup
from kattention.types import Tensor


class MinLength(Rule):
    """Lets no sequence end before it has so many tokens.

    Args:
        length: Least tokens, the end token included: an integer, or integers
            `(B,)`.
    """

    def __init__(self, length: int | Tensor) -> None:
        self.length = length

    def open(self, setup: SearchSetup) -> Apply:
        least = setup.spread(positive_each_row("min_length", self.length, setup.rows))

        def apply(allowed, moment):
            early = (moment.time + 1 < least)[:, None]
            is_end = tf.range(tf.shape(allowed)[-1]) == setup.end
            return tf.where(early & is_end, IMPOSSIBLE, allowed)

        return apply
