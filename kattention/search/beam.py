"""Beam search that keeps its finished hypotheses and every alignment."""

from typing import NamedTuple

import tensorflow as tf

from kattention.search.result import (
    EMPTY,
    IMPOSSIBLE,
    Result,
    Stepper,
    history,
    limit_of,
    normalize,
    open_state,
)


class _Finished(NamedTuple):
    """The best K finished hypotheses of each row, all `(B, K)`.

    `token` is the last one, `parent` the live hypothesis that it continued:
    with `length` enough to trace the rest.
    """

    score: tf.Tensor
    length: tf.Tensor
    token: tf.Tensor
    parent: tf.Tensor


class _History(NamedTuple):
    """What each step wrote: `(B, K)`, `(B, K)` and `(B, K, S)`."""

    tokens: tf.TensorArray
    parents: tf.TensorArray
    alignments: tf.TensorArray


def beam(
    step,
    state,
    start=2,
    end=3,
    beam_width=5,
    max_length=80,
    length_penalty=1.0,
    forbid=(),
):
    """Finds the K best sequences that it meets with K live hypotheses a row.

    Each step ranks the continuations of the live hypotheses. An end token
    counts when it ranks among the first K; the hypothesis then moves to a list
    of K finished ones and K live ones go on. A row stops when no live
    hypothesis can still beat its K-th finished one. At `max_length` the live
    ones enter the list as they are. The score of a hypothesis is

        sum of log p(token) / ((5 + length) / 6) ** length_penalty

    over its tokens, the end token included.

    Args:
        step: `(tokens (N,), state) -> (logits (N, V), state, alignment)`, the
            alignment `(N, S)` or `None`, with `N = B * K`, row-major over the
            batch and its hypotheses.
        state: Nested tensors of `B` rows: the state before the first step.
            They are tiled and gathered here. What does not change between
            steps is better kept in the closure of `step`, untiled.
        start: Id of the token before the first.
        end: Id of the token that ends a sequence.
        beam_width: `K`.
        max_length: Most tokens of a sequence: an integer, or integers `(B,)`.
        length_penalty: Exponent of the score's divisor. 0: the plain sum.
        forbid: Ids that are never produced.

    Returns:
        A `Result`.

    Raises:
        ValueError: `state` holds no tensor, or `beam_width` or `max_length`
            is below 1.

    Example:

    >>> table = tf.math.log([[.1, .6, .1, .2], [.1, .2, .1, .6],
    ...                      [.1, .7, .1, .1], [.1, .2, .3, .4]])
    >>> step = lambda tokens, state: (tf.gather(table, tokens), state, None)
    >>> result = beam(step, tf.zeros([1, 1]), beam_width=2, max_length=3)
    >>> result.tokens.numpy().tolist()
    [[[1, 3, 0], [1, 1, 3]]]

    Source: Wu et al., "Google's Neural Machine Translation System" (2016),
    section 7.
    """
    if beam_width < 1:
        raise ValueError(f"beam_width must be at least 1, got {beam_width}")
    state, rows, loose = open_state(state)
    limit = limit_of(max_length, rows)
    step = Stepper(step, forbid)
    state = tf.nest.map_structure(lambda x: tf.repeat(x, beam_width, axis=0), state)
    shape = [rows, beam_width]
    # All hypotheses of a row begin alike: one must do for the first step.
    live = tf.tile([[0.0] + [IMPOSSIBLE] * (beam_width - 1)], [rows, 1])
    nothing = tf.zeros(shape, tf.int32)
    finished = _Finished(tf.fill(shape, EMPTY), nothing, nothing, nothing)
    pair = [None, beam_width]
    written = _History(
        history(tf.int32, *pair),
        history(tf.int32, *pair),
        history(tf.float32, *pair, None),
    )

    def body(time, token, state, live, finished, written):
        scores, state, alignment = step(token, state)
        live, token, parent, finished = _advance(
            scores, time, live, finished, end, limit, length_penalty
        )
        source = tf.shape(alignment)[-1]
        written = _History(
            written.tokens.write(time, token),
            written.parents.write(time, parent),
            written.alignments.write(time, tf.reshape(alignment, [*shape, source])),
        )
        row_of = tf.reshape(tf.range(rows)[:, None] * beam_width + parent, [-1])
        state = tf.nest.map_structure(lambda x: tf.gather(x, row_of), state)
        return time + 1, tf.reshape(token, [-1]), state, live, finished, written

    pair = tf.TensorShape(pair)
    anything = tf.TensorShape(None)
    *_, finished, written = tf.while_loop(
        # A batch of no rows makes one step too: nothing could be stacked else.
        lambda time, token, state, live, *_: (
            (time == 0) | tf.reduce_any(live > IMPOSSIBLE)
        ),
        body,
        (
            tf.constant(0),
            tf.fill([rows * beam_width], start),
            state,
            live,
            finished,
            written,
        ),
        shape_invariants=(
            *(tf.TensorShape([]), tf.TensorShape([None]), loose, pair),
            *(_Finished(*[pair] * 4), _History(*[anything] * 3)),
        ),
    )
    tokens, alignments = _trace(finished, written)
    return Result(
        tokens, finished.length, finished.score, alignments if step.aligned else None
    )


def _advance(scores, time, live, finished, end, limit, length_penalty):
    """Chooses the continuations of one step.

    Args:
        scores: Log-probabilities of the next tokens, `(B * K, V)`.
        time: Number of the step, from 0.
        live: Log-probabilities of the live hypotheses, `(B, K)`.
        finished: The `_Finished` so far.
        end: Id of the end token.
        limit: Most tokens of each row, `(B,)`.
        length_penalty: See `beam`.

    Returns:
        `(live, token, parent, finished)` after the step. A row that is done
        has only impossible live hypotheses.
    """
    rows, width = tf.shape(live)[0], live.shape[1]
    vocabulary = tf.shape(scores)[-1]
    scores = live[..., None] + tf.reshape(scores, [rows, width, vocabulary])
    # At most one end token a hypothesis: 2K hold K that go on.
    scores, index = tf.math.top_k(
        tf.reshape(scores, [rows, width * vocabulary]), 2 * width
    )
    parent, token = index // vocabulary, index % vocabulary

    is_end = token == end
    possible = scores > IMPOSSIBLE
    goes_on = possible & ~is_end
    first = tf.range(2 * width) < width
    finishes = possible & is_end & first
    at_limit = (time + 1 >= limit)[:, None]
    stays = goes_on & (tf.cumsum(tf.cast(goes_on, tf.int32), axis=1) <= width)
    finishes = finishes | (at_limit & stays)
    finished = _merge(
        finished,
        _Finished(
            tf.where(finishes, normalize(scores, time + 1, length_penalty), EMPTY),
            tf.where(finishes, time + 1, 0),
            token,
            parent,
        ),
    )

    live, chosen = tf.math.top_k(tf.where(goes_on, scores, IMPOSSIBLE), width)
    token = tf.gather(token, chosen, batch_dims=1)
    parent = tf.gather(parent, chosen, batch_dims=1)
    # The sum can only fall, so a hypothesis is worth most at once or, where
    # the divisor grows, at its longest.
    hope = tf.maximum(
        normalize(live[:, :1], time + 2, length_penalty),
        normalize(live[:, :1], limit[:, None], length_penalty),
    )
    done = at_limit | (hope <= finished.score[:, -1:])
    return tf.where(done, IMPOSSIBLE, live), token, parent, finished


def _merge(old, new):
    """Keeps the best of both, `(B, K)`; the older one where scores are equal."""
    both = _Finished(*(tf.concat(pair, axis=1) for pair in zip(old, new, strict=True)))
    score, chosen = tf.math.top_k(both.score, old.score.shape[1])
    rest = (tf.gather(part, chosen, batch_dims=1) for part in both[1:])
    return _Finished(score, *rest)


def _trace(finished, written):
    """Follows the parents back from the end of every finished hypothesis."""
    tokens, parents = written.tokens.stack(), written.parents.stack()  # (T, B, K)
    times = tf.range(tf.shape(tokens)[0])

    def back(later, now):
        pointer, _ = later
        time, tokens, parents = now
        last = time == finished.length - 1
        token = tf.where(last, finished.token, tf.gather(tokens, pointer, batch_dims=1))
        pointer = tf.where(
            last, finished.parent, tf.gather(parents, pointer, batch_dims=1)
        )
        return pointer, token

    nothing = tf.zeros_like(finished.token)
    pointers, tokens = tf.scan(
        back, (times, tokens, parents), (nothing, nothing), reverse=True
    )
    inside = times[:, None, None] < finished.length  # (T, B, K)
    tokens = tf.where(inside, tokens, 0)
    alignments = tf.gather(written.alignments.stack(), pointers, batch_dims=2)
    alignments = tf.where(inside[..., None], alignments, 0.0)
    return tf.transpose(tokens, [1, 2, 0]), tf.transpose(alignments, [1, 2, 0, 3])
