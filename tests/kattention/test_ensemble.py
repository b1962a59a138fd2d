import keras
import numpy as np
import pytest
import tensorflow as tf

import kattention
from kattention.search import beam
from tests.conftest import make_seq2seq

SOURCE = np.array([[5, 6, 7, 3], [8, 3, 0, 0]])
TARGET = np.array([[2, 9, 4], [2, 5, 0]])


@pytest.fixture
def models():
    return [make_seq2seq(), make_seq2seq(attend="between"), make_seq2seq()]


def test_its_probabilities_are_the_mean_of_its_models(models):
    found = kattention.Ensemble(models)([SOURCE, TARGET])
    expected = np.mean(
        [tf.nn.softmax(model([SOURCE, TARGET])) for model in models], axis=0
    )
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-5)


def test_its_steps_are_its_sequence(models):
    ensemble = kattention.Ensemble(models)
    whole = ensemble([SOURCE, TARGET])
    memory, state = ensemble.encode(SOURCE)
    for time in range(3):
        scores, state, alignment = ensemble.step(TARGET[:, time], state, memory)
        # Row 1 is padding at the last time.
        rows = 2 if time < 2 else 1
        np.testing.assert_allclose(scores[:rows], whole[:rows, time], atol=1e-5)
        np.testing.assert_allclose(tf.reduce_sum(alignment, 1), 1, atol=1e-5)


def test_what_it_read_is_the_mean_of_those_that_align(models):
    blind = make_seq2seq(mechanism=kattention.FixedContext())
    ensemble = kattention.Ensemble([models[0], blind])
    memory, state = ensemble.encode(SOURCE)
    tokens = np.array([2, 2])
    _, _, alignment = ensemble.step(tokens, state, memory)
    own_memory, own_state = models[0].encode(SOURCE)
    _, _, expected = models[0].step(tokens, own_state, own_memory)
    np.testing.assert_allclose(alignment, expected, atol=1e-6)
    alone = kattention.Ensemble([blind])
    memory, state = alone.encode(SOURCE)
    assert alone.step(tokens, state, memory)[2] is None


def test_a_search_takes_it_for_one_model(models):
    ensemble = kattention.Ensemble(models)
    memory, state = ensemble.encode(SOURCE)
    result = beam(
        lambda tokens, state: ensemble.step(tokens, state, memory),
        state,
        max_length=5,
        length_penalty=0.0,
    )
    tokens = result.tokens[0, 0].numpy()
    inputs = np.array([[2, *tokens[:-1]]])
    scores = ensemble([SOURCE[:1], inputs]).numpy()[0]
    length = int(result.lengths[0, 0])
    total = scores[np.arange(length), tokens[:length]].sum()
    np.testing.assert_allclose(result.scores[0, 0], total, rtol=1e-5)


def test_survives_a_file(models, tmp_path):
    ensemble = kattention.Ensemble(models)
    ensemble.save(tmp_path / "x.keras")
    loaded = keras.models.load_model(tmp_path / "x.keras")
    np.testing.assert_array_equal(loaded([SOURCE, TARGET]), ensemble([SOURCE, TARGET]))


def test_what_is_no_ensemble_is_refused(models):
    with pytest.raises(ValueError, match="at least one model, got none"):
        kattention.Ensemble([])
    with pytest.raises(ValueError, match=r"have encode and step, .* got Dense"):
        kattention.Ensemble([keras.layers.Dense(3)])
    other = make_seq2seq(vocabulary=31)
    with pytest.raises(ValueError, match=r"one vocabulary, got sizes \[30, 31\]"):
        kattention.Ensemble([models[0], other])([SOURCE, TARGET])
