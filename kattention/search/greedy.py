"""Greedy search: the most probable token at every step."""

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


def greedy(step, state, start=2, end=3, max_length=80, length_penalty=1.0, forbid=()):
    """Takes the most probable token at every step, until the end token.

    Equals `beam` with one beam and `length_penalty=0`. With a penalty, a beam
    of one may go on past an end token, because a longer sequence could still
    score better; greedy search never does.

    Args:
        step: `(tokens (B,), state) -> (logits (B, V), state, alignment)`, the
            alignment `(B, S)` or `None`.
        state: Nested tensors of `B` rows: the state before the first step.
        start: Id of the token before the first.
        end: Id of the token that ends a sequence.
        max_length: Most tokens of a sequence: an integer, or integers `(B,)`.
        length_penalty: Exponent of the score's divisor, as in `beam`.
        forbid: Ids that are never produced.

    Returns:
        A `Result` with `K = 1`.

    Raises:
        ValueError: `state` holds no tensor, or `max_length` is below 1.

    Example:

    >>> table = tf.math.log([[.1, .6, .1, .2], [.1, .2, .1, .6],
    ...                      [.1, .7, .1, .1], [.1, .2, .3, .4]])
    >>> step = lambda tokens, state: (tf.gather(table, tokens), state, None)
    >>> greedy(step, tf.zeros([1, 1])).tokens.numpy().tolist()
    [[[1, 3]]]

    Source: Sutskever, Vinyals and Le, "Sequence to Sequence Learning with
    Neural Networks" (2014), section 3.2, with a beam of one.
    """
    state, rows, loose = open_state(state)
    limit = limit_of(max_length, rows)
    step = Stepper(step, forbid)

    def body(time, token, state, alive, lengths, total, tokens, alignments):
        scores, state, alignment = step(token, state)
        token = tf.where(alive, tf.argmax(scores, -1, output_type=tf.int32), 0)
        total = total + tf.where(alive, tf.reduce_max(scores, -1), 0.0)
        tokens = tokens.write(time, token)
        alignments = alignments.write(time, tf.where(alive[:, None], alignment, 0.0))
        lengths = lengths + tf.cast(alive, tf.int32)
        alive = alive & (token != end) & (time + 1 < limit) & (total > IMPOSSIBLE)
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
            tf.ones([rows], tf.bool),
            tf.zeros([rows], tf.int32),
            tf.zeros([rows]),
            history(tf.int32, None),
            history(tf.float32, None, None),
        ),
        shape_invariants=(
            *(tf.TensorShape([]), one, loose, one, one, one),
            *(tf.TensorShape(None), tf.TensorShape(None)),
        ),
    )
    found = total > IMPOSSIBLE
    tokens = tf.where(found[:, None], tf.transpose(tokens.stack()), 0)
    alignments = tf.transpose(alignments.stack(), [1, 0, 2])
    alignments = tf.where(found[:, None, None], alignments, 0.0)
    scores = tf.where(found, normalize(total, lengths, length_penalty), EMPTY)
    return Result(
        tokens[:, None],
        tf.where(found, lengths, 0)[:, None],
        scores[:, None],
        alignments[:, None] if step.aligned else None,
    )
