"""Forced decoding: scores and alignments of given sequences."""

import tensorflow as tf

from kattention.search.result import Result
from kattention.search.rows import as_ids, check_rows, open_state
from kattention.search.single import search_single
from kattention.types import Nest, StepFunction, Tensor


def force(step: StepFunction, state: Nest, tokens: Tensor, *, start: int = 2) -> Result:
    """Follows given sequences and scores them.

    Args:
        step, state, start: As in `beam`, with `K = 1`.
        tokens: Integers `(B, T)`, the end token included, 0 after it.

    Returns:
        A `Result` with `K = 1`: `tokens` again, as long as the longest, the
        log-probabilities that the model gives them, and what it read. A
        sequence with probability 0, or without tokens, leaves an empty slot.

    Raises:
        ValueError: `state` holds no tensor, or `tokens` is not `(B, T)`, with
            the `B` of `state`.

    Example:

    >>> table = tf.math.log([[.1, .6, .1, .2], [.1, .2, .1, .6],
    ...                      [.1, .7, .1, .1], [.1, .2, .3, .4]])
    >>> step = lambda tokens, state: (tf.gather(table, tokens), state, None)
    >>> result = force(step, tf.zeros([1, 1]), [[1, 3]])
    >>> round(float(tf.exp(result.scores)[0, 0]), 4)
    0.42
    """
    state, rows = open_state(state)
    tokens = as_ids("tokens", tokens)
    if tokens.shape.rank != 2:
        raise ValueError(f"tokens must be integers (B, T), got shape {tokens.shape}")
    check_rows("tokens", tokens, rows)
    lengths = tf.reduce_sum(tf.cast(tokens != 0, tf.int32), axis=1)
    # The loop makes one step even where there is nothing to follow.
    tokens = tf.pad(tokens, [[0, 0], [0, 1]])

    def choose(time, logits, past):
        token = tokens[:, time]
        scores = tf.nn.log_softmax(logits)
        return token, tf.gather(scores, token, batch_dims=1), past

    return search_single(step, state, rows, choose, (), start, None, lengths, 0.0)
