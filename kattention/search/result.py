"""What every search returns."""

from typing import NamedTuple

import tensorflow as tf

# The score of a slot without a hypothesis.
EMPTY = tf.float32.min


class Result(NamedTuple):
    """Hypotheses: B rows of K each, T steps, S source positions.

    Best first, but for `sample`, which keeps the order drawn.

    Attributes:
        tokens: `(B, K, T)` int32, the end token included, 0 after it.
        lengths: `(B, K)` int32, the end token included; 0 for an empty slot.
        scores: `(B, K)` float32; float32's minimum for an empty slot.
        token_scores: `(B, K, T)` float32: each token's log-probability, 0 after
            the end.
        alignments: `(B, K, T, S)`, or `None` if the step function gave none.
    """

    tokens: tf.Tensor
    lengths: tf.Tensor
    scores: tf.Tensor
    token_scores: tf.Tensor
    alignments: tf.Tensor | None
