"""The best tokens of a large vocabulary, and how probable they are."""

import tensorflow as tf

from kattention.search.rules.base import IMPOSSIBLE

CHUNK = 64


def top_k(values, k):
    """`tf.math.top_k` of `(N, V)`, several times as fast where V is large.

    The k largest lie in the k chunks with the largest maxima, so only these
    are sorted. Equal values come in the order of their ids, as TensorFlow has
    them.

    Args:
        values: Floats `(N, V)`, without NaN.
        k: How many, a Python integer, at most `V`.

    Returns:
        `(values, ids)`, each `(N, k)`.
    """
    size = values.shape[-1]
    if size is None or k == 1 or size < 4 * k * CHUNK:
        return tf.math.top_k(values, k)  # which sorts nothing for one
    if size % CHUNK:
        missing = -size % CHUNK
        values = tf.pad(values, [[0, 0], [0, missing]], constant_values=IMPOSSIBLE)
    chunks = tf.reshape(values, [-1, -(-size // CHUNK), CHUNK])
    _, chosen = tf.math.top_k(tf.reduce_max(chunks, axis=-1), k)
    # In their order, so that of equal values lower ids come first.
    chosen = -tf.math.top_k(-chosen, k).values
    few = tf.reshape(tf.gather(chunks, chosen, batch_dims=1), [-1, k * CHUNK])
    values, index = tf.math.top_k(few, k)
    chunk = tf.gather(chosen, index // CHUNK, batch_dims=1)
    return values, chunk * CHUNK + index % CHUNK


def log_normalizer(logits, best, id):
    """The logarithm of the sum of exponentials, `(N, 1)`.

    With it a few log-probabilities are `logits - log_normalizer`; a log-softmax
    would write the whole vocabulary twice more.

    Args:
        logits: Floats `(N, V)`.
        best: The largest logit of each row, `(N, 1)`.
        id: Where it stands, `(N, 1)`.
    """
    # At least 1 / V: no other probability is sure not to vanish.
    probability = tf.gather(tf.nn.softmax(logits), id, batch_dims=1)
    # Where all is impossible it stays impossible, and is not NaN.
    return tf.where(best > IMPOSSIBLE, best - tf.math.log(probability), 0.0)
