"""The rules of one search, applied together."""

import tensorflow as tf

from kattention.search.rules.base import Moment, Rule
from kattention.search.rules.forbid import Forbid


class OpenRules:
    """The rules of a search, opened for it.

    Args:
        forbid: Ids that are never produced.
        rules: Further `Rule` objects, applied after that.
        setup: The `SearchSetup`.
    """

    def __init__(self, forbid, rules, setup):
        rules = [*([Forbid(forbid)] if forbid else []), *rules]
        for rule in rules:
            if not isinstance(rule, Rule):
                raise ValueError(
                    "rules must be kattention.search rules, such as MinLength(3), "
                    f"got {rule!r}"
                )
        self._apply = [rule.open(setup) for rule in rules]
        self.needs_past = any(rule.needs_past for rule in rules)

    def allowed(self, logits, time, past):
        """The logits `(N, V)`, `-inf` for tokens that may not come next."""
        moment, allowed = Moment(time, logits, past), logits
        for apply in self._apply:
            allowed = apply(allowed, moment)
        return allowed

    def empty_past(self, rows, limit):
        """Room for the tokens of `rows` hypotheses, `()` where no rule looks."""
        if not self.needs_past:
            return ()
        longest = tf.reduce_max(tf.concat([limit, [1]], axis=0))
        return tf.zeros([rows, longest], tf.int32)

    def add(self, past, time, token):
        """The past with the tokens `(N,)` of this step."""
        if not self.needs_past:
            return ()
        return tf.where(tf.range(tf.shape(past)[1]) == time, token[:, None], past)
