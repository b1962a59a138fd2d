import itertools

import numpy as np
import pytest
import tensorflow as tf

from kattention.text import SubwordTokenizer
from recipes.translation.files import Pairs
from recipes.translation.pipeline import Batches

SOURCES = [("ab " * (1 + i % 13)).strip() for i in range(101)]
PAIRS = Pairs(SOURCES, [[source[::-1]] for source in SOURCES])


@pytest.fixture(scope="module")
def tokenizer():
    return SubwordTokenizer.train(SOURCES, 300)


def make(tokenizer, tokens=60, longest=None):
    return Batches(PAIRS, tokenizer, tokenizer, tokens, longest)


def epoch(batches, seed, number):
    taken = itertools.islice(batches.endless(seed, number), batches.steps)
    return [
        (source.numpy(), inputs.numpy(), outputs.numpy())
        for (source, inputs), outputs in taken
    ]


def rows(batches):
    return [tuple(row[row != 0]) for source, *_ in batches for row in source]


def test_a_pass_shows_every_pair_once_in_the_steps_it_announces(tokenizer):
    batches = make(tokenizer)
    expected = sorted((*ids, 3) for ids in tokenizer.encode(SOURCES).to_list())
    assert sorted(rows(epoch(batches, 1, 0))) == expected
    once = list(batches.once())
    assert len(once) == batches.steps == int(batches.once().cardinality())


def test_targets_are_framed_and_shifted(tokenizer):
    for source, inputs, outputs in epoch(make(tokenizer), 1, 0):
        assert (inputs[:, 0] == 2).all()
        for row_in, row_out in zip(inputs, outputs, strict=True):
            length = (row_out != 0).sum()
            assert row_out[length - 1] == 3
            np.testing.assert_array_equal(row_in[1:length], row_out[: length - 1])
        assert ((source == 3).sum(axis=1) == 1).all()


def test_batches_keep_the_token_budget_and_little_padding(tokenizer):
    for source, inputs, _ in epoch(make(tokenizer), 1, 0):
        assert (
            len(source) == 1
            or len(source) * max(source.shape[1], inputs.shape[1]) <= 60
        )
        lengths = (source != 0).sum(axis=1)
        assert lengths.max() - lengths.min() < 5


def test_orders_differ_by_epoch_and_seed_and_are_reproducible(tokenizer):
    batches = make(tokenizer)
    first = rows(epoch(batches, 1, 0))
    assert rows(epoch(batches, 1, 0)) == first
    assert rows(epoch(batches, 1, 1)) != first
    assert rows(epoch(batches, 2, 0)) != first
    # Nor does a seed of TensorFlow's own matter.
    tf.random.set_seed(5)
    assert rows(epoch(batches, 1, 0)) == first
    # Going on with epoch 1 shows what an uninterrupted run shows there.
    both = itertools.islice(batches.endless(1, 0), 2 * batches.steps)
    later = [source.numpy() for (source, _), _ in both][batches.steps :]
    for ours, theirs in zip(later, epoch(batches, 1, 1), strict=True):
        np.testing.assert_array_equal(ours, theirs[0])


def test_long_pairs_are_left_out_and_counted(tokenizer):
    batches = make(tokenizer, longest=6)
    assert batches.left_out > 0
    assert batches.left_out + batches.pairs == len(SOURCES)
    assert max(len(row) for row in rows(epoch(batches, 1, 0))) <= 6
