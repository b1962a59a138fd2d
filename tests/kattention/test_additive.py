"""Scores in little memory are the scores of the plain formula."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from kattention import BahdanauAttention
from kattention.attention import additive
from kattention.compiled.xla import can_compile
from tests.conftest import run_python
from tests.kattention.gradients import assert_equal, values_and_gradients

pytestmark = pytest.mark.any_backend


def draw(seed, batch, steps, source, units=5):
    rng = np.random.default_rng(seed)
    shapes = (batch, steps, units), (batch, source, units), (units,)
    return [rng.normal(size=shape) for shape in shapes], rng.normal(
        size=(batch, steps, source)
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 12), st.integers(1, 12))
def test_equal_to_the_plain_formula(seed, batch, steps, source):
    tensors, upstream = draw(seed, batch, steps, source)
    expected = values_and_gradients(additive.score, tensors, upstream)
    assert_equal(
        values_and_gradients(additive.score_in_blocks, tensors, upstream), expected
    )


@pytest.fixture(params=[1, 100, 10**6])
def blocks(request, monkeypatch):
    """Blocks as on a GPU: of one position, of some, of all."""
    monkeypatch.setattr(additive, "_is_on_cpu", lambda tensor: False)
    monkeypatch.setattr(additive, "BLOCK", request.param)
    additive._compiled.cache_clear()
    yield
    additive._compiled.cache_clear()


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 7, 5), (1, 12, 16)])
def test_equal_in_blocks_of_several_positions(blocks, shape):
    tensors, upstream = draw(1, *shape)
    expected = values_and_gradients(additive.score, tensors, upstream)
    assert_equal(
        values_and_gradients(additive.score_in_blocks, tensors, upstream), expected
    )


def test_a_block_is_no_longer_than_the_query_and_may_have_no_rows(blocks):
    query, key, vector = (ops.ones(shape) for shape in ((2, 7, 5), (2, 3, 5), (5,)))
    assert additive._positions(query, key) == {1: 1, 100: 3, 10**6: 7}[additive.BLOCK]
    scores = additive.score_in_blocks(query[:0], key[:0], vector)
    assert tuple(scores.shape) == (0, 7, 3)


@pytest.mark.skipif(not can_compile(), reason="XLA is TensorFlow's")
def test_equal_in_compiled_blocks_of_an_unknown_length(blocks):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, None, 5), tf.float64)] * 2)
    def score(query, key):
        return additive.score_in_blocks(
            query, key, tf.ones(5, tf.float64), compiled=True
        )

    for shape in ((2, 7, 9), (3, 16, 4)):
        (query, key, _), upstream = draw(2, *shape)

        def plain(query, key):
            return additive.score(query, key, np.ones(5))

        expected = values_and_gradients(plain, (query, key), upstream)
        assert_equal(values_and_gradients(score, (query, key), upstream), expected)


@pytest.mark.skipif(not can_compile(), reason="XLA is TensorFlow's")
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 9), (4, 16, 8)])
def test_equal_when_compiled(shape):
    tensors, upstream = draw(0, *shape)

    def compiled(*tensors):
        return additive.score_in_blocks(*tensors, compiled=True)

    expected = values_and_gradients(additive.score, tensors, upstream)
    assert_equal(values_and_gradients(compiled, tensors, upstream), expected)


def test_a_layer_over_sequences_of_unknown_length_trains():
    query, value = keras.Input((None, 3)), keras.Input((None, 4))
    model = keras.Model([query, value], BahdanauAttention(5)(query, value))
    model.compile("sgd", "mse", jit_compile=False)
    rng = np.random.default_rng(0)
    data = rng.normal(size=(4, 6, 3)), rng.normal(size=(4, 9, 4))
    losses = [
        model.fit(data, np.ones((4, 6, 4)), verbose=0).history["loss"][0]
        for _ in range(5)
    ]
    assert losses[-1] < losses[0]


PEAK = """
import resource, sys
import tensorflow as tf
from kattention import BahdanauAttention

length = int(sys.argv[1])
layer = BahdanauAttention(64)
query = tf.ones((4, length, 8))
with tf.GradientTape() as tape:
    tape.watch(query)
    total = tf.reduce_sum(layer(query, query, training=True))
tape.gradient(total, query)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_hold_all_pairs():
    pytest.importorskip("tensorflow")
    short, long = (int(run_python(PEAK, n).split()[-1]) for n in ("8", "600"))
    # One tensor of all pairs: 4 * 600 * 600 * 64 floats are 352 MiB.
    assert long - short < 176
