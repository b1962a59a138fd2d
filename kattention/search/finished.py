"""The finished hypotheses of a beam search."""

from typing import NamedTuple

import tensorflow as tf

from kattention.search.result import EMPTY


class Finished(NamedTuple):
    """The best K finished hypotheses of each row, all `(B, K)`, best first.

    `token` is the last token, `token_score` its log-probability, and `parent`
    the live hypothesis that it continued. With `length` that is enough to trace
    the rest.
    """

    score: tf.Tensor
    length: tf.Tensor
    token: tf.Tensor
    parent: tf.Tensor
    token_score: tf.Tensor

    @classmethod
    def none(cls, rows, width):
        shape = [rows, width]
        nothing = tf.zeros(shape, tf.int32)
        return cls(tf.fill(shape, EMPTY), nothing, nothing, nothing, tf.zeros(shape))

    def merge(self, new):
        """Keeps the best of both; the older one where scores are equal."""
        pairs = zip(self, new, strict=True)
        both = Finished(*(tf.concat(pair, axis=1) for pair in pairs))
        return both.best(self.score.shape[1])

    def best(self, width):
        """The `width` best, best first."""
        score, chosen = tf.math.top_k(self.score, width)
        rest = (tf.gather(part, chosen, batch_dims=1) for part in self[1:])
        return Finished(score, *rest)

    def split(self, groups):
        """Returns one `Finished` for each group of columns."""
        parts = zip(*(tf.split(part, groups, axis=1) for part in self), strict=True)
        return [Finished(*part) for part in parts]

    @staticmethod
    def join(parts):
        """Undoes `split`."""
        return Finished(*(tf.concat(part, axis=1) for part in zip(*parts, strict=True)))
