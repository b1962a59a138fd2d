"""Puts whole hypotheses together from what each step stored."""

import tensorflow as tf


def trace(finished, tokens, token_scores, parents, alignments):
    """Follows the parents back from the end of every finished hypothesis.

    Args:
        finished: The `Finished`, `(B, K)`.
        tokens: The token of each live hypothesis at each step, `(T, B, K)`.
        token_scores: Their log-probabilities, `(T, B, K)`.
        parents: The hypothesis that each continued, `(T, B, K)`.
        alignments: What each read, before it was chosen, `(T, B * K, S)`.

    Returns:
        `(tokens (B, K, T), token scores (B, K, T), alignments (B, K, T, S))`,
        0 after the end.
    """
    width = tokens.shape[2]
    shape = [*tf.unstack(tf.shape(tokens)), tf.shape(alignments)[-1]]
    alignments = tf.reshape(alignments, shape)
    times = tf.range(tf.shape(tokens)[0])[:, None, None]
    last = times == finished.length - 1  # (T, B, K)
    # Columns 0 to K - 1 are live, K to 2K - 1 finished. A finished column points to
    # itself, except at its last token: there to the live one that it continued.
    themselves = tf.broadcast_to(width + tf.range(width), tf.shape(last))
    sources = tf.where(last, finished.parent, themselves)
    before = _follow(tf.concat([parents, sources], axis=2))[:, :, width:]
    here = tf.concat([before[1:], themselves[:1]], axis=0)

    def gather(live, ending):
        ending = tf.where(last, ending, tf.zeros_like(ending))
        found = tf.gather(tf.concat([live, ending], axis=2), here, batch_dims=2)
        return tf.transpose(found, [1, 2, 0])

    inside = times < finished.length
    alignments = tf.gather(alignments, tf.where(inside, before, 0), batch_dims=2)
    alignments = tf.where(inside[..., None], alignments, 0.0)
    return (
        gather(tokens, finished.token),
        gather(token_scores, finished.token_score),
        tf.transpose(alignments, [1, 2, 0, 3]),
    )


def _follow(parents):
    """Finds the ancestor of each hypothesis of the last step, before every step.

    Going back one step at a time would take T rounds. Ancestors 1, 2, 4, ...
    steps back are composed instead, which takes log T rounds.

    Args:
        parents: The parent of each hypothesis, `(T, B, W)`.

    Returns:
        `(T, B, W)`: `parents[t][parents[t + 1][...[parents[T - 1]]]]`.
    """
    steps, _, width = tf.unstack(tf.shape(parents))
    themselves = tf.broadcast_to(tf.range(width), tf.shape(parents))

    def double(distance, found):
        later = tf.concat([found[distance:], themselves[:distance]], axis=0)
        return 2 * distance, tf.gather(found, later, batch_dims=2)

    return tf.while_loop(lambda d, _: d < steps, double, (1, parents))[1]
