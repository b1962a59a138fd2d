"""The loop of a search that keeps one sequence a row."""

import tensorflow as tf

from kattention.search.penalties import check_length_penalty, normalize
from kattention.search.result import (
    EMPTY,
    IMPOSSIBLE,
    Result,
    Stepper,
    history,
    loose,
)


def walk(step, state, rows, choose, start, end, limit, length_penalty):
    """Takes the token that `choose` names, until the end token or the limit.

    Args:
        step: The step function.
        state: Nested tensors of `N` rows.
        rows: `N`.
        choose: `(time, logits (N, V)) -> (token, log-probability)`, `(N,)`.
        start: Id of the token before the first.
        end: Id of the token that ends a sequence, `None` for none.
        limit: Most tokens of each row, `(N,)`.
        length_penalty: See `beam`.

    Returns:
        A `Result` of `N` rows with `K = 1`.
    """
    check_length_penalty(length_penalty)
    step = Stepper(step)

    def body(time, token, state, alive, lengths, total, tokens, alignments):
        logits, state, alignment = step(token, state)
        token, score = choose(time, logits)
        # What rows that have ended write here is wiped out once, at the end.
        tokens = tokens.write(time, token)
        alignments = alignments.write(time, alignment)
        lengths = lengths + tf.cast(alive, tf.int32)
        total = total + tf.where(alive, score, 0.0)
        alive = alive & (time + 1 < limit) & (total > IMPOSSIBLE)
        if end is not None:
            alive &= token != end
        return time + 1, token, state, alive, lengths, total, tokens, alignments

    one = tf.TensorShape([None])
    *_, lengths, total, tokens, alignments = tf.while_loop(
        # A batch of no rows makes one step too: nothing could be stacked else.
        lambda time, token, state, alive, *_: (time == 0) | tf.reduce_any(alive),
        body,
        (
            tf.constant(0),
            tf.fill([rows], start),
            state,
            limit > 0,
            tf.zeros([rows], tf.int32),
            tf.zeros([rows]),
            history(tf.int32, None),
            history(tf.float32, None, None),
        ),
        shape_invariants=(
            *(tf.TensorShape([]), one, loose(state), one, one, one),
            *(tf.TensorShape(None), tf.TensorShape(None)),
        ),
    )
    found = (lengths > 0) & (total > IMPOSSIBLE)
    lengths = tf.where(found, lengths, 0)
    tokens = tf.transpose(tokens.stack())
    alignments = tf.transpose(alignments.stack(), [1, 0, 2])
    inside = tf.sequence_mask(lengths, tf.shape(tokens)[1])
    scores = tf.where(found, normalize(total, lengths, length_penalty), EMPTY)
    return Result(
        tf.where(inside, tokens, 0)[:, None],
        lengths[:, None],
        scores[:, None],
        tf.where(inside[..., None], alignments, 0.0)[:, None] if step.aligned else None,
    )
