"""The score of a hypothesis, from its log-probability, length and coverage."""

import math
from dataclasses import dataclass

import tensorflow as tf

from kattention.types import Tensor


@dataclass(frozen=True)
class PerToken:
    """Divides a score by `length ** alpha`: plain length normalisation.

    Given as `length_penalty` in place of a number, which stands for the
    divisor of Wu et al.

    Args:
        alpha: The exponent. 1 gives the mean log-probability of a token.
    """

    alpha: float = 1.0

    def __post_init__(self):
        check_length_penalty(self.alpha)

    def __call__(self, length: Tensor) -> Tensor:
        return length**self.alpha


def check_length_penalty(penalty):
    """Refuses a penalty that would leave no score to compare."""
    if not callable(penalty) and not -math.inf < penalty < math.inf:
        raise ValueError(f"length_penalty must be a finite number, got {penalty}")


def normalize(log_probability, length, length_penalty):
    """Divides by `((5 + length) / 6) ** length_penalty`, or by a `PerToken`.

    Source: Wu et al. (2016), section 7.
    """
    length = tf.cast(length, tf.float32)
    if callable(length_penalty):
        return log_probability / length_penalty(length)
    return log_probability / ((5.0 + length) / 6.0) ** length_penalty


def coverage_score(coverage, mask):
    """The sum over the source of `log(min(coverage, 1))`: 0 if all was read.

    Args:
        coverage: What each hypothesis read of each position, `(B, K, S)`.
        mask: Booleans `(B, S)`: the positions that count.

    Source: Wu et al. (2016), section 7.
    """
    # The floor keeps a position that was never read finite.
    read = tf.math.log(tf.clip_by_value(coverage, 1e-9, 1.0))
    return tf.reduce_sum(tf.where(mask[:, None], read, 0.0), axis=-1)
