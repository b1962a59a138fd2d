"""Rows, vocabularies and sources that other searches trip over."""

import numpy as np
import pytest
import tensorflow as tf

from kattention.search import beam, force, greedy, sample
from tests.conftest import make_seq2seq
from tests.kattention.plain_search import END
from tests.kattention.test_search import hypotheses, table_step

SEARCHES = {
    "greedy": greedy,
    "beam": beam,
    "sample": lambda *args, **options: sample(*args, seed=1, **options),
}


@pytest.fixture(params=SEARCHES)
def search(request):
    return SEARCHES[request.param]


def test_one_row_ends_at_once_and_one_never(search):
    def step(tokens, row):
        ends = tf.one_hot([END], 9, 80.0, 0.0)
        goes_on = tf.one_hot([4], 9, 80.0, 0.0)
        return tf.where(row[:, None] == 0, ends, goes_on), row, None

    result = search(step, tf.constant([0, 1]), max_length=7)
    assert hypotheses(result, 0)[0] == [END]
    assert hypotheses(result, 1)[0] == [4] * 7
    np.testing.assert_allclose(result.scores[:, 0], 0, atol=1e-5)


def test_a_vocabulary_smaller_than_the_beam():
    logits = np.log([[0.6, 0.4], [0.3, 0.7]])
    result = beam(
        table_step(logits),
        tf.zeros([1, 1]),
        beam_width=8,
        start=0,
        end=1,
        max_length=2,
        length_penalty=0.0,
    )
    # Ends at once, or goes on and does or does not end: three there are.
    assert sorted(hypotheses(result)) == [[0, 0], [0, 1], [1]]
    np.testing.assert_allclose(
        np.exp(result.scores[0, :3]), [0.4, 0.36, 0.24], rtol=1e-5
    )


def test_one_step_is_enough(search):
    logits = np.random.default_rng(0).normal(size=(6, 6))
    result = search(table_step(logits), tf.zeros([2, 1]), max_length=1)
    assert result.tokens.shape[2] == 1
    assert (result.lengths.numpy() == 1).all()
    assert np.isfinite(result.scores).all()


def test_a_source_of_no_positions(search):
    step = table_step(np.zeros((5, 5)))
    result = search(
        lambda tokens, state: (*step(tokens, state)[:2], tf.zeros([len(tokens), 0])),
        tf.zeros([2, 1]),
        max_length=3,
    )
    assert result.alignments.shape[-1] == 0
    assert np.isfinite(result.scores).all()


def test_a_source_of_padding_alone(search):
    model = make_seq2seq()
    memory, state = model.encode(tf.constant([[5, 6, 3], [0, 0, 0]]))
    result = search(
        lambda tokens, state: model.step(tokens, state, memory), state, max_length=4
    )
    assert np.isfinite(result.scores).all()
    assert (result.alignments[1].numpy() == 0).all()
    assert (result.alignments[0, 0, 0].numpy() > 0).all()


def test_all_tokens_equally_probable():
    result = beam(
        table_step(np.zeros((5, 5))), tf.zeros([1, 1]), max_length=3, beam_width=4
    )
    found = hypotheses(result)
    assert len({tuple(tokens) for tokens in found}) == 4
    for tokens, score in zip(found, result.scores[0].numpy(), strict=True):
        expected = len(tokens) * np.log(0.2) / ((5 + len(tokens)) / 6)
        np.testing.assert_allclose(score, expected, rtol=1e-5)


def test_only_one_token_is_possible(search):
    logits = np.full((6, 6), -np.inf)
    logits[:, 4] = 0
    result = search(table_step(logits), tf.zeros([1, 1]), max_length=3)
    assert hypotheses(result) == [[4, 4, 4]]
    assert float(result.scores[0, 0]) == 0
    assert not np.isnan(result.scores).any()


def test_nothing_is_possible(search):
    result = search(table_step(np.full((6, 6), -np.inf)), tf.zeros([1, 1]))
    assert hypotheses(result) == []
    assert np.isfinite(result.scores).all()


def test_what_cannot_be_followed_has_no_score():
    logits = np.full((6, 6), -np.inf)
    logits[:, 4] = 0
    result = force(table_step(logits), tf.zeros([2, 1]), [[4, 4], [5, 4]])
    assert result.scores.numpy().tolist() == [[0.0], [np.finfo("float32").min]]
    assert hypotheses(result, 1) == []


def test_logits_without_a_known_size_are_refused():
    @tf.function(input_signature=[tf.TensorSpec([None, None])])
    def run(table):
        step = lambda tokens, state: (tf.gather(table, tokens), state, None)  # noqa: E731
        return beam(step, tf.zeros([1, 1])).tokens

    with pytest.raises(ValueError, match=r"known last dimension, got .*ensure_shape"):
        run(tf.zeros([5, 5]))


@pytest.mark.parametrize("search", [beam, greedy])
@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            lambda state: (tf.zeros([3, 5]), state, None),
            "as its tokens have, got",
        ),
        (
            lambda state: (tf.zeros([3, 1, 5]), state, None),
            "return logits .N, V.,",
        ),
        (
            lambda state: (tf.zeros([2, 5]), state, tf.zeros([3, 4])),
            "the alignment of step must have",
        ),
        (
            lambda state: (tf.zeros([2, 5]), state, tf.zeros([2, 1, 4])),
            "an alignment .N, S., got",
        ),
        (lambda state: (tf.zeros([2, 5]), state), "return .logits, state, alignment.,"),
        (lambda state: None, "alignment., got NoneType"),
    ],
)
def test_a_step_that_returns_something_else_is_refused(search, returned, message):
    with pytest.raises(ValueError, match=message):
        options = {"beam_width": 1} if search is beam else {}
        search(lambda tokens, state: returned(state), tf.zeros([2, 1]), **options)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([tf.zeros([2, 1]), tf.zeros([3, 1])], "state must have 2 rows, as its first"),
        (None, "state must hold at least one tensor.* and no None, got None"),
        ([], "state must hold at least one tensor"),
        (tf.zeros([]), "state must hold tensors with rows, got a scalar"),
    ],
)
def test_a_state_without_rows_is_refused(state, message):
    with pytest.raises(ValueError, match=message):
        beam(table_step(np.zeros((4, 4))), state)


def test_tokens_with_a_fraction_are_refused():
    step, state = table_step(np.zeros((6, 6))), tf.zeros([1, 1])
    with pytest.raises(ValueError, match="tokens must be integers, got float32"):
        force(step, state, [[4.9]])


def test_a_graph_does_not_spread_numbers_of_one_row_over_others():
    @tf.function(input_signature=[tf.TensorSpec([None, 1]), tf.TensorSpec([None])])
    def draw(state, temperature):
        return sample(
            table_step(np.zeros((6, 6))), state, seed=1, temperature=temperature
        )

    assert draw(tf.zeros([2, 1]), tf.ones([2])).tokens.shape[0] == 2
    with pytest.raises(tf.errors.InvalidArgumentError, match="temperature must be a"):
        draw(tf.zeros([2, 1]), tf.ones([1]))
