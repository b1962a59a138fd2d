"""The protocol of a rule."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# The logit of a token that may not come next.
IMPOSSIBLE = -float("inf")


class SearchSetup(NamedTuple):
    """What a rule may ask about the search that it opens for.

    Attributes:
        rows: `B`, the number of rows.
        width: `K`, hypotheses of a row.
        end: Id of the end token.
    """

    rows: tf.Tensor
    width: int
    end: int

    def spread(self, tensor):
        """`(B, ...)` to `(B * K, ...)`: a row's value for each hypothesis."""
        return tf.repeat(tensor, self.width, axis=0)


class Moment(NamedTuple):
    """One step of a search, for its `N = B * K` hypotheses.

    Attributes:
        time: Number of the step, from 0.
        logits: The model's, float32 `(N, V)`.
        past: The tokens produced so far, `(N, L)`, 0 from `time` on; `()` where
            no rule needs it.
    """

    time: tf.Tensor
    logits: tf.Tensor
    past: tf.Tensor | tuple


# Logits (N, V), changed so far, and the moment -> the logits that are allowed.
Apply = Callable[[tf.Tensor, Moment], tf.Tensor]


class Rule:
    """Changes what the live hypotheses may do next.

    A rule is a subclass with `open`. Rules apply in their order, so a later one
    may overrule an earlier one. Nothing is renormalised: the score of a token
    stays its log-probability under the model.

    Attributes:
        needs_past: Whether the rule looks at `Moment.past`.
    """

    needs_past = False

    def open(self, setup: SearchSetup) -> Apply:
        """Prepares the rule for a search.

        Args:
            setup: The `SearchSetup`.

        Returns:
            A function `(allowed, moment) -> allowed`, from logits `(N, V)` to
            logits in which tokens that may not come next are `-inf`.
        """
        raise NotImplementedError(f"{type(self).__name__} must write open()")
