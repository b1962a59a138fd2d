"""Additive scores of whole sequences in little memory.

`tanh(query + key)` for all pairs is `(B, T, S, U)`: gigabytes for sequences of
a few hundred. Here it exists for a block of positions at a time, forwards and
backwards. The sum is the same, `additive_score` its specification. Its gradient
has no gradient of its own.
"""

from functools import cache

import keras
from keras import ops

from kattention.xla import round_up

# Pairs of a block on a GPU, times U: 128 MiB of floats, enough to keep it busy.
BLOCK = 2**25


def additive_score(query, key, score_vector, compiled=False):
    """Scores every key against every query: `e_ij = v . tanh(q_i + k_j)`.

    Args:
        query: Projected queries, `(B, T, U)`.
        key: Projected keys, `(B, S, U)`.
        score_vector: `v`, `(U,)`.
        compiled: On TensorFlow, run the loops through XLA.

    Returns:
        Scores `(B, T, S)`.
    """
    forwards, backwards = _forwards, _backwards
    if compiled:
        forwards, backwards = _compiled()

    @ops.custom_gradient
    def score(*tensors):
        # Or an eager tape of TensorFlow would keep what happens inside.
        tensors = [ops.stop_gradient(tensor) for tensor in tensors]

        def gradient(*upstreams, upstream=None):
            # The torch backend passes it by name.
            return backwards(*tensors, upstreams[0] if upstream is None else upstream)

        return forwards(*tensors), gradient

    return score(query, key, score_vector)


def _forwards(query, key, score_vector):
    size = _positions(query, key)

    def block(part):
        return _product(_hidden(part, key), score_vector)

    return _join(ops.map(block, _cut(query, size)), query)


def _backwards(query, key, score_vector, upstream):
    """Over queries and over keys: each pass adds up what the other cannot."""

    def by_query(parts):
        part, weights = parts  # (B, P, U), (B, P, S)
        hidden = _hidden(part, key)
        return [_weighted(weights, 1 - hidden * hidden), _weighted(weights, hidden)]

    def by_key(parts):
        part, weights = parts  # (B, P, U), (B, P, T)
        hidden = _hidden(part, query)
        return _weighted(weights, 1 - hidden * hidden)

    size = _positions(query, key)
    d_query, d_vector = ops.map(by_query, [_cut(query, size), _cut(upstream, size)])
    size = _positions(key, query)
    upstream = ops.swapaxes(upstream, 1, 2)
    d_key = ops.map(by_key, [_cut(key, size), _cut(upstream, size)])
    d_query = _join(d_query, query) * score_vector
    d_key = _join(d_key, key) * score_vector
    return d_query, d_key, ops.sum(d_vector, axis=(0, 1, 2))


def _positions(query, key):
    """How many positions of the query a block holds."""
    if _is_on_cpu(query):
        return 1  # more would leave its caches
    length = ops.shape(query)[1]
    pairs = ops.shape(key)[0] * ops.shape(key)[1] * key.shape[2]
    size = BLOCK // (pairs + 1)  # of no rows there are none
    if isinstance(size, int) and isinstance(length, int):
        return max(min(size, length), 1)
    return ops.maximum(ops.minimum(size, length), 1)


def _is_on_cpu(tensor):
    """Whether a tensor is on a CPU, or will be when a graph runs."""
    backend = keras.backend.backend()
    if backend == "torch":
        return tensor.device.type == "cpu"
    if backend == "jax":
        import jax

        return jax.default_backend() == "cpu"
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def _cut(tensor, size):
    """`(B, T, D)` into blocks `(T / P, B, P, D)`, the last one filled up with 0."""
    batch, length, depth = ops.shape(tensor)
    missing = -length % size
    tensor = ops.pad(tensor, [[0, 0], [0, missing], [0, 0]])
    blocks = ops.reshape(tensor, (batch, (length + missing) // size, size, depth))
    return ops.swapaxes(blocks, 0, 1)


def _join(blocks, like):
    """Undoes `_cut`, for a tensor as long as `like`."""
    count, batch, size, depth = ops.shape(blocks)
    tensor = ops.reshape(ops.swapaxes(blocks, 0, 1), (batch, count * size, depth))
    return tensor[:, : ops.shape(like)[1]]


@cache
def _compiled():
    import tensorflow as tf

    compiled = [
        tf.function(function, jit_compile=True, autograph=False)
        for function in (_forwards, _backwards)
    ]

    def forwards(query, key, score_vector):
        scores = compiled[0](round_up(query, 1), round_up(key, 1), score_vector)
        return scores[:, : ops.shape(query)[1], : ops.shape(key)[1]]

    def backwards(query, key, score_vector, upstream):
        upstream = round_up(round_up(upstream, 1), 2)
        d_query, d_key, d_vector = compiled[1](
            round_up(query, 1), round_up(key, 1), score_vector, upstream
        )
        d_query = d_query[:, : ops.shape(query)[1]]
        return d_query, d_key[:, : ops.shape(key)[1]], d_vector

    return forwards, backwards


def _hidden(part, key):
    """All pairs `(B, P, S, U)` of a block and the keys."""
    return ops.tanh(ops.expand_dims(part, 2) + ops.expand_dims(key, 1))


# Sums as products, which are faster and need no tensor of their own.
def _product(tensor, vector):
    """Sum over U of tensor (B, P, S, U) times vector (U,)."""
    return ops.squeeze(ops.matmul(tensor, ops.expand_dims(vector, -1)), -1)


def _weighted(weights, tensor):
    """Sum over S of weights (B, P, S) times tensor (B, P, S, U)."""
    return ops.squeeze(ops.matmul(ops.expand_dims(weights, 2), tensor), 2)
