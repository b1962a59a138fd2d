"""From what each step wrote to whole hypotheses, once at the end."""

import tensorflow as tf


def trace(finished, tokens, parents, alignments):
    """Follows the parents back from the end of every finished hypothesis.

    Args:
        finished: The `Finished`, `(B, K)`.
        tokens: The token of each live hypothesis at each step, `(T, B, K)`.
        parents: The hypothesis that each continued, `(T, B, K)`.
        alignments: What each read, before it was chosen, `(T, B, K, S)`.

    Returns:
        `(tokens (B, K, T), alignments (B, K, T, S))`, 0 after the end.
    """
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
    alignments = tf.gather(alignments, pointers, batch_dims=2)
    alignments = tf.where(inside[..., None], alignments, 0.0)
    return tf.transpose(tokens, [1, 2, 0]), tf.transpose(alignments, [1, 2, 0, 3])
