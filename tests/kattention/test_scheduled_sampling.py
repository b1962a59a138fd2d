"""Scheduled sampling: training on the model's own predictions."""

import keras
import numpy as np
import pytest
from keras import ops

from kattention.drawing import draw
from kattention.training import ScheduledSampling, TokenCrossentropy
from tests.conftest import make_seq2seq

pytestmark = [
    pytest.mark.any_backend,
    pytest.mark.skipif(
        keras.backend.backend() == "jax", reason="its loop has no gradient on JAX"
    ),
]
SOURCE = np.array([[5, 6, 7, 3], [8, 3, 0, 0]], "int32")
TARGET = np.array([[2, 9, 10, 11, 12], [2, 13, 14, 0, 0]], "int32")


class Counting(keras.Model):
    """After token n comes n + 2, for certain; the state counts the steps."""

    def encode(self, source_ids, training=None):
        return (), [ops.zeros((ops.shape(source_ids)[0], 1))]

    def step(self, tokens, state, memory, training=None):
        return 100.0 * ops.one_hot(tokens + 2, 40), [state[0] + 1], None

    def call(self, inputs, training=None):
        return inputs[1]


def test_replaced_tokens_follow_what_was_mixed_before_them():
    target = np.full((200, 6), 30, "int32")
    target[:, 0], target[:, 4:] = 2, 0
    mixed = ops.convert_to_numpy(ScheduledSampling(Counting(), 0.5).mix(target, target))
    assert (mixed[:, 0] == 2).all()
    assert (mixed[:, 4:] == 0).all()
    own = mixed[:, 1:4] == mixed[:, :3] + 2
    kept = mixed[:, 1:4] == 30
    assert (own | kept).all()
    assert 0.4 < own.mean() < 0.6


def test_all_are_drawn_or_none(rng):
    target = np.full((2, 4), 30, "int32")
    target[:, 0] = 2
    everything = ScheduledSampling(Counting(), 1.0)
    drawn = [[2, 4, 6, 8]] * 2
    np.testing.assert_array_equal(everything([target, target], training=True), drawn)
    np.testing.assert_array_equal(everything([target, target]), target)
    nothing = ScheduledSampling(Counting())
    np.testing.assert_array_equal(nothing([target, target], training=True), target)


def test_tokens_are_drawn_without_dropout():
    class Dropping(Counting):
        def __init__(self):
            super().__init__()
            self.drop = keras.layers.Dropout(0.5)

        def encode(self, source_ids, training=None):
            _, state = super().encode(source_ids)
            return self.drop(ops.ones((2, 100)), training=training), state

        def step(self, tokens, state, memory, training=None):
            kept = self.drop(ops.ones((2, 100)), training=training)
            ones = ops.logical_and(ops.all(kept == 1), ops.all(memory == 1))
            logits, state, _ = super().step(tokens, state, memory)
            return ops.where(ones, logits, -logits), state, None

    target = np.full((2, 4), 30, "int32")
    target[:, 0] = 2
    drawn = ScheduledSampling(Dropping(), 1.0)([target, target], training=True)
    np.testing.assert_array_equal(ops.convert_to_numpy(drawn), [[2, 4, 6, 8]] * 2)


def test_tokens_are_drawn_by_their_probabilities():
    class Fixed(Counting):
        def step(self, tokens, state, memory, training=None):
            # Padding and the end token have most of it, and are not drawn.
            logits = ops.log(ops.array([[5.0, 0.1, 0.6, 9.0, 0.3]]))
            return ops.repeat(logits, ops.shape(tokens)[0], axis=0), state, None

    target = np.full((4000, 2), 1, "int32")
    mixed = ScheduledSampling(Fixed(), 1.0).mix(target, target)
    shares = np.bincount(ops.convert_to_numpy(mixed)[:, 1], minlength=5) / 4000
    np.testing.assert_allclose(shares, [0, 0.1, 0.6, 0, 0.3], atol=0.03)


@pytest.mark.parametrize(("uniform", "token"), [(0.0, 1), (1 - 2.0**-23, 3)])
def test_the_ends_of_a_draw_are_tokens_and_never_padding(uniform, token):
    logits = np.array([[-1e9, 1.0, 2.0, 3.0]] * 2, "float32")
    drawn = draw(ops.array(logits), ops.array([uniform] * 2, "float32"))
    np.testing.assert_array_equal(ops.convert_to_numpy(drawn), [token] * 2)


def test_the_end_token_is_not_replaced():
    target = np.array([[2, 30, 3, 0], [2, 30, 30, 3]], "int32")
    mixed = ops.convert_to_numpy(ScheduledSampling(Counting(), 1.0).mix(target, target))
    np.testing.assert_array_equal(mixed, [[2, 4, 3, 0], [2, 4, 6, 3]])


def test_it_trains_the_model_and_survives_its_file(tmp_path):
    model = make_seq2seq(dropout=0.1)
    trained = ScheduledSampling(model, 0.25)
    trained.compile("adam", TokenCrossentropy(), jit_compile=False)
    before = list(map(ops.convert_to_numpy, model.trainable_weights))
    outputs = np.concatenate([TARGET[:, 1:], np.array([[3], [0]])], axis=1)
    trained.fit([SOURCE, TARGET], outputs, epochs=2, verbose=0)
    after = list(map(ops.convert_to_numpy, model.trainable_weights))
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    trained.save(tmp_path / "trained.keras")
    loaded = keras.models.load_model(tmp_path / "trained.keras")
    assert float(loaded.share) == 0.25
    assert float(ScheduledSampling.from_config(trained.get_config()).share) == 0.25
    found, expected = (
        [one([SOURCE, TARGET]), *one.optimizer.variables] for one in (loaded, trained)
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (ours, theirs)))


def test_a_share_is_a_share():
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\], got 2"):
        ScheduledSampling(Counting(), 2)
