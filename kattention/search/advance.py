"""One step of a beam search: which hypotheses go on and which are finished."""

from typing import NamedTuple

import tensorflow as tf

from kattention.search.finished import Finished
from kattention.search.penalties import PerToken, normalize
from kattention.search.result import EMPTY
from kattention.search.rules.base import IMPOSSIBLE


class Live(NamedTuple):
    """The live hypotheses after a step, all `(B, K)`.

    Attributes:
        score: Their log-probability so far; impossible in a row that is done.
        token: The token that each has just produced.
        token_score: Its log-probability.
        parent: The live hypothesis that each continues.
    """

    score: tf.Tensor
    token: tf.Tensor
    token_score: tf.Tensor
    parent: tf.Tensor


class Ranking(NamedTuple):
    """What ranks hypotheses.

    Attributes:
        end: Id of the end token.
        limit: Most tokens of each row, `(B,)`.
        length_penalty: See `beam`.
        groups: Groups that the hypotheses are divided into.
        diversity: Penalty for each hypothesis of earlier groups that took the
            same token.
    """

    end: int
    limit: tf.Tensor
    length_penalty: float | PerToken
    groups: int
    diversity: float


def advance(scores, tokens, coverage, time, live, finished, ranking):
    """Chooses the continuations of one step, group after group.

    Args:
        scores: Log-probabilities of the candidates, `(B, K, C)`.
        tokens: Their ids, `(B, K, C)`.
        coverage: Added to the score of a hypothesis that finishes now, `(B, K)`
            or `None`.
        time: Number of the step, from 0.
        live: Log-probabilities of the live hypotheses, `(B, K)`.
        finished: The `Finished` so far.
        ranking: The `Ranking`.

    Returns:
        `(Live, Finished)` after the step.
    """
    groups = ranking.groups
    if groups == 1:
        return _advance(scores, tokens, coverage, time, live, finished, ranking)[:2]
    width = live.shape[1] // groups
    taken, parts = [], []
    for group, own in enumerate(finished.split(groups)):
        columns = slice(group * width, (group + 1) * width)
        cost = _cost(tokens[:, columns], taken, ranking.diversity)
        new_live, own, used = _advance(
            scores[:, columns],
            tokens[:, columns],
            None if coverage is None else coverage[:, columns],
            time,
            live[:, columns],
            own._replace(parent=own.parent - columns.start),
            ranking,
            cost,
        )
        taken.append(used)
        own = own._replace(parent=own.parent + columns.start)
        new_live = new_live._replace(parent=new_live.parent + columns.start)
        parts.append((new_live, own))
    live, finished = zip(*parts, strict=True)
    joined = (tf.concat(part, axis=1) for part in zip(*live, strict=True))
    return Live(*joined), Finished.join(finished)


def _cost(tokens, taken, diversity):
    """The penalty of each candidate for tokens that earlier groups took."""
    if not taken:
        return 0.0
    like = tokens[..., None] == tf.concat(taken, axis=1)[:, None, None]
    return diversity * tf.reduce_sum(tf.cast(like, tf.float32), axis=-1)


def _advance(scores, tokens, coverage, time, live, finished, ranking, cost=0.0):
    """The same for one group, ranked by `scores - cost`.

    Returns:
        What `advance` returns, and the tokens that were taken, -1 for none.
    """
    width, candidates = live.shape[1], tokens.shape[2]
    flat = [-1, width * candidates]
    gains = tf.reshape(scores, flat)
    total = tf.reshape(live[..., None] + scores, flat)
    # At most one end token a hypothesis: 2K hold K that go on.
    count = min(2 * width, flat[1])
    ranked = total - tf.reshape(cost, flat) if tf.is_tensor(cost) else total
    _, index = tf.math.top_k(ranked, count)
    scores, gain, token = (
        tf.gather(part, index, batch_dims=1)
        for part in (total, gains, tf.reshape(tokens, flat))
    )
    parent = index // candidates

    is_end = token == ranking.end
    possible = scores > IMPOSSIBLE
    goes_on = possible & ~is_end
    stays = goes_on & (tf.cumsum(tf.cast(goes_on, tf.int32), axis=1) <= width)
    at_limit = (time + 1 >= ranking.limit)[:, None]
    first = tf.range(count) < width
    finishes = (possible & is_end & first) | (at_limit & stays)

    def merge():
        score = normalize(scores, time + 1, ranking.length_penalty)
        if coverage is not None:
            score += tf.gather(coverage, parent, batch_dims=1)
        new = Finished(
            tf.where(finishes, score, EMPTY),
            tf.where(finishes, time + 1, 0),
            *(token, parent, gain),
        )
        return finished.merge(new)

    used = tf.where(stays | finishes, token, -1)
    finished = tf.cond(tf.reduce_any(finishes), merge, lambda: finished)
    # In the order of their ranks, which with a cost is not that of the scores.
    order = tf.where(stays, tf.range(count, 0, -1), 0)
    order, chosen = tf.math.top_k(order, width)
    scores, token, gain, parent = (
        tf.gather(part, chosen, batch_dims=1) for part in (scores, token, gain, parent)
    )
    scores = tf.where(order > 0, scores, IMPOSSIBLE)
    # Each further token lowers the sum. So no score can exceed that of ending at
    # the next step or, if the divisor grows with the length, at the limit.
    best = tf.reduce_max(scores, axis=1, keepdims=True)
    upper_bound = tf.maximum(
        normalize(best, time + 2, ranking.length_penalty),
        normalize(best, ranking.limit[:, None], ranking.length_penalty),
    )
    done = at_limit | (upper_bound <= finished.score[:, -1:])
    scores = tf.where(done, IMPOSSIBLE, scores)
    return Live(scores, token, gain, parent), finished, used
