"""What every mechanism inherits, and the scores of ours in float64."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from kattention import (
    AttentionDecoder,
    AttentionMechanism,
    BahdanauAttention,
    LocationSensitiveAttention,
    LuongAttention,
)
from tests.conftest import FLOAT64
from tests.kattention.mechanisms import MECHANISMS, STATEFUL
from tests.kattention.reference import softmax

pytestmark = pytest.mark.any_backend
to_numpy = ops.convert_to_numpy
PRECISE = "float64" if FLOAT64 else "float32"
ROUNDING = 1e-12 if FLOAT64 else 1e-5
every_mechanism = pytest.mark.parametrize("name", MECHANISMS)


def inputs(rng, batch=3, steps=4, source=5, query=6, value=7):
    return rng.normal(size=(batch, steps, query)), rng.normal(
        size=(batch, source, value)
    )


def randomize(layer, rng):
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))


@every_mechanism
def test_a_long_query_equals_its_steps(rng, name):
    query, value = inputs(rng)
    layer = MECHANISMS[name](dtype=PRECISE)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 1]], bool)
    whole = layer(query, value, value_mask=mask, return_attention_scores=True)
    memory, state = layer.prepare(value, mask=mask), None
    for t in range(4):
        context, weights, state = layer.attend(query[:, t], memory, state)
        for found, expected in zip((context, weights), whole, strict=True):
            np.testing.assert_allclose(
                to_numpy(found), to_numpy(expected)[:, t], atol=ROUNDING
            )
    assert bool(state) == layer.has_state == (name in STATEFUL)


@every_mechanism
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_masked_positions_get_exactly_zero_and_empty_rows_no_nan(rng, name, policy):
    query, value = inputs(rng)
    mask = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    layer = MECHANISMS[name](dtype=policy)
    context, weights = layer(
        query, value, value_mask=mask, return_attention_scores=True
    )
    for part in (weights, context):
        assert keras.backend.standardize_dtype(part.dtype) == layer.compute_dtype
    weights = to_numpy(ops.cast(weights, "float32"))
    assert (weights[0][:, ~mask[0]] == 0).all()
    assert (weights[1] == 0).all()
    assert (to_numpy(ops.cast(context, "float32"))[1] == 0).all()
    np.testing.assert_allclose(weights[[0, 2]].sum(-1), 1, atol=1e-2)


@given(st.sampled_from(list(MECHANISMS)), st.integers(0, 4), st.integers(0, 99))
def test_padding_changes_nothing_whatever_it_holds(name, padding, seed):
    query, value = inputs(np.random.default_rng(seed))
    layer = MECHANISMS[name](dtype=PRECISE)
    expected = layer(query, value, return_attention_scores=True)
    padded = np.pad(value, [(0, 0), (0, padding), (0, 0)], constant_values=np.nan)
    mask = np.tile(np.arange(5 + padding) < 5, (3, 1))
    context, weights = layer(
        query, padded, value_mask=mask, return_attention_scores=True
    )
    for found, wanted in zip((context, weights[..., :5]), expected, strict=True):
        np.testing.assert_allclose(to_numpy(found), to_numpy(wanted), atol=ROUNDING)


@every_mechanism
def test_dropout_changes_the_context_but_not_the_weights_of_its_step(rng, name):
    query, value = inputs(rng, source=9)
    layer = MECHANISMS[name](dropout=0.5)
    layer(query, value)
    memory = layer.prepare(value)
    context, weights, _ = layer.attend(query[:, 0], memory)
    dropped, same, _ = layer.attend(query[:, 0], memory, training=True)
    np.testing.assert_allclose(to_numpy(same), to_numpy(weights), atol=1e-6)
    assert not np.allclose(to_numpy(dropped), to_numpy(context))
    long = [to_numpy(layer(query, value, training=True)) for _ in range(2)]
    assert not np.allclose(*long), "the same noise twice"


@every_mechanism
def test_survives_a_functional_model_and_its_file(rng, tmp_path, name):
    query, value = inputs(rng)
    sources = keras.Input((None, 6)), keras.Input((None, 7))
    layer = MECHANISMS[name](dropout=0.1)
    model = keras.Model(sources, layer(*sources, return_attention_scores=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(model([query, value]), loaded([query, value]), strict=True):
        assert (to_numpy(ours) == to_numpy(theirs)).all()
    config = layer.get_config()
    for _ in range(2):
        assert type(layer).from_config(config).get_config() == config


def test_the_state_of_a_mechanism_stays_in_float32(rng):
    query, value = inputs(rng)
    layer = MECHANISMS["recency"](dtype="mixed_bfloat16")
    layer(query, value)
    state = layer.attend(query[:, 0], layer.prepare(value))[2]
    assert keras.backend.standardize_dtype(state[0].dtype) == "float32"


@pytest.mark.parametrize("scale", [False, True])
def test_the_dot_score_is_that_of_kerass_attention(rng, scale):
    query, value = inputs(rng, query=7)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], bool)
    ours, theirs = LuongAttention(score="dot", scale=scale), keras.layers.Attention()
    if scale:
        ours.build(query.shape, value.shape)
        ours.score_gain.assign(0.3)
        query = query / 0.3
    found = ours(query, value, value_mask=mask, return_attention_scores=True)
    query = 0.3 * query if scale else query
    expected = theirs([query, value], mask=[None, mask], return_attention_scores=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(to_numpy(one), to_numpy(other), atol=1e-5)


@pytest.mark.parametrize("scale", [False, True])
def test_the_general_score_equals_the_equation_in_float64(rng, scale):
    query, value = inputs(rng)
    key = rng.normal(size=(3, 5, 8))
    layer = LuongAttention(scale=scale, dtype=PRECISE)
    layer.build(query.shape, value.shape, key.shape)
    randomize(layer, rng)
    scores = np.einsum("btq,bsk,kq->bts", query, key, to_numpy(layer.key_kernel))
    if scale:
        scores = float(layer.score_gain) * scores
    weights = softmax(scores)
    found = layer(query, value, key=key, return_attention_scores=True)
    expected = weights @ value, weights
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(to_numpy(ours), theirs, atol=ROUNDING)


@pytest.mark.parametrize("history", ["previous", "cumulative", "both"])
@pytest.mark.parametrize("kernel_size", [3, 4, 9])
def test_the_location_sensitive_score_equals_the_equation(rng, history, kernel_size):
    query, value = inputs(rng)
    layer = LocationSensitiveAttention(
        6, filters=4, kernel_size=kernel_size, history=history, dtype=PRECISE
    )
    layer.build(query.shape, value.shape)
    randomize(layer, rng)
    found = layer(query, value, return_attention_scores=True)
    expected = location_sensitive(layer, query, value)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(to_numpy(ours), theirs, atol=10 * ROUNDING)


def location_sensitive(layer, query, value):
    """Position by position, from Chorowski et al. (2015), equations 8 and 9."""
    (batch, steps, _), source = query.shape, value.shape[1]
    filters, projection = map(to_numpy, (layer.location_filters, layer.location_kernel))
    vector, bias = to_numpy(layer.score_vector), to_numpy(layer.bias)
    queries = query @ to_numpy(layer.query_kernel)
    keys = value @ to_numpy(layer.key_kernel)
    weights = np.zeros((batch, steps, source))
    left = (len(filters) - 1) // 2
    for b in range(batch):
        previous, total = np.zeros(source), np.zeros(source)
        for t in range(steps):
            history = {
                "previous": [previous],
                "cumulative": [total],
                "both": [previous, total],
            }[layer.history]
            scores = np.zeros(source)
            for j in range(source):
                seen = np.zeros(filters.shape[-1])
                for k in range(len(filters)):
                    if 0 <= j + k - left < source:
                        for h, alignment in enumerate(history):
                            seen += alignment[j + k - left] * filters[k, h]
                hidden = queries[b, t] + keys[b, j] + seen @ projection + bias
                scores[j] = vector @ np.tanh(hidden)
            previous = weights[b, t] = softmax(scores)
            total = total + previous
    return weights @ value, weights


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LuongAttention(score="cosine"), "score must be one of"),
        (lambda: LocationSensitiveAttention(0), "units must be a positive integer"),
        (
            lambda: LocationSensitiveAttention(4, history="all"),
            "history must be one of",
        ),
        (
            lambda: LocationSensitiveAttention(4, filters=0),
            "filters must be a positive integer, got 0",
        ),
        (lambda: LuongAttention(dropout=1), r"dropout must be in \[0, 1\), got 1"),
        (
            lambda: LuongAttention(score="dot").build((2, 3), (2, 4, 5)),
            "needs a query as deep as the key, got 3 and 5: use score='general'",
        ),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_list_of_query_and_value_is_answered_with_how_to_call(rng):
    query, value = inputs(rng)
    with pytest.raises(ValueError, match=r"as attention\(query, value\), got one") as e:
        BahdanauAttention(4)([query, value])
    assert len(str(e.value).splitlines()) == 1


class Half(AttentionMechanism):
    def score(self, query, memory, state):
        return memory["key"][..., 0]

    def initial_state(self, memory):
        return ops.zeros((3, 5))


def test_a_mechanism_that_is_not_complete_is_told_what_is_missing(rng):
    query, value = inputs(rng)
    with pytest.raises(NotImplementedError, match=r"must write score\(\)"):
        AttentionMechanism()(query, value)
    with pytest.raises(ValueError, match=r"Half.initial_state must return a tuple"):
        Half()(query, value)


class OneScore(AttentionMechanism):
    def score(self, query, memory, state):
        return query  # as deep as the query, not as long as the memory


class Bare(AttentionMechanism):
    def build(self, query_shape, value_shape, key_shape=None):
        self.built = True


def test_a_mechanism_that_is_wrong_is_told_what_is_wrong(rng):
    query, value = inputs(rng)
    expected = r"scores of OneScore must have shape \(3, 4, 5\), got \(3, 4, 6\)"
    with pytest.raises(ValueError, match=expected):
        OneScore()(query, value)
    with pytest.raises(ValueError, match=r"scores of OneScore .*\(3, 5\), got"):
        OneScore()(query[:, 0], value)
    with pytest.raises(ValueError, match=r"Bare.build must call super\(\).build"):
        Bare()(query, value)


def test_ids_in_the_place_of_vectors_are_answered_with_to_embed_them(rng):
    query, _ = inputs(rng)
    with pytest.raises(ValueError, match=r"\(3, 5\): if these are ids, embed"):
        BahdanauAttention(4)(query, np.ones((3, 5), "int32"))


def test_a_memory_prepared_by_hand_has_the_mask_of_its_tensor():
    """It comes from a name of Keras that is not public."""
    ids = np.array([[4, 5, 0], [6, 0, 0]])
    value = keras.layers.Embedding(9, 6, mask_zero=True)(ids)
    attention = BahdanauAttention(4)
    attention.build((2, 5), (2, 3, 6))
    np.testing.assert_array_equal(to_numpy(attention.prepare(value)["mask"]), ids != 0)
    own = attention.prepare(value, mask=ids == 4)["mask"]
    np.testing.assert_array_equal(to_numpy(own), ids == 4)
    cell = AttentionDecoder(keras.layers.GRUCell(5), attention)
    assert "mask" in cell.prepare(value)
    assert "mask" not in cell.prepare(to_numpy(value))
