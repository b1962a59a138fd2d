"""The compiled recurrent layer says what Keras's says."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kattention

pytestmark = pytest.mark.any_backend
DEPTH, UNITS = 4, 5
CELLS = {"gru": keras.layers.GRUCell, "lstm": keras.layers.LSTMCell}
compiles = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow compiles the loop"
)


def make_pair(kind="gru", dropout=0.0, dtype="float64", cell=None, **options):
    """Keras's layer and ours, around the same cell."""
    made = {"dropout": dropout, "bias_initializer": "normal", **(cell or {})}
    cell = CELLS[kind](UNITS, dtype=dtype, **made)
    options = {"return_sequences": True, "return_state": True, **options}
    return [
        layer(cell, dtype=dtype, **options)
        for layer in (keras.layers.RNN, kattention.FastRNN)
    ]


def values_and_gradients(layer, seed, batch, steps, masked):
    """Outputs, and gradients of a random sum of all outputs."""
    import tensorflow as tf

    rng = np.random.default_rng(seed)

    def draw(*shape):
        return tf.constant(rng.normal(size=shape), layer.compute_dtype)

    inputs = draw(batch, steps, DEPTH)
    mask = tf.constant(rng.random((batch, steps)) > 0.4) if masked else None
    layer(inputs)
    states = [draw(batch, size) for size in layer.state_size]
    if layer.cell.dropout:
        layer.cell.seed_generator.state.assign([1, 2])
    weights = [variable.value for variable in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch([inputs, states])
        found = layer(inputs, initial_state=states, mask=mask, training=True)
        total = sum(tf.reduce_sum(one * draw(*one.shape)) for one in found)
    return [*found, *tape.gradient(total, [inputs, *states, *weights])]


def assert_equal(pair, tolerance, *arguments):
    plain, fast = (values_and_gradients(layer, *arguments) for layer in pair)
    for expected, found in zip(plain, fast, strict=True):
        scale = max(1e-6, float(np.abs(expected).max()))
        np.testing.assert_allclose(found, expected, atol=tolerance * scale, rtol=0)


# Each pair of choices stands in one of these.
@compiles
@pytest.mark.parametrize(
    ("kind", "dropout", "backwards", "zeros", "masked"),
    [
        ("gru", 0.0, False, False, False),
        ("gru", 0.3, True, True, True),
        ("lstm", 0.3, False, True, False),
        ("lstm", 0.0, True, False, True),
        ("gru", 0.0, False, True, True),
        ("lstm", 0.3, True, False, False),
    ],
)
def test_values_and_gradients_are_kerass(kind, dropout, backwards, zeros, masked):
    pair = make_pair(kind, dropout, go_backwards=backwards, zero_output_for_mask=zeros)
    assert_equal(pair, 1e-10, 0, 3, 6, masked)


@compiles
@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    st.sampled_from(list(CELLS)),
    st.integers(0, 2**31),
    st.integers(1, 4),
    st.integers(1, 18),
    st.booleans(),
)
def test_at_any_shape(kind, seed, batch, steps, masked):
    assert_equal(make_pair(kind), 1e-10, seed, batch, steps, masked)


@compiles
def test_in_float32():
    assert_equal(make_pair(dtype="float32"), 2e-5, 0, 3, 9, True)


@compiles
def test_the_last_output_alone():
    assert_equal(make_pair(return_sequences=False), 1e-10, 0, 3, 9, True)


@compiles
@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_without_bias_and_of_other_activations(kind):
    cell = {"use_bias": False, "activation": "relu", "recurrent_activation": "tanh"}
    assert_equal(make_pair(kind, cell=cell), 1e-10, 0, 3, 6, True)


@compiles
def test_in_mixed_precision():
    plain, fast = make_pair(dtype=keras.DTypePolicy("mixed_bfloat16"))
    inputs = np.ones((2, 3, DEPTH))
    for expected, found in zip(
        plain(inputs, training=True), fast(inputs, training=True), strict=True
    ):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(
            keras.ops.cast(found, "float32"),
            keras.ops.cast(expected, "float32"),
            atol=0.02,
        )


def encoder_model(layer):
    words = keras.Input((None,), dtype="int32")
    vectors = keras.layers.Embedding(20, DEPTH, mask_zero=True)(words)
    outputs, *states = keras.layers.Bidirectional(
        layer(keras.layers.GRUCell(UNITS), return_sequences=True, return_state=True)
    )(vectors)
    model = keras.Model(words, [outputs, *states])
    model.set_weights(
        [np.sin(np.arange(w.size)).reshape(w.shape) for w in model.get_weights()]
    )
    return model


# With padding on either side, and a row of nothing else.
IDS = np.array([[3, 4, 5, 6], [7, 8, 0, 0], [0, 9, 3, 1], [0, 0, 0, 0]])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_two_directions_train_as_kerass_do(rng, jit_compile):
    aims = [rng.normal(size=(4, 4, 2 * UNITS)), *rng.normal(size=(2, 4, UNITS))]
    trained = []
    for layer in (keras.layers.RNN, kattention.FastRNN):
        model = encoder_model(layer)
        model.compile(keras.optimizers.SGD(0.1), ["mse"] * 3, jit_compile=jit_compile)
        model.fit(IDS, aims, batch_size=3, epochs=2, verbose=0, shuffle=False)
        trained.append(model.get_weights())
    for expected, found in zip(*trained, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_file_gives_it_back(tmp_path):
    model = encoder_model(kattention.FastRNN)
    model.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    assert isinstance(loaded.layers[-1].forward_layer, kattention.FastRNN)
    for expected, found in zip(model(IDS), loaded(IDS), strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(found), keras.ops.convert_to_numpy(expected)
        )


@pytest.fixture
def refuse_to_compile(monkeypatch):
    from kattention.compiled import rnn

    def refuse(*arguments):
        raise AssertionError("compiled")

    monkeypatch.setattr(rnn, "_run", refuse)


@compiles
def test_only_training_is_compiled(refuse_to_compile):
    layer, inputs = make_pair()[1], np.ones((2, 3, DEPTH))
    layer(inputs, training=False)
    with pytest.raises(AssertionError, match="compiled"):
        layer(inputs, training=True)


@compiles
def test_nothing_is_compiled_under_a_strategy(refuse_to_compile):
    import tensorflow as tf

    layer = make_pair()[1]
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        assert layer(np.ones((2, 3, DEPTH)), training=True)[0].shape == (2, 3, UNITS)


@compiles
def test_nor_is_a_cell_of_another_precision(refuse_to_compile):
    cell = keras.layers.GRUCell(UNITS, dtype="float64")
    layer = kattention.FastRNN(cell, dtype="float32")
    assert layer(np.ones((2, 3, DEPTH)), training=True).dtype == "float32"


@pytest.mark.parametrize(
    "mask", [[[7, 5, 0], [0, 57, 1]], [[0.5, 1.0, 0.0], [0.0, 1.0, 1.0]]]
)
def test_what_is_not_zero_is_valid(rng, mask):
    plain, fast = make_pair(dtype="float32")
    inputs, mask = rng.normal(size=(2, 3, DEPTH)), np.array(mask)
    expected = plain(inputs, mask=mask != 0, training=True)
    found = fast(inputs, mask=mask, training=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            *map(keras.ops.convert_to_numpy, (one, other)), atol=1e-6
        )


def test_integers_are_numbers():
    plain, fast = make_pair(dtype="float32")
    inputs = np.arange(24, dtype="int32").reshape(2, 3, DEPTH)
    expected, found = plain(inputs, training=True)[0], fast(inputs, training=True)[0]
    np.testing.assert_allclose(
        *map(keras.ops.convert_to_numpy, (found, expected)), atol=1e-6
    )


def test_an_empty_batch_and_a_state_alone():
    layer = make_pair(dtype="float32")[1]
    outputs, state = layer(
        np.zeros((0, 3, DEPTH)), initial_state=np.zeros((0, UNITS)), training=True
    )
    assert tuple(outputs.shape) == (0, 3, UNITS) and tuple(state.shape) == (0, UNITS)


def test_a_stateful_layer_goes_on(rng):
    inputs = rng.normal(size=(2, 4, DEPTH)).astype("float32")
    whole, parts = make_pair(dtype="float32", stateful=True)
    whole(np.zeros((2, 1, DEPTH)))
    parts(np.zeros((2, 1, DEPTH)))
    whole.reset_state(), parts.reset_state()
    expected = whole(inputs, training=True)[0]
    parts(inputs[:, :2], training=True)
    found = parts(inputs[:, 2:], training=True)[0]
    np.testing.assert_allclose(
        *map(keras.ops.convert_to_numpy, (found, expected[:, 2:])), atol=1e-6
    )


@pytest.mark.parametrize("training", [False, True])
def test_a_wrong_initial_state_is_refused(training):
    layer = make_pair("lstm", dtype="float32")[1]
    with pytest.raises(ValueError, match=r"of depths \[5, 5\], got \[5\]"):
        layer(
            np.ones((2, 3, DEPTH)),
            initial_state=[np.ones((2, UNITS))],
            training=training,
        )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: keras.layers.SimpleRNNCell(3), "the cell is a SimpleRNNCell"),
        (
            lambda: keras.layers.GRUCell(3, reset_after=False),
            "the GRUCell has reset_after=False",
        ),
        (
            lambda: [keras.layers.GRUCell(3), keras.layers.LSTMCell(4)],
            "the cell is a StackedRNNCells",
        ),
        (
            lambda: keras.layers.GRUCell(3, recurrent_dropout=0.1),
            "has recurrent_dropout",
        ),
    ],
)
def test_what_cannot_be_compiled_is_kerass_loop_and_says_why(make, reason):
    inputs = np.ones((2, 3, DEPTH), "float32")
    keras.utils.set_random_seed(1)
    expected = keras.layers.RNN(make())(inputs)
    keras.utils.set_random_seed(1)
    found = kattention.FastRNN(make())(inputs, training=True)
    assert found.shape == expected.shape
    if keras.backend.backend() == "tensorflow":
        with pytest.raises(ValueError, match=f"fast=True: .*{reason}"):
            kattention.FastRNN(make(), fast=True)(inputs, training=True)


@compiles
def test_fast_has_three_policies():
    with pytest.raises(ValueError, match="fast must be 'auto', True or False, got 2"):
        kattention.FastRNN(keras.layers.GRUCell(3), fast=2)
    unrolled = kattention.FastRNN(keras.layers.GRUCell(3), fast=True, unroll=True)
    with pytest.raises(ValueError, match="it is unrolled"):
        unrolled(np.ones((2, 3, DEPTH)), training=True)
    never = kattention.FastRNN(keras.layers.GRUCell(3), fast=False)
    assert never.get_config()["fast"] is False
    config = never.get_config()
    for _ in range(2):
        assert kattention.FastRNN.from_config(config).fast is False
