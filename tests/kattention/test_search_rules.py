"""Rules of a beam search, compared with all sequences that obey them."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kattention.search import (
    MinLength,
    NoRepeatNgram,
    PerToken,
    Prefix,
    Rule,
    beam,
    greedy,
    sample,
)
from tests.kattention.plain_search import END, START, all_sequences, log_softmax, wu
from tests.kattention.test_search import hypotheses, table_step


def repeats(tokens, size):
    ngrams = [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]
    return len(set(ngrams)) < len(ngrams)


def check(logits, expected, **options):
    """A beam wide enough for all sequences finds those that are expected."""
    result = beam(table_step(logits), tf.zeros([1, 1]), beam_width=400, **options)
    assert sorted(hypotheses(result)) == sorted(tokens for _, tokens in expected)
    scores = result.scores[0, : len(expected)]
    np.testing.assert_allclose(scores, [score for score, _ in expected], atol=1e-5)


def random_table(seed, size=4):
    return np.random.default_rng(seed).normal(size=(size, size))


@given(st.integers(0, 999), st.integers(1, 5), st.integers(1, 5))
def test_no_sequence_is_shorter_than_told(seed, least, most):
    logits = random_table(seed)
    expected = all_sequences(
        logits, most, lambda n: wu(n, 1), lambda t: len(t) >= min(least, most)
    )
    if least > most:  # what stops at the limit has not ended
        expected = [pair for pair in expected if pair[1][-1] != END]
    check(logits, expected, max_length=most, rules=[MinLength(least)])


@given(st.integers(0, 999), st.integers(1, 3), st.integers(1, 5))
def test_no_ngram_comes_twice(seed, size, most):
    logits = random_table(seed)
    expected = all_sequences(
        logits, most, lambda n: wu(n, 1), lambda tokens: not repeats(tokens, size)
    )
    check(logits, expected, max_length=most, rules=[NoRepeatNgram(size)])


@given(st.integers(0, 999), st.lists(st.integers(0, 2), max_size=3).filter(all))
def test_every_sequence_begins_with_the_prefix(seed, prefix):
    logits = random_table(seed)
    expected = all_sequences(
        logits, 5, lambda n: wu(n, 1), lambda t: t[: len(prefix)] == prefix
    )
    given_ids = tf.constant([prefix], tf.int32, shape=[1, len(prefix)])
    check(logits, expected, max_length=5, rules=[Prefix(given_ids)])


def test_rows_have_prefixes_of_their_own():
    step = table_step(random_table(1, 6))
    prefix = tf.constant([[4, 5, 4], [5, 0, 0], [0, 0, 0]])
    options = {"max_length": 6, "beam_width": 3}
    together = beam(step, tf.zeros([3, 1]), rules=[Prefix(prefix)], **options)
    free = beam(step, tf.zeros([1, 1]), **options)
    assert hypotheses(together, 2) == hypotheses(free)
    assert all(found[:3] == [4, 5, 4] for found in hypotheses(together, 0))
    assert all(found[0] == 5 for found in hypotheses(together, 1))


@given(st.integers(0, 999), st.lists(st.integers(1, 2), max_size=2))
def test_what_may_follow_the_prefix_is_told(seed, prefix):
    logits = random_table(seed)
    where = len(prefix)
    expected = all_sequences(
        logits,
        4,
        lambda n: wu(n, 1),
        lambda t: t[:where] == prefix and len(t) > where and t[where] in (1, END),
    )
    given_ids = tf.constant([prefix], tf.int32, shape=[1, where])
    follows = tf.constant([[False, True, False, True]])
    check(logits, expected, max_length=4, rules=[Prefix(given_ids, follows)])


def test_a_prefix_goes_against_all_other_rules():
    result = beam(
        table_step(random_table(1)),
        tf.zeros([1, 1]),
        forbid=(1,),
        rules=[NoRepeatNgram(1), MinLength(6), Prefix([[1, 1, 1, END]])],
        beam_width=2,
    )
    assert hypotheses(result)[0] == [1, 1, 1, END]


def test_what_follows_the_prefix_may_repeat_it():
    result = beam(
        table_step(random_table(1)),
        tf.zeros([1, 1]),
        rules=[NoRepeatNgram(1), Prefix([[1, 1]], [[False, True, False, False]])],
        beam_width=1,
    )
    assert hypotheses(result)[0][:3] == [1, 1, 1]


@given(st.integers(0, 999), st.sampled_from([0.5, 1.0]))
def test_plain_length_normalisation_divides_by_the_length(seed, alpha):
    logits = random_table(seed)
    expected = all_sequences(logits, 4, lambda n: n**alpha)
    check(logits, expected, max_length=4, length_penalty=PerToken(alpha))


@given(st.integers(0, 999), st.floats(0.01, 2))
def test_coverage_counts_when_a_hypothesis_finishes(seed, penalty):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(4, 4))
    alignments = rng.dirichlet(np.ones(3), size=4).astype("float32")
    alignments[:, 2] = 0  # padding, which nobody has to read

    def step(tokens, state):
        return tf.gather(logits, tokens), state, tf.gather(alignments, tokens)

    def unread(tokens):
        read = sum(alignments[token] for token in [START, *tokens[:-1]])
        return np.log(np.minimum(read[:2], 1)).sum()

    expected = [
        (score + penalty * unread(tokens), tokens)
        for score, tokens in all_sequences(logits, 4, lambda n: wu(n, 1))
    ]
    result = beam(
        step,
        tf.zeros([1, 1]),
        beam_width=len(expected),
        max_length=4,
        coverage_penalty=penalty,
        source_mask=tf.constant([[True, True, False]]),
    )
    scores = sorted((score for score, _ in expected), reverse=True)
    np.testing.assert_allclose(result.scores[0], scores, atol=1e-4)
    assert sorted(hypotheses(result)) == sorted(tokens for _, tokens in expected)


def test_no_row_is_shorter_than_its_own_least():
    logits = random_table(3, 5)
    logits[:, END] = 9
    result = beam(
        table_step(logits), tf.zeros([2, 1]), beam_width=1, rules=[MinLength([1, 4])]
    )
    assert result.lengths.numpy().tolist() == [[1], [4]]


def test_a_row_stops_when_nothing_can_get_better():
    logits = np.zeros((5, 5))
    logits[:, END] = 9
    result = beam(
        table_step(logits),
        tf.zeros([1, 1]),
        beam_width=2,
        max_length=50,
        length_penalty=0.0,
    )
    assert result.tokens.shape[2] < 4


def test_groups_keep_apart_in_ends_and_at_the_limit_too():
    logits = np.log(np.full((6, 6), 0.06))
    logits[:, END] = np.log(0.7)
    options = {"beam_width": 3, "groups": 3, "diversity": 50.0}
    for most in (1, 4):
        result = beam(table_step(logits), tf.zeros([1, 1]), max_length=most, **options)
        assert len({found[0] for found in hypotheses(result)}) == 3


def test_groups_keep_apart():
    logits = random_table(2, 8)
    logits[:, END] = -9
    options = {"max_length": 4, "beam_width": 4}
    alike = beam(table_step(logits), tf.zeros([1, 1]), **options)
    apart = beam(
        table_step(logits), tf.zeros([1, 1]), groups=4, diversity=50.0, **options
    )
    assert len({found[0] for found in hypotheses(alike)}) < 4
    assert len({found[0] for found in hypotheses(apart)}) == 4
    # The scores are the model's own, without what it cost to be alike.
    scores = log_softmax(logits)
    for score, tokens in zip(apart.scores[0].numpy(), hypotheses(apart), strict=True):
        pairs = zip([START, *tokens[:-1]], tokens, strict=True)
        total = sum(scores[a, b] for a, b in pairs)
        np.testing.assert_allclose(score, total / wu(len(tokens), 1), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rules": [MinLength(0)]}, "min_length must be at least 1, got 0"),
        ({"rules": [MinLength]}, r"rules must be .* such as MinLength\(3\), got <"),
        ({"groups": 3}, "groups must divide the beam_width 1, got 3"),
        ({"coverage_penalty": 0.2}, "coverage_penalty needs source_mask, got None"),
        ({"diversity": -1}, "diversity must be at least 0 and finite, got -1"),
        ({"length_penalty": float("nan")}, "must be a finite number, got nan"),
        ({"max_length": np.int64(0)}, "max_length must be at least 1, got 0"),
        ({"max_length": [0, 3]}, r"max_length must be at least 1, got \[0, 3\]"),
        ({"max_length": 2.5}, "max_length must be integers, got float32"),
        ({"coverage_penalty": -1}, "at least 0 and finite, got -1"),
        ({"coverage_penalty": float("inf")}, "at least 0 and finite, got inf"),
        ({"max_length": [5]}, r"max_length must have 2 rows, as state has, got shape"),
        ({"max_length": [[5], [5]]}, r"numbers \(B,\), got shape \(2, 1\)"),
        (
            {"rules": [Prefix([[1]])]},
            "ids of a prefix must have 2 rows",
        ),
        (
            {"rules": [Prefix([[1], [1]], [[True] * 4])]},
            "after of a prefix must have 2 rows",
        ),
        (
            {"coverage_penalty": 0.2, "source_mask": [[True] * 4]},
            "source_mask must have 2 rows",
        ),
    ],
)
def test_rules_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        beam(table_step(np.zeros((4, 4))), tf.zeros([2, 1]), beam_width=1, **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NoRepeatNgram(0), "size must be at least 1, got 0"),
        (lambda: Prefix([4, 5]), r"ids of a prefix must be \(B, P\), got shape \(2,\)"),
        (lambda: Prefix([[4.9]]), "ids of a prefix must be integers, got float32"),
    ],
)
def test_rules_that_cannot_be_made_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


class NoOddTokens(Rule):
    def open(self, search):
        return lambda allowed, moment: tf.where(
            tf.range(allowed.shape[-1]) % 2 == 1, -float("inf"), allowed
        )


@pytest.mark.parametrize(
    "search", [greedy, beam, lambda *a, **o: sample(*a, seed=1, **o)]
)
def test_a_rule_of_ones_own_works_in_every_search(search):
    logits = random_table(5, 7)
    result = search(
        table_step(logits), tf.zeros([2, 1]), rules=[NoOddTokens()], max_length=6
    )
    assert (result.tokens.numpy() % 2 == 0).all()
    assert (result.lengths.numpy() == 6).all()


def test_coverage_without_an_alignment_is_refused():
    step = table_step(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="returns an alignment, got None"):
        beam(
            lambda tokens, state: (*step(tokens, state)[:2], None),
            tf.zeros([1, 1]),
            coverage_penalty=0.2,
            source_mask=tf.ones([1, 7], tf.bool),
        )
