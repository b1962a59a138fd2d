"""The additive score, `e_ij = v . tanh(q_i + k_j)`, plain and in blocks.

`tanh(query + key)` for all pairs is `(B, T, S, U)`: gigabytes for sequences of
a few hundred. `score` computes it at once, which is right for one step and for
the hypotheses of a beam. `score_in_blocks` computes it for some positions of
the query at a time, forwards and backwards, with the gradient that stands here.
"""

from functools import cache

import keras
from keras import ops

from kattention.compiled.xla import can_compile, round_up

# Size of a block on a GPU in numbers: 128 MiB of floats, enough to keep it busy.
BLOCK = 2**25


def score(query, key, score_vector):
    """Scores every key against every query.

    Args:
        query: Projected queries, `(B, T, U)`, or `(B, U)` for one step.
        key: Projected keys, `(B, S, U)`.
        score_vector: `v`, `(U,)`.

    Returns:
        Scores `(B, T, S)`, or `(B, S)` for one step.
    """
    if len(query.shape) == 3:
        key = ops.expand_dims(key, 1)  # (B, 1, S, U)
    return _dot(_hidden(ops.expand_dims(query, -2), key), score_vector)


def score_in_blocks(query, key, score_vector, compiled=False):
    """Scores every key against every query in little memory.

    Second derivatives are not supported.

    Args:
        query: Projected queries, `(B, T, U)`.
        key: Projected keys, `(B, S, U)`.
        score_vector: `v`, `(U,)`.
        compiled: Run the loops through XLA where that is possible.

    Returns:
        Scores `(B, T, S)`.
    """
    forwards, backwards = _forwards, _backwards
    if compiled and can_compile():
        forwards, backwards = _compiled()

    @ops.custom_gradient
    def scores_of(*tensors):
        # An eager tape of TensorFlow would keep what happens inside.
        tensors = [ops.stop_gradient(tensor) for tensor in tensors]

        def gradient(*upstreams, upstream=None):
            # The torch backend passes it by name.
            return backwards(*tensors, upstreams[0] if upstream is None else upstream)

        return forwards(*tensors), gradient

    return scores_of(query, key, score_vector)


def _forwards(query, key, score_vector):
    size = _positions(query, key)

    def block(part):
        return _dot(_hidden(ops.expand_dims(part, 2), _over(key)), score_vector)

    return _join(ops.map(block, _cut(query, size)), query)


def _backwards(query, key, score_vector, upstream):
    """Goes over blocks of queries, then of keys: each pass adds up its own sums.

    With `h = tanh(q + k)` and the upstream gradient `g`, the gradients are sums
    of `g (1 - h^2) v` over S for the query and over T for the key, and of `g h`
    over all pairs for `v`.
    """

    def by_query(parts):
        part, weights = parts  # (B, P, U), (B, P, S)
        hidden = _hidden(ops.expand_dims(part, 2), _over(key))
        return [_weighted(weights, 1 - hidden * hidden), _weighted(weights, hidden)]

    def by_key(parts):
        part, weights = parts  # (B, P, U), (B, P, T)
        hidden = _hidden(ops.expand_dims(part, 2), _over(query))
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
    """Returns how many positions of the query a block holds."""
    if _is_on_cpu(query):
        return 1  # more would not fit into its caches
    length = ops.shape(query)[1]
    pairs = ops.shape(key)[0] * ops.shape(key)[1] * key.shape[2]
    size = BLOCK // (pairs + 1)  # an empty batch has no pairs
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


def _hidden(query, key):
    """All pairs of queries and keys, broadcast to `(..., S, U)`."""
    return ops.tanh(query + key)


def _over(key):
    return ops.expand_dims(key, 1)


# Sums as products, which are faster and need no tensor of their own.
def _dot(tensor, vector):
    """Sum over U of tensor (..., U) times vector (U,)."""
    # As rows: XLA cannot compile the gradient of a product of rank 4 in a loop.
    rows = ops.reshape(tensor, (-1, tensor.shape[-1]))
    sums = ops.matmul(rows, ops.expand_dims(vector, -1))
    return ops.reshape(sums, ops.shape(tensor)[:-1])


def _weighted(weights, tensor):
    """Sum over S of weights (B, P, S) times tensor (B, P, S, U)."""
    return ops.squeeze(ops.matmul(ops.expand_dims(weights, 2), tensor), 2)
