"""Attention without a query."""

import keras
import numpy as np
import pytest
from keras import ops

from kattention import AttentionPooling
from tests.conftest import FLOAT64
from tests.kattention.reference import softmax

pytestmark = pytest.mark.any_backend
to_numpy = ops.convert_to_numpy
PRECISE, ROUNDING = ("float64", 1e-12) if FLOAT64 else ("float32", 1e-5)


@pytest.mark.parametrize("use_bias", [False, True])
def test_equals_the_equations_in_float64(rng, use_bias):
    values = rng.normal(size=(3, 5, 7))
    layer = AttentionPooling(4, use_bias=use_bias, dtype=PRECISE)
    layer.build(values.shape)
    for variable in layer.weights:
        variable.assign(rng.normal(size=variable.shape))
    hidden = values @ to_numpy(layer.kernel)
    hidden = np.tanh(hidden + to_numpy(layer.bias) if use_bias else hidden)
    weights = softmax(hidden @ to_numpy(layer.score_vector))
    found = layer(values, return_attention_scores=True)
    expected = np.einsum("bs,bsd->bd", weights, values), weights
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(to_numpy(ours), theirs, atol=ROUNDING)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_padding_may_hold_anything_and_empty_rows_give_zeros(rng, policy):
    values = rng.normal(size=(3, 5, 7)).astype("float32")
    mask = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
    layer = AttentionPooling(4, dtype=policy)
    expected = [to_numpy(ops.cast(layer(values[1:2, [0, 2]]), "float32"))]
    values[~mask] = np.nan
    average, weights = layer(values, mask=mask, return_attention_scores=True)
    average, weights = (to_numpy(ops.cast(x, "float32")) for x in (average, weights))
    assert (weights[~mask] == 0).all()
    assert (average[2] == 0).all()
    np.testing.assert_allclose(average[1:2], expected[0], atol=2e-2)


def test_stands_in_a_sequential_with_an_implicit_mask(tmp_path):
    model = keras.Sequential(
        [
            keras.layers.Embedding(9, 6, mask_zero=True),
            keras.layers.LSTM(5, return_sequences=True),
            AttentionPooling(4),
            keras.layers.Dense(1),
        ]
    )
    long, short = np.array([[3, 4, 0, 0]]), np.array([[3, 4]])
    found, expected = (to_numpy(model(ids)) for ids in (long, short))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(long, np.ones((1, 1)), verbose=0).history["loss"][0])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(loaded(long)), to_numpy(model(long)))


def test_stands_in_a_time_distributed(rng):
    sentences = rng.normal(size=(2, 3, 5, 7)).astype("float32")
    layer = AttentionPooling(4)
    found = keras.layers.TimeDistributed(layer)(sentences)
    expected = layer(sentences.reshape(6, 5, 7))
    np.testing.assert_allclose(
        to_numpy(found).reshape(6, 7), to_numpy(expected), atol=1e-6
    )
    model = keras.Sequential(
        [keras.Input((3, 5, 7)), keras.layers.TimeDistributed(layer)]
    )
    assert model.output_shape == (None, 3, 7)


def test_dropout_changes_the_average_but_not_the_weights(rng):
    values = rng.normal(size=(3, 9, 7))
    layer = AttentionPooling(4, dropout=0.5)
    average, weights = layer(values, return_attention_scores=True)
    dropped, same = layer(values, return_attention_scores=True, training=True)
    np.testing.assert_allclose(to_numpy(same), to_numpy(weights), atol=1e-6)
    assert not np.allclose(to_numpy(dropped), to_numpy(average))
    config = layer.get_config()
    assert AttentionPooling.from_config(config).get_config() == config


@pytest.mark.parametrize(
    ("values", "mask", "message"),
    [
        ((3, 7), None, "values must have rank 3, got shape (3, 7)"),
        ((3, 5, 8), None, "values must have depth 7"),
        ((3, 5, 7), (3, 4), "mask must have shape (3, 5), got (3, 4)"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(values, mask, message):
    layer = AttentionPooling(4)
    layer.build((3, 5, 7))
    mask = None if mask is None else np.ones(mask, bool)
    with pytest.raises(ValueError) as error:
        layer(np.ones(values, "float32"), mask=mask)
    assert any(message in line for line in str(error.value).splitlines())
