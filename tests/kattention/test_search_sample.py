import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kattention.search import force, greedy, sample
from tests.conftest import run_python
from tests.kattention.plain_search import END, START, log_softmax
from tests.kattention.test_search import hypotheses, table_step

TABLE = 2 * np.random.default_rng(4).normal(size=(6, 6))


def draw(**options):
    return sample(table_step(TABLE), tf.zeros([1, 1]), **{"seed": 1, **options})


def first_tokens(**options):
    # In a graph: eagerly each draw would be a call.
    run = tf.function(lambda: draw(num_samples=20_000, max_length=1, **options).tokens)
    tokens = run()
    return np.bincount(tokens[0, :, 0], minlength=6) / 20_000


def softmax(x):
    return np.exp(log_softmax(x))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_as_frequent_as_they_are_probable(temperature):
    expected = softmax(TABLE[START] / temperature)
    # Four standard deviations of a share.
    np.testing.assert_allclose(
        first_tokens(temperature=temperature), expected, atol=4 * 0.5 / 20_000**0.5
    )


def test_top_k_draws_from_the_k_best():
    best = np.argsort(TABLE[START])[::-1][:2]
    expected = np.zeros(6)
    expected[best] = softmax(TABLE[START][best])
    found = first_tokens(top_k=2)
    np.testing.assert_array_equal(found > 0, expected > 0)
    np.testing.assert_allclose(found, expected, atol=4 * 0.5 / 20_000**0.5)


def test_top_p_draws_from_the_fewest_that_hold_its_mass():
    probable = softmax(TABLE[START])
    order = np.argsort(probable)[::-1]
    mass = np.cumsum(probable[order])
    kept = order[:3]
    found = first_tokens(top_p=float((mass[1] + mass[2]) / 2))
    assert set(np.flatnonzero(found)) == set(kept)
    np.testing.assert_allclose(
        found[kept], probable[kept] / mass[2], atol=4 * 0.5 / 20_000**0.5
    )


def test_the_narrowest_draw_is_greedy():
    expected = greedy(table_step(TABLE), tf.zeros([1, 1]), max_length=8)
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}):
        found = draw(max_length=8, **narrow)
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)


@pytest.mark.parametrize("same", [{"top_p": tf.ones([1])}, {"top_k": 6}])
def test_a_truncation_that_takes_nothing_away_changes_no_draw(same):
    plain = draw(num_samples=30, temperature=2.0)
    found = draw(num_samples=30, temperature=2.0, **same)
    np.testing.assert_array_equal(plain.tokens, found.tokens)


def test_each_row_has_its_own_temperature_and_mass():
    narrow, wide = {"seed": 1}, {"seed": 1, "temperature": 3.0, "top_p": 0.8}
    expected = [draw(num_samples=9, max_length=5, **one) for one in (narrow, wide)]
    found = sample(
        table_step(TABLE),
        tf.zeros([2, 1]),
        seed=tf.constant([1, 1]),
        num_samples=9,
        max_length=5,
        temperature=[1.0, 3.0],
        top_p=np.array([1.0, 0.8]),
    )
    for row, one in enumerate(expected):
        np.testing.assert_array_equal(found.lengths[row], one.lengths[0])
        np.testing.assert_allclose(found.scores[row], one.scores[0], rtol=1e-5)


def test_a_row_that_is_told_nonsense_does_not_harm_the_others():
    odd = tf.constant([0.0, np.nan, -1.0, np.inf, 1.0])
    step, state = table_step(TABLE), tf.zeros([5, 1])
    seeds = tf.fill([5], 3)
    alone = draw(seed=3)
    for told in ({"temperature": odd}, {"top_p": odd}):
        found = sample(step, state, seed=seeds, **told)
        assert hypotheses(found, 4) == hypotheses(alone)
        assert np.isfinite(found.scores).all()
        assert (found.lengths.numpy() > 0).all()


def test_what_is_forbidden_may_come_from_a_generator():
    found = draw(num_samples=40, forbid=(id for id in (0, 1, 5)))
    assert set(found.tokens.numpy().ravel()) <= {0, 2, 3, 4}
    assert not (found.tokens[0, :, 0].numpy() == 0).any()


@given(st.integers(0, 2**40), st.integers(1, 4))
def test_a_draw_knows_only_its_seed_and_its_number(seed, count):
    step = table_step(TABLE)
    seeds = tf.constant([seed, 5, seed])
    limits = tf.constant([6, 20, 6])
    company = sample(
        step, tf.zeros([3, 1]), seed=seeds, num_samples=4, max_length=limits
    )
    alone = sample(step, tf.zeros([1, 1]), seed=seed, num_samples=count, max_length=6)
    for row in (0, 2):
        np.testing.assert_array_equal(
            alone.lengths[0], company.lengths[row, :count].numpy()
        )
        steps = alone.tokens.shape[2]
        np.testing.assert_array_equal(
            alone.tokens[0], company.tokens[row, :count, :steps]
        )


def test_one_seed_serves_a_whole_batch():
    step, state = table_step(TABLE / 5), tf.zeros([50, 1])
    rows = sample(step, state, seed=3).tokens[:, 0].numpy()
    assert len(np.unique(rows, axis=0)) > 25
    own = sample(step, state, seed=tf.constant([3 + i * 2**32 for i in range(50)]))
    np.testing.assert_array_equal(rows, own.tokens[:, 0])


def test_a_fresh_process_draws_the_same():
    program = """
import json, sys
import numpy as np, tensorflow as tf
from kattention.search import sample
table = tf.constant(np.random.default_rng(4).normal(size=(6, 6)) * 2, tf.float32)
step = lambda tokens, state: (tf.gather(table, tokens), state, None)
graph = tf.function(lambda seed: sample(step, tf.zeros([2, 1]), seed=seed).tokens)
print(json.dumps(graph(tf.constant([7, 8], tf.int64)).numpy().tolist()))
"""
    found = sample(table_step(TABLE), tf.zeros([2, 1]), seed=tf.constant([7, 8]))
    assert json.loads(run_python(program)) == found.tokens.numpy().tolist()


@pytest.mark.parametrize("options", [{}, {"temperature": 3.0, "forbid": (0, 1)}])
def test_the_score_is_the_models_own(options):
    found = draw(num_samples=5, length_penalty=0.0, max_length=9, **options)
    again = force(
        table_step(TABLE), tf.zeros([5, 1]), tf.reshape(found.tokens, [5, -1])
    )
    np.testing.assert_allclose(found.scores[0], again.scores[:, 0], rtol=1e-5)
    np.testing.assert_array_equal(found.alignments[0], again.alignments[:, 0])
    if options:
        assert not set(found.tokens.numpy().ravel()) & {1}


def test_what_is_forbidden_or_impossible_is_never_drawn():
    logits = np.full((4, 4), -np.inf)
    logits[:, 1] = 0
    found = sample(table_step(logits), tf.zeros([1, 1]), seed=1, forbid=(1,))
    assert found.lengths.numpy().tolist() == [[0]]
    assert np.isfinite(found.scores).all()


def test_a_batch_of_no_rows():
    found = sample(table_step(TABLE), tf.zeros([0, 1]), seed=1, num_samples=2)
    assert found.tokens.shape[:2] == (0, 2)


def test_following_a_sequence_gives_its_log_probability():
    tokens = tf.constant([[4, 5, END], [1, END, 0], [0, 0, 0]])
    found = force(table_step(TABLE), tf.zeros([3, 1]), tokens)
    scores = log_softmax(TABLE)
    expected = scores[START, 4] + scores[4, 5] + scores[5, END]
    np.testing.assert_allclose(found.scores[0, 0], expected, rtol=1e-5)
    np.testing.assert_array_equal(found.tokens[:, 0], tokens)
    assert found.lengths.numpy().tolist() == [[3], [2], [0]]
    # The table's alignment is the token before, one-hot.
    assert found.alignments[0, 0].numpy().argmax(-1).tolist() == [START, 4, 5]
    assert found.scores[2, 0] == np.finfo("float32").min


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, r"finite, got 0: greedy\(\) takes the most probable"),
        ({"top_p": 0}, "top_p must be above 0 and at most 1, got 0"),
        ({"top_k": -1}, "top_k must be at least 0, got -1"),
        ({"num_samples": 0}, "num_samples must be at least 1, got 0"),
        ({"max_length": 0}, "max_length must be at least 1, got 0"),
        ({"temperature": [1.0, 2.0]}, "temperature must have 1 rows, as state has"),
        ({"seed": [1, 2]}, "seed must have 1 rows, as state has"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        draw(**options)


def test_tokens_to_follow_are_a_matrix():
    with pytest.raises(ValueError, match=r"integers \(B, T\), got shape \(2,\)"):
        force(table_step(TABLE), tf.zeros([1, 1]), [4, 3])
    with pytest.raises(ValueError, match=r"tokens must have 2 rows, .* \(1, 2\)"):
        force(table_step(TABLE), tf.zeros([2, 1]), [[4, 3]])
