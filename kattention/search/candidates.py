"""The best tokens that may come next."""

import tensorflow as tf

from kattention.search.rules import Moment, Rule
from kattention.search.rules.forbid import Forbid
from kattention.search.top_k import log_normalizer, top_k


class Rules:
    """The rules of a search, opened for it.

    Args:
        forbid: Ids that are never produced.
        rules: Further `Rule`s, applied after that.
        search: The `Search`.
    """

    def __init__(self, forbid, rules, search):
        rules = [*([Forbid(forbid)] if forbid else []), *rules]
        for rule in rules:
            if not isinstance(rule, Rule):
                raise ValueError(
                    "rules must be kattention.search rules, such as MinLength(3), "
                    f"got {rule!r}"
                )
        self._apply = [rule.open(search) for rule in rules]
        self.needs_past = max((rule.needs_past for rule in rules), default=0)

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
        longest = tf.reduce_max(tf.concat([limit, [self.needs_past]], axis=0))
        return tf.zeros([rows, longest], tf.int32)

    def add(self, past, time, token):
        """The past with the tokens `(N,)` of this step."""
        if not self.needs_past:
            return ()
        return tf.where(tf.range(tf.shape(past)[1]) == time, token[:, None], past)


def candidates(logits, count, rules, time=0, past=()):
    """Finds the best tokens that may come next, with their log-probabilities.

    A token against the rules has -inf and nothing is renormalised: a score
    stays the model's own log-probability.

    Args:
        logits: Float32 `(N, V)`.
        count: How many tokens a hypothesis needs.
        rules: The `Rules`.
        time: Number of the step, from 0.
        past: What each hypothesis has produced, for the rules.

    Returns:
        `(scores, tokens)`, each `(N, C)`, best first.
    """
    allowed = rules.allowed(logits, time, past)
    scores, tokens = top_k(allowed, min(count, logits.shape[-1]))
    best = (scores, tokens) if allowed is logits else top_k(logits, 1)
    return scores - log_normalizer(logits, *(part[:, :1] for part in best)), tokens
