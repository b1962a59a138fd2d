import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kattention.search.top_k import log_normalizer, top_k


@given(
    st.integers(0, 999),
    st.sampled_from([1, 5, 64, 1000, 1024, 1999]),
    st.integers(1, 5),
    st.sampled_from([2, 5, 10_000]),
)
def test_gives_what_tensorflow_gives(seed, size, k, levels):
    # Few levels: many equal values, whose order is part of the claim.
    values = np.random.default_rng(seed).integers(0, levels, (3, size))
    values = np.where(values == 0, -np.inf, values).astype("float32")
    k = min(k, size)
    expected = tf.math.top_k(values, k)
    for ours, theirs in zip(top_k(tf.constant(values), k), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("scale", [1, 1e4])
def test_the_normalizer_is_finite_and_right(rng, scale):
    logits = (scale * rng.normal(size=(3, 50))).astype("float32")
    peak = logits.max(-1, keepdims=True)
    exact = np.log(np.exp(logits.astype("float64") - peak).sum(-1, keepdims=True))
    found = log_normalizer(logits, *top_k(tf.constant(logits), 1))
    np.testing.assert_allclose(found, peak + exact, rtol=1e-6)


def test_what_is_impossible_is_not_nan():
    logits = tf.fill([1, 4], -np.inf)
    total = log_normalizer(logits, *top_k(logits, 1))
    assert (logits - total).numpy().max() == -np.inf
