"""The loop of the searches that keep one sequence a row."""

import tensorflow as tf

from kattention.search.penalties import check_length_penalty, normalize
from kattention.search.result import EMPTY, Result
from kattention.search.rows import any_rows
from kattention.search.rules.base import IMPOSSIBLE
from kattention.search.stepper import Stepper, history


def search_single(step, state, rows, choose, past, start, end, limit, length_penalty):
    """Takes the token that `choose` names, until the end token or the limit.

    Args:
        step: The step function.
        state: Nested tensors of `N` rows.
        rows: `N`.
        choose: `(time, logits (N, V), past) -> (token, log-probability, past)`,
            tokens and log-probabilities `(N,)`.
        past: What `choose` carries from step to step: any nest of tensors.
        start: Id of the token before the first.
        end: Id of the token that ends a sequence, `None` for none.
        limit: Most tokens of each row, `(N,)`.
        length_penalty: See `beam`.

    Returns:
        A `Result` of `N` rows with `K = 1`.
    """
    check_length_penalty(length_penalty)
    step = Stepper(step)

    def body(time, token, state, past, alive, lengths, total, written):
        logits, state, alignment = step(token, state)
        token, score, past = choose(time, logits, past)
        # What finished rows write here is cleared once, at the end.
        parts = zip(written, (token, score, alignment), strict=True)
        written = tuple(array.write(time, part) for array, part in parts)
        lengths = lengths + tf.cast(alive, tf.int32)
        total = total + tf.where(alive, score, 0.0)
        alive = alive & (time + 1 < limit) & (total > IMPOSSIBLE)
        if end is not None:
            alive &= token != end
        return time + 1, token, state, past, alive, lengths, total, written

    row, anything = tf.TensorShape([None]), tf.TensorShape(None)
    *_, lengths, total, written = tf.while_loop(
        # A batch of no rows makes one step too: nothing could be stacked else.
        lambda time, token, state, past, alive, *_: (time == 0) | tf.reduce_any(alive),
        body,
        (
            tf.constant(0),
            tf.fill([rows], start),
            state,
            past,
            limit > 0,
            tf.zeros([rows], tf.int32),
            tf.zeros([rows]),
            (
                history(tf.int32, None),
                history(tf.float32, None),
                history(tf.float32, None, None),
            ),
        ),
        shape_invariants=(
            *(tf.TensorShape([]), row, any_rows(state), any_rows(past)),
            *(row, row, row, (anything, anything, anything)),
        ),
    )
    found = (lengths > 0) & (total > IMPOSSIBLE)
    lengths = tf.where(found, lengths, 0)
    tokens, token_scores, alignments = (array.stack() for array in written)
    inside = tf.sequence_mask(lengths, tf.shape(tokens)[0])
    alignments = tf.transpose(alignments, [1, 0, 2])
    return Result(
        tf.where(inside, tf.transpose(tokens), 0)[:, None],
        lengths[:, None],
        tf.where(found, normalize(total, lengths, length_penalty), EMPTY)[:, None],
        tf.where(inside, tf.transpose(token_scores), 0.0)[:, None],
        tf.where(inside[..., None], alignments, 0.0)[:, None] if step.aligned else None,
    )
