"""One step of a beam search: which hypotheses go on and which are finished."""

from typing import NamedTuple

import tensorflow as tf

from kattention.search.finished import Finished
from kattention.search.penalties import normalize
from kattention.search.result import EMPTY, IMPOSSIBLE


class Ranking(NamedTuple):
    """By what hypotheses are ranked.

    Attributes:
        end: Id of the end token.
        limit: Most tokens of each row, `(B,)`.
        length_penalty: See `beam`.
        groups: Groups that the hypotheses are divided into.
        diversity: What a token costs for each earlier group that took it.
    """

    end: int
    limit: tf.Tensor
    length_penalty: float
    groups: int
    diversity: float


def advance(scores, tokens, bonus, time, live, finished, ranking):
    """Chooses the continuations of one step, group after group.

    Args:
        scores: Log-probabilities of the candidates, `(B, K, C)`.
        tokens: Their ids, `(B, K, C)`.
        bonus: What a hypothesis that finishes now gains, `(B, K)` or `None`.
        time: Number of the step, from 0.
        live: Log-probabilities of the live hypotheses, `(B, K)`.
        finished: The `Finished` so far.
        ranking: The `Ranking`.

    Returns:
        `(live, token, parent, finished)` after the step. A row that is done
        has only impossible live hypotheses.
    """
    groups = ranking.groups
    if groups == 1:
        return _advance(scores, tokens, bonus, time, live, finished, ranking)[:4]
    width = live.shape[1] // groups
    taken, parts = [], []
    for group, own in enumerate(finished.split(groups)):
        columns = slice(group * width, (group + 1) * width)
        cost = _cost(tokens[:, columns], taken, ranking.diversity)
        new_live, token, parent, own, used = _advance(
            scores[:, columns],
            tokens[:, columns],
            None if bonus is None else bonus[:, columns],
            time,
            live[:, columns],
            own._replace(parent=own.parent - columns.start),
            ranking,
            cost,
        )
        taken.append(used)
        own = own._replace(parent=own.parent + columns.start)
        parts.append((new_live, token, parent + columns.start, own))
    live, token, parent, finished = zip(*parts, strict=True)
    live, token, parent = (tf.concat(part, axis=1) for part in (live, token, parent))
    return live, token, parent, Finished.join(finished)


def _cost(tokens, taken, diversity):
    """What each candidate costs for being like those of earlier groups."""
    if not taken:
        return 0.0
    like = tokens[..., None] == tf.concat(taken, axis=1)[:, None, None]
    return diversity * tf.reduce_sum(tf.cast(like, tf.float32), axis=-1)


def _advance(scores, tokens, bonus, time, live, finished, ranking, cost=0.0):
    """The same for one group, ranked by `scores - cost`.

    Returns:
        What `advance` returns, and the tokens that were taken, -1 for none.
    """
    width, candidates = live.shape[1], tokens.shape[2]
    flat = [-1, width * candidates]
    total = tf.reshape(live[..., None] + scores, flat)
    # At most one end token a hypothesis: 2K hold K that go on.
    count = min(2 * width, flat[1])
    ranked = total - tf.reshape(cost, flat) if tf.is_tensor(cost) else total
    scores, index = tf.math.top_k(ranked, count)
    if ranked is not total:
        scores = tf.gather(total, index, batch_dims=1)
    parent = index // candidates
    token = tf.gather(tf.reshape(tokens, flat), index, batch_dims=1)

    is_end = token == ranking.end
    possible = scores > IMPOSSIBLE
    goes_on = possible & ~is_end
    stays = goes_on & (tf.cumsum(tf.cast(goes_on, tf.int32), axis=1) <= width)
    at_limit = (time + 1 >= ranking.limit)[:, None]
    first = tf.range(count) < width
    finishes = (possible & is_end & first) | (at_limit & stays)

    def merge():
        worth = normalize(scores, time + 1, ranking.length_penalty)
        if bonus is not None:
            worth += tf.gather(bonus, parent, batch_dims=1)
        new = Finished(
            tf.where(finishes, worth, EMPTY),
            tf.where(finishes, time + 1, 0),
            token,
            parent,
        )
        return finished.merge(new)

    used = tf.where(stays | finishes, token, -1)
    finished = tf.cond(tf.reduce_any(finishes), merge, lambda: finished)
    # In the order of their ranks, which a cost makes another than the scores'.
    order = tf.where(stays, tf.range(count, 0, -1), 0)
    order, chosen = tf.math.top_k(order, width)
    live = tf.where(order > 0, tf.gather(scores, chosen, batch_dims=1), IMPOSSIBLE)
    token = tf.gather(token, chosen, batch_dims=1)
    parent = tf.gather(parent, chosen, batch_dims=1)
    # The sum can only fall, so a hypothesis is worth most at once or, where
    # the divisor grows, at its longest.
    best = tf.reduce_max(live, axis=1, keepdims=True)
    hope = tf.maximum(
        normalize(best, time + 2, ranking.length_penalty),
        normalize(best, ranking.limit[:, None], ranking.length_penalty),
    )
    done = at_limit | (hope <= finished.score[:, -1:])
    return tf.where(done, IMPOSSIBLE, live), token, parent, finished, used
