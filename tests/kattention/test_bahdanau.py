import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from kattention import BahdanauAttention
from tests.conftest import FLOAT64
from tests.kattention import reference

pytestmark = pytest.mark.any_backend
to_numpy = ops.convert_to_numpy
ROUNDING = 1e-12 if FLOAT64 else 1e-5


def inputs(rng, batch=3, steps=4, source=5, query=6, value=7):
    return rng.normal(size=(batch, steps, query)), rng.normal(
        size=(batch, source, value)
    )


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
def test_equals_the_equations_in_float64(rng, use_bias, normalize):
    query, value = inputs(rng)
    key = rng.normal(size=(3, 5, 9))
    layer = BahdanauAttention(
        8, use_bias=use_bias, normalize=normalize, dtype="float64"
    )
    layer.build(query.shape, value.shape, key.shape)
    for variable in layer.weights:
        variable.assign(rng.normal(size=variable.shape))
    vector, bias = to_numpy(layer.score_vector), 0.0
    if normalize:
        vector = float(layer.score_gain) * vector / np.linalg.norm(vector)
    if use_bias:
        bias = to_numpy(layer.bias)
    kernels = to_numpy(layer.query_kernel), to_numpy(layer.key_kernel)
    expected = reference.attend(query, key, value, *kernels, vector, bias)
    found = layer(query, value, key=key, return_attention_scores=True)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            to_numpy(ours), theirs, rtol=ROUNDING, atol=ROUNDING / 10
        )


def test_a_zero_score_vector_reads_exactly_uniformly(rng):
    query, value = inputs(rng, source=4)
    layer = BahdanauAttention(8, score_initializer="zeros")
    _, weights = layer(query, value, return_attention_scores=True)
    assert_uniform(weights)


def assert_uniform(weights):
    # Some processors round the softmax of equal scores.
    np.testing.assert_allclose(to_numpy(weights), 0.25, rtol=1e-6)


def test_a_zero_score_vector_is_uniform_and_trainable_when_normalized(rng):
    tf = pytest.importorskip("tensorflow")
    query, value = inputs(rng, source=4)
    layer = BahdanauAttention(8, normalize=True, score_initializer="zeros")
    with tf.GradientTape() as tape:
        context, weights = layer(query, value, return_attention_scores=True)
    assert_uniform(weights)
    for gradient in tape.gradient(context, layer.trainable_weights):
        assert np.isfinite(gradient.numpy()).all()


def test_the_gain_starts_at_one_over_the_root_of_units(rng):
    layer = BahdanauAttention(16, normalize=True)
    layer.build((None, 4, 6), (None, 5, 7))
    assert float(layer.score_gain) == 0.25


@pytest.mark.parametrize(
    "policy",
    ["float32", "mixed_float16", "mixed_bfloat16", "float16", *["float64"] * FLOAT64],
)
def test_masked_positions_get_exactly_zero_and_empty_rows_no_nan(rng, policy):
    query, value = inputs(rng)
    mask = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    layer = BahdanauAttention(8, dtype=policy)
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


def test_gradients_of_empty_rows_are_finite(rng):
    tf = pytest.importorskip("tensorflow")
    query, value = map(tf.constant, inputs(rng))
    layer = BahdanauAttention(8)
    mask = np.zeros((3, 5), bool)
    with tf.GradientTape() as tape:
        tape.watch([query, value])
        context = layer(query, value, value_mask=mask)
    for gradient in tape.gradient(context, [query, value, *layer.trainable_weights]):
        assert np.isfinite(gradient.numpy()).all()


@given(st.integers(0, 4), st.sampled_from([np.nan, np.inf, 1e30]), st.integers(0, 99))
def test_padding_changes_nothing_whatever_it_holds(padding, garbage, seed):
    query, value = inputs(np.random.default_rng(seed))
    layer = BahdanauAttention(8, dtype="float64")
    expected = layer(query, value, return_attention_scores=True)
    padded = np.pad(value, [(0, 0), (0, padding), (0, 0)], constant_values=garbage)
    mask = np.arange(5 + padding) < 5
    context, weights = layer(
        query,
        padded,
        value_mask=np.tile(mask, (3, 1)),
        return_attention_scores=True,
    )
    for found, wanted in zip((context, weights[..., :5]), expected, strict=True):
        np.testing.assert_allclose(to_numpy(found), to_numpy(wanted), atol=ROUNDING)


@given(st.permutations(range(3)))
def test_rows_do_not_know_each_other(order):
    query, value = inputs(np.random.default_rng(1))
    layer = BahdanauAttention(8)
    together = to_numpy(layer(query, value))
    np.testing.assert_allclose(
        to_numpy(layer(query[order], value[order])), together[order], atol=1e-6
    )


def test_a_query_of_rank_2_is_one_step(rng):
    query, value = inputs(rng)
    layer = BahdanauAttention(8)
    context, weights = layer(query, value, return_attention_scores=True)
    one, one_weights = layer(query[:, 1], value, return_attention_scores=True)
    np.testing.assert_allclose(to_numpy(one), to_numpy(context)[:, 1], atol=1e-6)
    np.testing.assert_allclose(
        to_numpy(one_weights), to_numpy(weights)[:, 1], atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_prepare_and_attend_are_the_call_in_two_halves(rng, dtype):
    query, value = inputs(rng)
    mask = np.array([[1, 1, 0, 0, 1]] * 3, bool)
    layer = BahdanauAttention(8, dtype=dtype)
    # One query is summed in the same order by both.
    expected = layer(query[:, :1], value, value_mask=mask, return_attention_scores=True)
    memory = layer.prepare(value, mask=mask)
    context, weights, state = layer.attend(query[:, :1], memory)
    assert state == ()
    for found, wanted in zip((context, weights), expected, strict=True):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(to_numpy(found), to_numpy(wanted))


def test_keras_masks_arrive_by_themselves_and_explicit_ones_win(rng):
    ids = np.array([[4, 5, 0], [6, 0, 0]])
    query_ids = np.array([[1, 2], [3, 0]])
    embed = keras.layers.Embedding(9, 6, mask_zero=True)
    layer = BahdanauAttention(8)
    context, weights = layer(embed(query_ids), embed(ids), return_attention_scores=True)
    weights = to_numpy(weights)
    assert (weights[0, :, 2] == 0).all()
    assert (weights[1, 1] == 0).all()
    assert (to_numpy(context)[1, 1] == 0).all()
    explicit = np.ones((2, 3), bool)
    _, weights = layer(
        embed(query_ids),
        embed(ids),
        value_mask=explicit,
        return_attention_scores=True,
    )
    assert (to_numpy(weights)[0] > 0).all()


def test_dropout_changes_the_context_but_not_the_weights_returned(rng):
    query, value = inputs(rng)
    layer = BahdanauAttention(8, dropout=0.5)
    context, weights = layer(query, value, return_attention_scores=True)
    dropped, same = layer(query, value, return_attention_scores=True, training=True)
    np.testing.assert_allclose(to_numpy(same), to_numpy(weights), atol=1e-6)
    assert not np.allclose(to_numpy(dropped), to_numpy(context))


def test_survives_a_functional_model_and_its_file(rng, tmp_path):
    query, value = inputs(rng)
    sources = keras.Input((None, 6)), keras.Input((None, 7))
    layer = BahdanauAttention(
        8,
        normalize=True,
        use_bias=True,
        dropout=0.1,
        kernel_initializer="he_normal",
        score_initializer="ones",
        kernel_regularizer=keras.regularizers.L2(0.1),
    )
    model = keras.Model(sources, layer(*sources, return_attention_scores=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(model([query, value]), loaded([query, value]), strict=True):
        assert (to_numpy(ours) == to_numpy(theirs)).all()
    again = BahdanauAttention.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert len(loaded.losses) == 2


def test_tells_its_shapes_without_running():
    layer = BahdanauAttention(8)
    assert layer.compute_output_shape((2, None, 6), (2, 5, 7)) == (2, None, 7)
    assert layer.compute_output_shape((2, 6), (2, 5, 7)) == (2, 7)
    context, weights = layer(
        keras.KerasTensor((2, None, 6)),
        keras.KerasTensor((2, 5, 7)),
        return_attention_scores=True,
    )
    assert context.shape == (2, None, 7)
    assert weights.shape == (2, None, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": (3, 4, 5, 6)}, "query must have rank 2 or 3, got shape"),
        ({"value": (3, 7)}, "value must have rank 3, got shape (3, 7)"),
        ({"key": (3, 4, 7)}, "key must have the batch and length of value, (3, 5)"),
        ({"value": (2, 5, 7)}, "value must have the batch size of query, 3"),
        ({"query": (3, 4, 9)}, "query must have depth 6"),
        ({"value": (3, 5, 9)}, "value must have depth 7"),
        ({"value_mask": (3, 4)}, "value_mask must have shape (3, 5), got (3, 4)"),
        ({"query_mask": (3, 5)}, "query_mask must have shape (3, 4), got (3, 5)"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(rng, arguments, message):
    layer = BahdanauAttention(8)
    layer.build((3, 4, 6), (3, 5, 7))
    shapes = {"query": (3, 4, 6), "value": (3, 5, 7), **arguments}
    values = {
        name: np.ones(shape, "bool" if "mask" in name else "float32")
        for name, shape in shapes.items()
    }
    with pytest.raises(ValueError) as error:
        layer(values.pop("query"), values.pop("value"), **values)
    lines = str(error.value).splitlines()
    assert any(line.find(message) >= 0 for line in lines), error.value


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        # To be added to scores: as booleans they would mean the opposite.
        (
            np.array([[0, -1e9]], "float32"),
            "must be booleans, True where valid",
        ),
        ([[True, False]], "value_mask must be a tensor, got list"),
    ],
)
def test_what_is_no_mask_is_refused(mask, message):
    layer = BahdanauAttention(8)
    query, value = np.ones((1, 4), "float32"), np.ones((1, 2, 3), "float32")
    with pytest.raises(ValueError, match=message):
        layer(query, value, value_mask=mask)
    if not isinstance(mask, list):
        with pytest.raises(ValueError, match=message):
            layer.prepare(value, mask=mask)


def test_ids_in_the_place_of_vectors_are_refused():
    layer = BahdanauAttention(8)
    with pytest.raises(ValueError, match="floating point, got int"):
        layer(np.ones((3, 4, 6), "int32"), np.ones((3, 5, 7), "int32"))


@pytest.mark.parametrize("bad", [{"units": 0}, {"units": 2.5}, {"dropout": 1.0}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        BahdanauAttention(**{"units": 4, **bad})


def test_prepare_before_build_says_what_to_do():
    with pytest.raises(ValueError, match="call it once"):
        BahdanauAttention(4).prepare(np.ones((1, 2, 3)))
    with pytest.raises(ValueError, match=r"before attend\(\)"):
        BahdanauAttention(4).attend(np.ones((1, 2)), {})


def test_a_memory_that_was_not_prepared_is_refused():
    layer = BahdanauAttention(4)
    layer.build((1, 2), (1, 2, 3))
    with pytest.raises(ValueError, match=r"what prepare\(\) returned, got ndarray"):
        layer.attend(np.ones((1, 2), "float32"), np.ones((1, 2, 3), "float32"))
