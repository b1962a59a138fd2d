import keras
import numpy as np
import pytest

from kattention.training import (
    Budget,
    GuidedAlignment,
    TokenAccuracy,
    TokenCrossentropy,
)
from kattention.training.crossentropy import smoothed_crossentropy
from tests.kattention.gradients import assert_equal, values_and_gradients

pytestmark = pytest.mark.any_backend
TRUE = np.array([[1, 2, 0], [3, 0, 0]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_mean_over_real_tokens(rng, smoothing):
    logits = rng.normal(size=(2, 3, 5))
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    losses = []
    for b, t in [(0, 0), (0, 1), (1, 0)]:
        aim = np.full(5, smoothing / 5)
        aim[TRUE[b, t]] += 1 - smoothing
        losses.append(-(aim * np.log(shares[b, t])).sum())
    found = TokenCrossentropy(smoothing)(TRUE, logits.astype("float32"))
    np.testing.assert_allclose(float(found), np.mean(losses), rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_the_gradient_is_that_of_the_plain_formula(rng, smoothing, scale):
    logits = scale * rng.normal(size=(4, 7))
    ids, weights = np.array([1, 6, 0, 3]), rng.normal(size=4)

    def plain(logits):
        aim = keras.ops.one_hot(ids, 7, dtype=logits.dtype)
        aim = (1 - smoothing) * aim + smoothing / 7
        return -keras.ops.sum(aim * keras.ops.log_softmax(logits), axis=-1)

    def ours(logits):
        return smoothed_crossentropy(keras.ops.array(ids), logits, smoothing)

    expected = values_and_gradients(plain, [logits], weights)
    assert_equal(values_and_gradients(ours, [logits], weights), expected)


def test_large_logits_cost_no_digits():
    # On one of two tokens: the losses are log(1 + exp(-1)) and 1 more.
    logits = keras.ops.array([[10000.0, 9999.0]])
    losses = [
        float(smoothed_crossentropy(keras.ops.array([token]), logits, 0.0)[0])
        for token in (0, 1)
    ]
    np.testing.assert_allclose(losses, [0.3132617, 1.3132617], rtol=1e-6)


def test_sample_weights_count(rng):
    logits = rng.normal(size=(2, 3, 5)).astype("float32")
    weighted = TokenCrossentropy()(TRUE, logits, np.array([1.0, 0.0]))
    first = TokenCrossentropy()(TRUE[:1], logits[:1])
    np.testing.assert_allclose(float(weighted), float(first), rtol=1e-6)


def test_guided_alignment_is_the_mean_over_linked_tokens(rng):
    alignments = rng.dirichlet(np.ones(4), size=(2, 3)).astype("float32")
    links = np.zeros((2, 3, 4), "float32")
    links[0, 0, 1] = links[0, 2, 0] = links[0, 2, 3] = links[1, 1, 2] = 1
    logs = np.log(alignments)
    losses = [-logs[0, 0, 1], -(logs[0, 2, 0] + logs[0, 2, 3]) / 2, -logs[1, 1, 2]]
    found = float(GuidedAlignment()(links, alignments))
    np.testing.assert_allclose(found, np.mean(losses), rtol=1e-5)
    # A count of links says how much each one weighs, not the token.
    for scale in (3, 0.3):
        scaled = float(GuidedAlignment()(scale * links, alignments))
        np.testing.assert_allclose(scaled, found, rtol=1e-5)
    weighted = GuidedAlignment()(links, alignments, np.array([0.0, 1.0]))
    np.testing.assert_allclose(float(weighted), losses[2], rtol=1e-5)
    assert float(GuidedAlignment()(0 * links, alignments)) == 0


def test_guided_alignment_stays_finite_where_nothing_is_read():
    links = np.array([[[1.0, 0.0]]], "float32")
    nothing = np.array([[[0.0, 1.0]]], "float32")
    [gradient] = values_and_gradients(
        lambda alignments: GuidedAlignment()(links, alignments), [nothing], 1.0
    )[1:]
    assert np.isfinite(gradient).all()


def test_accuracy_leaves_padding_out():
    metric = TokenAccuracy()
    logits = np.zeros((2, 3, 5), "float32")
    logits[0, 0, 1] = logits[0, 1, 4] = logits[1, 0, 3] = 1
    metric.update_state(TRUE, logits)
    np.testing.assert_allclose(float(metric.result()), 2 / 3, rtol=1e-6)


def test_survive_serialisation():
    loss = TokenCrossentropy(0.2)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )
    assert again.get_config() == loss.get_config()


not_on_jax = pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="Budget says that JAX is not for it"
)


def fit(budget, epochs=10):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    rates = []
    log = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: rates.append(
            float(model.optimizer.learning_rate)
        )
    )
    data = np.ones((8, 2)), np.ones((8, 1))
    model.fit(*data, batch_size=2, epochs=epochs, callbacks=[budget, log], verbose=0)
    return rates


@not_on_jax
def test_the_rate_rises_falls_and_ends_with_the_budget():
    rates = fit(Budget(0.5, warmup=0.2, steps=20))
    assert len(rates) == 20
    assert rates[0] < rates[2] < rates[4] == 0.5
    assert all(np.diff(rates[4:]) < 0)
    assert rates[-1] < 0.02


@not_on_jax
def test_a_budget_goes_on_where_it_stopped():
    whole = fit(Budget(0.5, steps=20))
    rest = fit(Budget(0.5, steps=20, spent=(12, 3.0)))
    np.testing.assert_allclose(rest, whole[12:], rtol=1e-6)


@not_on_jax
def test_minutes_stop_the_training():
    budget = Budget(0.5, minutes=1.0, spent=(7, 59.9999))
    rates = fit(budget, epochs=10_000)
    assert len(rates) < 40_000
    assert budget.share == 1
    assert budget.spent_steps == 7 + len(rates)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="about JAX")
def test_a_budget_says_that_jax_is_not_for_it():
    with pytest.raises(ValueError, match="at each step"):
        Budget(0.5, steps=20)


@not_on_jax
@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras makes one step at a time there"
)
def test_steps_count_where_several_are_made_at_once():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=3, jit_compile=False)
    budget = Budget(0.5, steps=20)
    model.fit(np.ones((8, 2)), np.ones((8, 1)), 1, 100, callbacks=[budget], verbose=0)
    assert budget.spent_steps == model.optimizer.iterations
    assert 20 <= budget.spent_steps < 23


@not_on_jax
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either steps or minutes"),
        ({"steps": 0}, "steps must be above 0, got 0"),
        ({"minutes": -1.0}, "minutes must be above 0, got -1.0"),
        ({"steps": 5, "warmup": 1.0}, r"warmup must be in \[0, 1\), got 1.0"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Budget(0.5, **arguments)


@pytest.mark.parametrize(
    ("judge", "true", "predicted", "message"),
    [
        (
            GuidedAlignment(),
            (1, 2, 3),
            (2, 2, 3),
            r"shape \(2, 2, 3\), got \(1, 2, 3\)",
        ),
        (TokenCrossentropy(), (1, 1), (2, 4, 5), r"shape \(2, 4\), got \(1, 1\)"),
        (TokenAccuracy(), (1, 1), (2, 4, 5), r"shape \(2, 4\), got \(1, 1\)"),
        (TokenCrossentropy(), (6,), (6, 5), r"shape \(None, None\), got \(6,\)"),
    ],
)
def test_shapes_are_compared_and_never_broadcast(judge, true, predicted, message):
    with pytest.raises(ValueError, match=f"y_true must have {message}"):
        judge(np.ones(true, "int32"), np.ones(predicted, "float32"))
