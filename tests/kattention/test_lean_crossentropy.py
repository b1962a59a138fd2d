"""Training that never holds all logits ends where ordinary training does."""

import keras
import numpy as np
import pytest
from keras import ops

import kattention
from kattention.training import (
    GuidedAlignment,
    LeanCrossentropy,
    ScheduledSampling,
    TokenAccuracy,
    TokenCrossentropy,
    lean,
)
from tests.conftest import make_seq2seq

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="it is TensorFlow's"
)
SOURCE = np.array([[5, 6, 7, 3], [8, 3, 0, 0], [9, 9, 3, 0]], "int32")
INPUTS = np.array([[2, 9, 10, 11, 12], [2, 13, 14, 0, 0], [2, 7, 0, 0, 0]], "int32")
LABELS = np.array([[9, 10, 11, 12, 3], [13, 14, 3, 0, 0], [7, 3, 0, 0, 0]], "int32")
ROW_WEIGHTS = np.array([1.0, 0.0, 2.5], "float32")
TOKEN_WEIGHTS = np.linspace(0, 2, 15, dtype="float32").reshape(3, 5)


@pytest.fixture(autouse=True)
def chunks_of_four(monkeypatch):
    """Ten tokens are two whole chunks and a rest."""
    monkeypatch.setattr(lean, "ROWS", 4)


def build(**changed):
    """A packed model whose loops are not compiled, to be quick."""
    config = {**make_seq2seq(dropout=changed.pop("dropout", 0.0)).get_config()}
    config["decoder"]["config"].update(fast=False, **changed.pop("decoder", {}))
    return kattention.Seq2Seq.from_config({**config, "packed": True, **changed})


def twin(model):
    copy = kattention.Seq2Seq.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


def dense(**options):
    return keras.saving.serialize_keras_object(keras.layers.Dense(30, **options))


def fitted(
    trained, model, *compiled, labels=LABELS, weight=None, eagerly=True, **options
):
    """Losses of an epoch or three and of an evaluation, then all weights."""
    # Large steps: what is wrong in a gradient shows.
    optimizer = keras.optimizers.SGD(0.5)
    # Eagerly, unless told: tracing would take most of the time.
    trained.compile(
        optimizer, *compiled, run_eagerly=eagerly, jit_compile=False, **options
    )
    data = [SOURCE, INPUTS], labels, weight
    history = trained.fit(*data[:2], sample_weight=weight, epochs=3, verbose=0)
    evaluated = trained.evaluate(*data[:2], sample_weight=weight, verbose=0)
    losses = [*history.history["loss"], *np.ravel(evaluated)[:1]]
    return [np.array(losses), *model.get_weights()]


def assert_same(found, expected, atol=1e-5):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


@pytest.mark.parametrize(
    ("packed", "smoothing", "logits", "weight", "eagerly"),
    [
        (True, 0.1, "tied", None, False),
        (True, 0.0, "dense", TOKEN_WEIGHTS, True),
        (True, 0.1, "frozen", ROW_WEIGHTS, True),
        (False, 0.0, "tied", ROW_WEIGHTS, True),
        (False, 0.1, "dense", None, True),
    ],
)
def test_it_ends_at_the_same_weights(packed, smoothing, logits, weight, eagerly):
    model = build(packed=packed, **({} if logits == "tied" else {"logits": dense()}))
    other = twin(model)
    for one in (model, other):
        one.projection.trainable = logits != "frozen"
    told = {"weight": weight, "eagerly": eagerly}
    expected = fitted(model, model, TokenCrossentropy(smoothing), **told)
    trained = LeanCrossentropy(other, smoothing)
    assert_same(fitted(trained, other, **told), expected)


def test_logits_in_bfloat16_are_computed_so():
    model, exact = build(logits=dense(dtype="mixed_bfloat16")), build(logits=dense())
    exact.set_weights(model.get_weights())
    other = twin(model)
    expected = fitted(model, model, TokenCrossentropy())
    found = fitted(LeanCrossentropy(other), other)
    whole = fitted(LeanCrossentropy(exact), exact)
    assert_same(found, expected, atol=2e-3)
    assert found[0][0] != whole[0][0]


def test_no_more_logits_are_held_than_those_of_a_chunk(monkeypatch):
    seen = []
    real = lean.smoothed_crossentropy

    def watched(ids, logits, smoothing):
        seen.append(tuple(logits.shape))
        return real(ids, logits, smoothing)

    monkeypatch.setattr(lean, "smoothed_crossentropy", watched)
    trained = LeanCrossentropy(build())
    trained.compile("sgd", run_eagerly=True)
    trained.train_on_batch([SOURCE, INPUTS], LABELS)
    assert seen == [(4, 30), (4, 30), (2, 30)]


def test_a_loss_of_alignments_goes_beside_it():
    model = build(decoder={"return_attention_scores": True})
    other = twin(model)
    links = np.zeros((3, 5, 4), "float32")
    links[:, 0, 1] = 1
    losses = [TokenCrossentropy(), GuidedAlignment()]
    told = {"labels": [LABELS, links], "loss_weights": [1.0, 0.5]}
    expected = fitted(model, model, losses, **told)
    found = fitted(LeanCrossentropy(other), other, [None, losses[1]], **told)
    assert_same(found, expected)


def test_regularizers_are_heard():
    losses = []
    for regularizer in (None, keras.regularizers.L2(1)):
        keras.utils.set_random_seed(0)
        model = build(logits=dense(kernel_regularizer=regularizer))
        trained = LeanCrossentropy(model)
        trained.compile("sgd")
        losses.append(trained.evaluate([SOURCE, INPUTS], LABELS, verbose=0))
    added = float(ops.sum(ops.square(model.logits.kernel)))
    np.testing.assert_allclose(losses[1], losses[0] + added, rtol=1e-5)


def test_a_batch_of_padding_has_no_loss_and_no_gradient():
    model = build()
    before = model.get_weights()
    trained = LeanCrossentropy(model)
    trained.compile("sgd", jit_compile=False)
    nothing = np.zeros_like(LABELS)
    assert trained.train_on_batch([SOURCE, nothing], nothing) == 0
    assert_same(model.get_weights(), before, atol=0)


def test_it_trains_on_what_is_drawn_and_survives_its_file(tmp_path):
    model = build(dropout=0.1)
    trained = LeanCrossentropy(ScheduledSampling(model, 0.25), 0.1)
    trained.compile("adam", jit_compile=False)
    before = model.get_weights()
    trained.fit([SOURCE, INPUTS], LABELS, epochs=2, verbose=0)
    after = model.get_weights()
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    trained.save(tmp_path / "trained.keras")
    loaded = keras.models.load_model(tmp_path / "trained.keras")
    assert loaded.label_smoothing == 0.1
    assert float(loaded.model.share) == 0.25
    for ours, theirs in zip(
        (*loaded.weights, *loaded.optimizer.variables),
        (*trained.weights, *trained.optimizer.variables),
        strict=True,
    ):
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (ours, theirs)))
    losses = [
        one.evaluate([SOURCE, INPUTS], LABELS, verbose=0) for one in (loaded, trained)
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("compiled", "message"),
    [
        ({"loss": TokenCrossentropy()}, "loss must be None, or .*, got <"),
        ({"loss": ["mse", GuidedAlignment()]}, "loss must be None, or"),
        ({"metrics": [TokenAccuracy()]}, "metrics must be None, got .*itself"),
        ({"weighted_metrics": ["mse"]}, "metrics must be None, got"),
    ],
)
def test_what_would_take_features_for_logits_is_refused(compiled, message):
    with pytest.raises(ValueError, match=message):
        LeanCrossentropy(make_seq2seq()).compile("sgd", **compiled)


def test_other_backends_are_told_what_to_use(monkeypatch):
    model = make_seq2seq()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="got jax: compile the model with Token"):
        LeanCrossentropy(model)


def test_smoothing_is_a_share():
    with pytest.raises(ValueError, match=r"label_smoothing must be in \[0, 1\), got 1"):
        LeanCrossentropy(make_seq2seq(), 1)
