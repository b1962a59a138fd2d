"""Which tokens may come next, and the best of them."""

from typing import NamedTuple

import tensorflow as tf

from kattention.search.result import IMPOSSIBLE
from kattention.search.top_k import log_normalizer, top_k


class Rules(NamedTuple):
    """What the sequences of a search must hold, for its N hypotheses.

    Attributes:
        end: Id of the end token.
        forbid: Ids that are never produced.
        min_length: Least tokens, the end token included, `(N,)`, or `None`.
        no_repeat_ngram: The size of what is never produced twice, or 0.
        prefix: Ids that each begins with, `(N, P)`, 0 after them, or `None`.
        after_prefix: Which tokens may follow the prefix, booleans `(N, V)`, or
            `None` for all.
    """

    end: int
    forbid: tuple = ()
    min_length: tf.Tensor | None = None
    no_repeat_ngram: int = 0
    prefix: tf.Tensor | None = None
    after_prefix: tf.Tensor | None = None


def candidates(logits, count, rules, time=0, past=None):
    """Finds the best tokens that may come next, with their log-probabilities.

    A token against the rules has -inf and nothing is renormalised: a score
    stays the model's own log-probability.

    Args:
        logits: Float32 `(N, V)`.
        count: How many good tokens a hypothesis needs.
        rules: The `Rules`.
        time: Number of the step, from 0.
        past: What each hypothesis has produced, `(N, L)`, 0 from `time` on;
            needed by `no_repeat_ngram`.

    Returns:
        `(scores, tokens)`, each `(N, C)`: the `count` best are among the `C`.
    """
    vocabulary = logits.shape[-1]
    # What the rules take away must not leave fewer than `count`.
    spare = len(rules.forbid) + (rules.min_length is not None)
    allowed = logits
    if rules.no_repeat_ngram:
        allowed = _without_repeats(allowed, rules.no_repeat_ngram, time, past)
    if rules.after_prefix is not None:
        allowed = _continuing(logits, allowed, time, rules)
    scores, tokens = top_k(allowed, min(count + spare, vocabulary))
    best = (scores, tokens) if allowed is logits else top_k(logits, 1)
    total = log_normalizer(logits, *(part[:, :1] for part in best))
    scores = scores - total
    if rules.forbid:
        forbidden = tf.reduce_any(tokens[..., None] == list(rules.forbid), axis=-1)
        scores = tf.where(forbidden, IMPOSSIBLE, scores)
    if rules.min_length is not None:
        early = (time + 1 < rules.min_length)[:, None] & (tokens == rules.end)
        scores = tf.where(early, IMPOSSIBLE, scores)
    if rules.prefix is not None:
        scores, tokens = _forced(scores, tokens, logits, total, time, rules.prefix)
    return scores, tokens


def _forced(scores, tokens, logits, total, time, prefix):
    """Leaves one candidate, the prefix's, where the prefix goes on."""
    steps = tf.shape(prefix)[1]
    token = prefix[:, tf.minimum(time, steps - 1)]
    forced = ((time < steps) & (token != 0))[:, None]
    first = tf.range(tf.shape(tokens)[1]) == 0
    own = tf.gather(logits, token[:, None], batch_dims=1) - total
    alone = tf.where(first, own, IMPOSSIBLE)
    return (
        tf.where(forced, alone, scores),
        tf.where(forced & first, token[:, None], tokens),
    )


def _continuing(logits, allowed, time, rules):
    """Leaves what may follow the prefix, where it has just ended."""
    missing = logits.shape[-1] - rules.after_prefix.shape[1]
    may = tf.pad(rules.after_prefix, [[0, 0], [0, missing]])
    length = tf.reduce_sum(tf.cast(rules.prefix != 0, tf.int32), axis=1)
    here = (length == time)[:, None]
    return tf.where(here, tf.where(may, logits, IMPOSSIBLE), allowed)


def _without_repeats(logits, size, time, past):
    """Gives -inf to tokens that would complete an n-gram of the past again."""
    windows = tf.shape(past)[1] - size + 1
    # Column p: does the n-gram that begins at p begin as the one to complete?
    again = tf.range(windows) + size <= time
    again = tf.broadcast_to(again, [tf.shape(past)[0], windows])
    for i in range(size - 1):
        recent = past[:, tf.maximum(time - size + 1 + i, 0)]
        again &= past[:, i : i + windows] == recent[:, None]
    where = tf.where(again)  # (hypothesis, p)
    tokens = tf.gather_nd(past[:, size - 1 :], where)
    where = tf.stack([where[:, 0], tf.cast(tokens, tf.int64)], axis=1)
    banned = tf.fill([tf.shape(where)[0]], IMPOSSIBLE)
    return tf.tensor_scatter_nd_update(logits, where, banned)
