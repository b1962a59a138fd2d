import itertools

import numpy as np
import pytest
import tensorflow as tf

from kattention.text import SubwordTokenizer
from recipes.translation.data import filtering
from recipes.translation.data.batches import Batches
from recipes.translation.data.encoded import encode, open_encoded
from recipes.translation.data.files import Pairs

SOURCES = [("ab " * (1 + i % 13)).strip() for i in range(101)]
PAIRS = Pairs(SOURCES, [[source[::-1]] for source in SOURCES])


@pytest.fixture(scope="module")
def tokenizer():
    return SubwordTokenizer.train(SOURCES, 300)


@pytest.fixture(scope="module")
def encoded(tokenizer, tmp_path_factory):
    return encode(tmp_path_factory.mktemp("ids") / "pairs", PAIRS, tokenizer, tokenizer)


def epoch(batches, seed, number):
    first = number * batches.steps
    taken = itertools.islice(batches.endless(seed, first), batches.steps)
    return [
        (source.numpy(), inputs.numpy(), outputs.numpy())
        for (source, inputs), outputs in taken
    ]


def rows(batches):
    return [tuple(row[row != 0]) for source, *_ in batches for row in source]


def test_a_pass_shows_every_pair_once_in_the_steps_it_announces(tokenizer, encoded):
    batches = Batches(encoded, 60)
    expected = sorted((*ids, 3) for ids in tokenizer.encode(SOURCES).to_list())
    assert sorted(rows(epoch(batches, 1, 0))) == expected
    once = list(batches.once())
    assert len(once) == batches.steps == int(batches.once().cardinality())
    assert len(batches) == len(SOURCES)


def test_targets_are_framed_and_shifted(encoded):
    for source, inputs, outputs in epoch(Batches(encoded, 60), 1, 0):
        assert (inputs[:, 0] == 2).all()
        for row_in, row_out in zip(inputs, outputs, strict=True):
            length = (row_out != 0).sum()
            assert row_out[length - 1] == 3
            np.testing.assert_array_equal(row_in[1:length], row_out[: length - 1])
        assert ((source == 3).sum(axis=1) == 1).all()


def test_source_and_target_of_a_pair_stay_together(tokenizer, encoded):
    pairs = dict(zip(SOURCES, PAIRS.targets, strict=True))
    for source, inputs, _ in epoch(Batches(encoded, 60), 1, 0):
        texts = (tokenizer.decode(ids).numpy().tolist() for ids in (source, inputs))
        for one, other in zip(*texts, strict=True):
            assert pairs[one.decode()] == other.decode()


def test_batches_keep_the_token_budget_and_little_padding(encoded):
    for source, inputs, _ in epoch(Batches(encoded, 60), 1, 0):
        assert (
            len(source) == 1
            or len(source) * max(source.shape[1], inputs.shape[1]) <= 60
        )
        lengths = (source != 0).sum(axis=1)
        assert lengths.max() - lengths.min() < 5


def test_orders_differ_by_epoch_and_seed_and_are_reproducible(encoded):
    batches = Batches(encoded, 60)
    first = rows(epoch(batches, 1, 0))
    assert rows(epoch(batches, 1, 0)) == first
    assert rows(epoch(batches, 1, 1)) != first
    assert rows(epoch(batches, 2, 0)) != first
    # Nor does a seed of TensorFlow's own matter.
    tf.random.set_seed(5)
    assert rows(epoch(batches, 1, 0)) == first


def test_going_on_at_any_step_shows_what_would_have_come(encoded):
    batches = Batches(encoded, 60)
    whole = list(itertools.islice(batches.endless(1), 3 * batches.steps))
    for step in (1, batches.steps, 2 * batches.steps - 1):
        later = itertools.islice(batches.endless(1, step), batches.steps)
        for ours, theirs in zip(later, whole[step:], strict=False):
            np.testing.assert_array_equal(ours[0][0], theirs[0][0])
            np.testing.assert_array_equal(ours[1], theirs[1])


def test_a_folder_of_ids_is_written_once_and_whole(tokenizer, tmp_path):
    def broken():
        yield "ab", "ba"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        encode(tmp_path / "ids", broken(), tokenizer, tokenizer)
    assert not (tmp_path / "ids").exists()
    first = encode(tmp_path / "ids", PAIRS, tokenizer, tokenizer)
    again = open_encoded(tmp_path / "ids")
    np.testing.assert_array_equal(first.source.flat, again.source.flat)
    assert {path.name for path in tmp_path.iterdir()} == {"ids"}


def test_links_between_words_become_links_between_tokens(tmp_path):
    tokenizer = SubwordTokenizer.train(["xyz"], 300)  # every character is a token
    pairs = [
        ("ab c", "d", {(1, 0)}),
        ("a", "b", set()),
        ("p q", "r s", {(0, 1), (1, 0)}),
    ]
    encoded = encode(tmp_path / "ids", pairs, tokenizer, tokenizer)
    found = {}
    for (source, _), (outputs, links) in Batches(encoded, 1000, guided=True).once():
        assert links.shape == (*outputs.shape, source.shape[1])
        for ids, row in zip(source.numpy(), links.numpy(), strict=True):
            [text] = tokenizer.decode([ids]).numpy()
            found[text] = list(zip(*np.nonzero(row), strict=True))
    # Tokens: a space, a, b, a space, c, end; a space, d, end.
    assert found[b"ab c"] == [(1, 4)]
    assert found[b"a"] == []
    assert found[b"p q"] == [(1, 3), (3, 1)]


def test_pairs_that_do_not_help_are_left_out_and_counted(tokenizer, tmp_path):
    pairs = [("ab ab", "ba"), ("", "ba"), ("ab", ""), ("ab ab", "ba"), ("ab", "ab")]
    pairs += [("ab " * 12, "b"), ("ab " * 13, "b " * 20)]
    encoded = encode(tmp_path / "ids", pairs, tokenizer, tokenizer)
    found = filtering.select(encoded, max_tokens=20, max_ratio=4)
    assert found.chosen.tolist() == [0, 4]
    assert list(found.left_out.values()) == [2, 1, 1, 1]
    assert "1 duplicates" in str(found)
    assert len(Batches(encoded, 60, found.chosen)) == 2
