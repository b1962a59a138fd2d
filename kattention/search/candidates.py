"""The best tokens that may come next."""

from kattention.search.top_k import log_normalizer, top_k


def candidates(logits, count, rules, time=0, past=()):
    """Finds the best tokens that may come next, with their log-probabilities.

    A token against the rules has -inf and nothing is renormalised: a score
    stays the model's own log-probability.

    Args:
        logits: Float32 `(N, V)`.
        count: How many tokens a hypothesis needs.
        rules: The `OpenRules`.
        time: Number of the step, from 0.
        past: What each hypothesis has produced, for the rules.

    Returns:
        `(scores, tokens)`, each `(N, C)`, best first.
    """
    allowed = rules.allowed(logits, time, past)
    scores, tokens = top_k(allowed, min(count, logits.shape[-1]))
    best = (scores, tokens) if allowed is logits else top_k(logits, 1)
    return scores - log_normalizer(logits, *(part[:, :1] for part in best)), tokens
