import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kattention.search import beam, greedy
from tests.conftest import make_seq2seq
from tests.kattention.plain_search import (
    END,
    START,
    all_sequences,
    log_softmax,
    plain_beam,
    wu,
)

EMPTY = np.finfo("float32").min


def table_step(logits):
    """Next-token logits `(V, V)` that depend on the previous token only."""
    logits = tf.constant(logits, tf.float32)
    return lambda tokens, state: (
        tf.gather(logits, tokens),
        state,
        tf.one_hot(tokens, 7),
    )


def tables(size=4):
    numbers = st.floats(-4, 4, width=32)
    return st.lists(
        st.lists(numbers, min_size=size, max_size=size), min_size=size, max_size=size
    )


def hypotheses(result, row=0):
    return [
        tokens[:length].tolist()
        for tokens, length in zip(
            result.tokens[row].numpy(), result.lengths[row].numpy(), strict=True
        )
        if length
    ]


@given(tables(), st.integers(1, 4), st.sampled_from([0.0, 0.6, 1.0, 2.0]))
def test_a_wide_enough_beam_finds_the_true_n_best(logits, max_length, penalty):
    expected = all_sequences(logits, max_length, lambda n: wu(n, penalty))
    width = len(expected)
    result = beam(
        table_step(logits),
        tf.zeros([1, 1]),
        beam_width=width,
        max_length=max_length,
        length_penalty=penalty,
    )
    np.testing.assert_allclose(
        result.scores[0], [score for score, _ in expected], atol=1e-5
    )
    exact = {tuple(tokens): score for score, tokens in expected}
    found = hypotheses(result)
    assert len({tuple(tokens) for tokens in found}) == width
    for tokens, score in zip(found, result.scores[0].numpy(), strict=True):
        assert abs(exact[tuple(tokens)] - score) < 1e-5


@given(
    st.integers(0, 9999),
    st.sampled_from([(1, 1), (2, 1), (3, 1), (2, 2), (4, 2), (6, 3)]),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.6, 1.0]),
)
def test_a_narrow_beam_is_the_one_of_the_definition(seed, size, max_length, penalty):
    width, groups = size
    # Far apart: no two sums are equal but for rounding.
    logits = 3 * np.random.default_rng(seed).normal(size=(6, 6))
    expected = plain_beam(logits, width, max_length, penalty, groups, 0.7)
    result = beam(
        table_step(logits),
        tf.zeros([1, 1]),
        beam_width=width,
        max_length=max_length,
        length_penalty=penalty,
        groups=groups,
        diversity=0.7,
    )
    # Groups may find the same hypothesis: then rounding orders the two.
    np.testing.assert_allclose(
        result.scores[0, : len(expected)], [score for score, _ in expected], atol=1e-5
    )
    assert sorted(hypotheses(result)) == sorted(tokens for _, tokens in expected)


@given(tables(5), st.integers(1, 6))
def test_a_beam_of_one_is_greedy_without_length_penalty(logits, max_length):
    options = {"max_length": max_length, "length_penalty": 0.0}
    one = beam(table_step(logits), tf.zeros([2, 1]), beam_width=1, **options)
    best = greedy(table_step(logits), tf.zeros([2, 1]), **options)
    np.testing.assert_array_equal(one.lengths, best.lengths)
    np.testing.assert_allclose(one.scores, best.scores, atol=1e-5)
    steps = best.tokens.shape[2]
    np.testing.assert_array_equal(one.tokens[..., :steps], best.tokens)
    np.testing.assert_array_equal(one.alignments[..., :steps, :], best.alignments)


@given(st.integers(0, 999), st.integers(1, 4), st.sampled_from([0.0, 1.0]))
def test_rows_do_not_know_each_other(seed, width, penalty):
    # A table for each time: with one for all, paths over the same transitions
    # in another order tie, and rounding would choose.
    shape = (2, 5, 5, 5)
    both = tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)

    def step(tokens, state):
        row, time = state
        logits = tf.gather_nd(both, tf.stack([row, time, tokens], 1))
        return logits, (row, time + 1), None

    options = {"beam_width": width, "max_length": 5, "length_penalty": penalty}
    together = beam(step, (tf.constant([0, 1]), tf.constant([0, 0])), **options)
    for row in (0, 1):
        alone = beam(step, (tf.constant([row]), tf.constant([0])), **options)
        assert hypotheses(alone) == hypotheses(together, row)
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-5)


@given(tables(5), st.integers(1, 5))
def test_scores_never_rise_along_the_list(logits, width):
    result = beam(table_step(logits), tf.zeros([1, 1]), beam_width=width, max_length=6)
    assert (np.diff(result.scores[0]) <= 0).all()
    assert np.isfinite(result.scores).all()


def test_the_scores_are_the_teacher_forced_log_probabilities():
    model = make_seq2seq()
    source = tf.constant([[5, 6, 7, 3], [8, 3, 0, 0]])
    memory, state = model.encode(source)
    result = beam(
        lambda tokens, state: model.step(tokens, state, memory),
        state,
        max_length=6,
        beam_width=4,
        length_penalty=0.0,
    )
    for row, k in itertools.product(range(2), range(4)):
        length = int(result.lengths[row, k])
        tokens = result.tokens[row, k, :length].numpy()
        target = tf.constant([[START, *tokens[:-1]]])
        scores = log_softmax(model([source[row : row + 1], target]).numpy())[0]
        own = scores[np.arange(length), tokens]
        np.testing.assert_allclose(result.scores[row, k], own.sum(), rtol=1e-5)
        found = result.token_scores[row, k].numpy()
        np.testing.assert_allclose(found[:length], own, atol=1e-5)
        assert (found[length:] == 0).all()


def test_every_hypothesis_keeps_its_own_alignment():
    rng = np.random.default_rng(3)
    result = beam(
        table_step(rng.normal(size=(7, 7))),
        tf.zeros([2, 1]),
        beam_width=4,
        max_length=6,
    )
    # The table's alignment is the token before, one-hot.
    for row, k in itertools.product(range(2), range(4)):
        length = int(result.lengths[row, k])
        before = [START, *result.tokens[row, k, : length - 1].numpy()]
        alignment = result.alignments[row, k].numpy()
        assert alignment[:length].argmax(-1).tolist() == before
        assert (alignment[length:] == 0).all()
        assert (result.tokens[row, k, length:] == 0).numpy().all()


@pytest.mark.parametrize("search", [greedy, beam])
def test_runs_in_a_graph_for_any_batch(search):
    step = table_step(np.random.default_rng(0).normal(size=(6, 6)))
    graph = tf.function(
        lambda state: search(step, state, max_length=5),
        input_signature=[tf.TensorSpec([None, 1])],
    )
    for rows in (0, 1, 3):
        eager, traced = search(step, tf.zeros([rows, 1]), max_length=5), None
        traced = graph(tf.zeros([rows, 1]))
        assert eager.tokens.shape[0] == rows
        for ours, theirs in zip(eager, traced, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_each_row_may_have_its_own_limit():
    never_ends = np.full((5, 5), 0.0)
    never_ends[:, END] = -50
    limits = tf.constant([1, 3])
    result = beam(
        table_step(never_ends), tf.zeros([2, 1]), max_length=limits, beam_width=2
    )
    assert result.lengths.numpy().tolist() == [[1, 1], [3, 3]]
    best = greedy(table_step(never_ends), tf.zeros([2, 1]), max_length=limits)
    assert best.lengths.numpy().tolist() == [[1], [3]]


def test_an_early_end_waits_for_the_row_that_goes_on():
    def step(tokens, row):
        ends = tf.one_hot([END], 5, 40.0, 0.0)
        goes_on = tf.one_hot([4], 5, 40.0, 0.0)
        return tf.where(row[:, None] == 0, ends, goes_on), row, None

    result = beam(step, tf.constant([0, 1]), beam_width=2, max_length=4)
    assert hypotheses(result, 0)[0] == [END]
    assert hypotheses(result, 1)[0] == [4, 4, 4, 4]
    assert result.alignments is None


def test_impossible_tokens_leave_slots_empty():
    logits = np.full((5, 5), -np.inf)
    logits[:, END] = 0
    result = beam(table_step(logits), tf.zeros([1, 1]), beam_width=3, max_length=4)
    assert result.lengths.numpy().tolist() == [[1, 0, 0]]
    assert result.scores.numpy().tolist() == [[0.0, EMPTY, EMPTY]]
    assert (result.tokens[0, 1:] == 0).numpy().all()
    assert (result.alignments[0, 1:] == 0).numpy().all()


def test_forbidden_tokens_are_not_produced_and_nothing_is_renormalised():
    logits = np.zeros((5, 5))
    options = {"forbid": (0, 1, 2), "max_length": 2, "length_penalty": 0.0}
    result = beam(table_step(logits), tf.zeros([1, 1]), beam_width=3, **options)
    np.testing.assert_allclose(result.scores[0], np.log([0.2, 0.04, 0.04]), rtol=1e-5)
    assert set(result.tokens.numpy().ravel()) <= {0, 3, 4}
    best = greedy(table_step(logits), tf.zeros([1, 1]), **options)
    assert best.tokens.numpy().tolist() == [[[END]]]


def test_a_step_function_of_several_rows_of_state_is_gathered():
    """The state counts; after pruning each hypothesis must have its own count."""
    rng = np.random.default_rng(5)
    logits = tf.constant(rng.normal(size=(6, 6)), tf.float32)

    def step(tokens, state):
        history = tf.concat([state["history"][:, 1:], tokens[:, None]], axis=1)
        alignment = tf.cast(history, tf.float32)
        return tf.gather(logits, tokens), {"history": history}, alignment

    result = beam(
        step, {"history": tf.zeros([2, 4], tf.int32)}, beam_width=3, max_length=4
    )
    for tokens, length, alignment in zip(
        result.tokens[0].numpy(), result.lengths[0], result.alignments[0], strict=True
    ):
        if length == 4:
            assert alignment[3].numpy().tolist() == [START, *tokens[:3]]


@pytest.mark.parametrize("bad", [{"beam_width": 0}, {"max_length": 0}, {"state": ()}])
def test_what_cannot_be_searched_is_refused(bad):
    arguments = {"state": tf.zeros([1, 1]), **bad}
    with pytest.raises(ValueError, match="at least"):
        beam(table_step(np.zeros((4, 4))), arguments.pop("state"), **arguments)
