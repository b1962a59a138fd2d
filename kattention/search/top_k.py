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
    # In ascending order, so that lower ids come first among equal values.
    chosen = -tf.math.top_k(-chosen, k).values
    few = tf.reshape(tf.gather(chunks, chosen, batch_dims=1), [-1, k * CHUNK])
    values, index = tf.math.top_k(few, k)
    chunk = tf.gather(chosen, index // CHUNK, batch_dims=1)
    return values, chunk * CHUNK + index % CHUNK


def log_normalizer(logits, best, id):
    """The logarithm of the sum of exponentials, `(N, 1)`.

    A few log-probabilities are `logits - log_normalizer`. A log-softmax would
    write two more tensors of the vocabulary's size.

    Args:
        logits: Floats `(N, V)`.
        best: The largest logit of each row, `(N, 1)`.
        id: Its id, `(N, 1)`.
    """
    # The largest probability is at least 1 / V; any other one may underflow.
    probability = tf.gather(tf.nn.softmax(logits), id, batch_dims=1)
    # Where every token is impossible, scores stay -inf and do not become NaN.
    return tf.where(best > IMPOSSIBLE, best - tf.math.log(probability), 0.0)
