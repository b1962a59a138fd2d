"""Additive scores of whole sequences in little memory.

`tanh(query + key)` for all pairs is `(B, T, S, U)`: gigabytes for sequences of
a few hundred. Here it exists for one position at a time, forwards and
backwards. The sum is the same, `additive_score` its specification. Its gradient
has no gradient of its own.
"""

from functools import cache

from keras import ops

from kattention.xla import round_up


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
    def row(one):
        hidden = ops.tanh(ops.expand_dims(one, 1) + key)  # (B, S, U)
        return _product(hidden, score_vector)

    return _turn(ops.map(row, _turn(query)))


def _backwards(query, key, score_vector, upstream):
    """Over queries and over keys: each pass adds up what the other cannot."""

    def row(parts):
        one, weights = parts  # (B, U), (B, S)
        hidden = ops.tanh(ops.expand_dims(one, 1) + key)
        return [_weighted(weights, 1 - hidden * hidden), _weighted(weights, hidden)]

    def column(parts):
        one, weights = parts  # (B, U), (B, T)
        hidden = ops.tanh(ops.expand_dims(one, 1) + query)
        return _weighted(weights, 1 - hidden * hidden)

    by_query = _turn(upstream)  # (T, B, S)
    by_key = ops.transpose(upstream, (2, 0, 1))  # (S, B, T)
    d_query, d_vector = ops.map(row, [_turn(query), by_query])
    d_key = ops.map(column, [_turn(key), by_key])
    d_vector = ops.sum(d_vector, axis=(0, 1))
    return _turn(d_query) * score_vector, _turn(d_key) * score_vector, d_vector


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


def _turn(tensor):
    """`(A, B, ...)` to `(B, A, ...)`."""
    return ops.swapaxes(tensor, 0, 1)


# Sums as products, which are faster and need no tensor of their own.
def _product(tensor, vector):
    """Sum over U of tensor (B, S, U) times vector (U,)."""
    return ops.squeeze(ops.matmul(tensor, ops.expand_dims(vector, -1)), -1)


def _weighted(weights, tensor):
    """Sum over S of weights (B, S) times tensor (B, S, U)."""
    return ops.squeeze(ops.matmul(ops.expand_dims(weights, 1), tensor), 1)
