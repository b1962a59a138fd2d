"""The fast path says what the plain one says, and knows when it cannot."""

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import kattention
from tests.kattention.mechanisms import MECHANISMS

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the fast path is TensorFlow's"
)

DEPTH, MEMORY, UNITS = 4, 6, 5


def make_pair(
    attend="before",
    kind="GRUCell",
    mechanism="bahdanau",
    dropout=0.0,
    dtype="float64",
    count=None,
    layer=None,
):
    """The same cell in a plain and in a compiled loop."""
    cells = [
        getattr(keras.layers, kind)(
            UNITS, dropout=dropout, bias_initializer="normal", dtype=dtype
        )
        for _ in range(count or (2 if attend == "between" else 1))
    ]
    attention = MECHANISMS[mechanism](dropout=dropout, dtype=dtype)
    cell = kattention.AttentionDecoder(
        cells, attention, attend=attend, attention_layer=layer, dtype=dtype
    )
    return [
        kattention.AttentionRNN(
            cell,
            return_sequences=True,
            return_state=True,
            return_attention_scores=True,
            fast=fast,
            dtype=dtype,
        )
        for fast in (False, True)
    ]


def seed_dropout(cell):
    for layer in [cell.attention, *cell.cells]:
        if layer.seed_generator is not None:
            layer.seed_generator.state.assign([1, 2])


def values_and_gradients(layer, seed, batch, steps, source, masked):
    """Outputs, and gradients of a random sum of all outputs."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return tf.constant(rng.normal(size=shape), layer.compute_dtype)

    inputs, memory = draw(batch, steps, DEPTH), draw(batch, source, MEMORY)
    layer(inputs, memory=memory)
    states = [draw(batch, size) for size in layer.cell.state_size]
    more = layer.cell.get_initial_state(batch, layer.cell.prepare(memory))[
        len(states) :
    ]
    states += [draw(*state.shape) for state in more]
    masks = {}
    if masked:
        masks["inputs_mask"] = tf.constant(rng.random((batch, steps)) > 0.4)
        masks["memory_mask"] = tf.constant(rng.random((batch, source)) > 0.6)
    weights = [variable.value for variable in layer.cell.trainable_variables]
    seed_dropout(layer.cell)
    with tf.GradientTape() as tape:
        tape.watch([inputs, memory, states])
        outputs = layer(
            inputs, memory=memory, initial_state=states, training=True, **masks
        )
        total = sum(tf.reduce_sum(one * draw(*one.shape)) for one in outputs)
    return [*outputs, *tape.gradient(total, [inputs, memory, *states, *weights])]


def assert_equal(pair, tolerance, *arguments):
    plain, fast = (values_and_gradients(layer, *arguments) for layer in pair)
    assert len(plain) == len(fast)
    for expected, found in zip(plain, fast, strict=True):
        scale = max(1e-6, float(np.abs(expected).max()))
        np.testing.assert_allclose(found, expected, atol=tolerance * scale, rtol=0)


def dense(**options):
    return keras.layers.Dense(6, activation="tanh", dtype="float64", **options)


# Each pair of choices stands in one of these.
@pytest.mark.parametrize(
    ("attend", "kind", "mechanism", "dropout", "masked", "more"),
    [
        ("before", "GRUCell", "bahdanau", 0.0, False, {}),
        ("before", "LSTMCell", "doubled", 0.3, True, {}),
        ("before", "GRUCell", "location", 0.3, True, {"count": 2}),
        ("before", "LSTMCell", "luong", 0.0, False, {"count": 2}),
        ("between", "GRUCell", "bahdanau", 0.3, True, {}),
        ("between", "LSTMCell", "recency", 0.0, True, {}),
        ("between", "GRUCell", "luong", 0.3, False, {"count": 3}),
        ("between", "GRUCell", "location", 0.0, False, {}),
        ("after", "GRUCell", "luong", 0.0, True, {"layer": True}),
        ("after", "LSTMCell", "bahdanau", 0.3, False, {"layer": True}),
        ("after", "GRUCell", "recency", 0.3, True, {"count": 2}),
        ("after", "LSTMCell", "location", 0.0, True, {}),
    ],
    ids=str,
)
def test_values_and_gradients_are_those_of_the_plain_path(
    attend, kind, mechanism, dropout, masked, more
):
    if "layer" in more:
        more = {"layer": dense(use_bias=dropout > 0)}
    pair = make_pair(attend, kind, mechanism, dropout, **more)
    assert_equal(pair, 1e-10, 0, 3, 5, 7, masked)


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    st.sampled_from(["before", "between", "after"]),
    st.integers(0, 2**31),
    st.integers(1, 4),
    st.integers(1, 18),
    st.integers(1, 18),
    st.booleans(),
)
# XLA got a gradient of one row wrong, where `concat` joined the gates' gradients.
@example("before", 0, 4, 1, 1, False)
def test_at_any_shape(attend, seed, batch, steps, source, masked):
    assert_equal(make_pair(attend), 1e-10, seed, batch, steps, source, masked)


def test_in_float32():
    assert_equal(make_pair("between", dtype="float32"), 2e-5, 0, 3, 9, 11, True)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_in_mixed_precision(mechanism):
    policy = keras.DTypePolicy("mixed_bfloat16")
    pair = make_pair(mechanism=mechanism, dtype=policy)
    inputs, memory = np.ones((2, 3, DEPTH)), np.ones((2, 4, MEMORY))
    plain, fast = (layer(inputs, memory=memory, training=True) for layer in pair)
    for expected, found in zip(plain, fast, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(
            tf.cast(found, "float32"), tf.cast(expected, "float32"), atol=0.02
        )


def test_a_cell_of_another_precision_is_not_rounded_to_the_layers():
    attention = kattention.BahdanauAttention(8, dtype="float32")
    gru = keras.layers.GRUCell(UNITS, dtype="float32")
    cell = kattention.AttentionDecoder(gru, attention, dtype="float32")
    mixed = {"return_sequences": True, "dtype": "mixed_bfloat16"}
    inputs, memory = np.ones((2, 3, DEPTH)), np.ones((2, 4, MEMORY))
    plain, fast = (
        kattention.AttentionRNN(cell, fast=fast, **mixed)(
            inputs, memory=memory, training=True
        )
        for fast in (False, "auto")
    )
    assert (plain.numpy() == fast.numpy()).all()


def test_shapes_stay_known_in_a_graph():
    layer = make_pair()[1]
    layer(np.ones((2, 3, DEPTH)), memory=np.ones((2, 4, MEMORY)))

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, DEPTH), "float64"),
            tf.TensorSpec((None, None, MEMORY), "float64"),
        ]
    )
    def run(inputs, memory):
        outputs, state, _ = layer(inputs, memory=memory, training=True)
        assert outputs.shape == (None, None, UNITS + MEMORY)
        assert state.shape == (None, UNITS)
        return outputs

    for steps in (2, 9):
        shape = run(
            tf.ones((2, steps, DEPTH), "float64"), tf.ones((2, 3, MEMORY), "float64")
        )
        assert shape.shape == (2, steps, UNITS + MEMORY)


def fit(layer, jit_compile=False):
    keras.utils.set_random_seed(3)
    inputs, memory = keras.Input((None, DEPTH)), keras.Input((None, MEMORY))
    outputs, _, alignments = layer(inputs, memory=memory)
    model = keras.Model([inputs, memory], [outputs, alignments])
    model.set_weights(
        [np.sin(np.arange(w.size)).reshape(w.shape) for w in model.get_weights()]
    )
    model.compile(keras.optimizers.SGD(0.1), ["mse", "mse"], jit_compile=jit_compile)
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(6, 5, DEPTH)), rng.normal(size=(6, 7, MEMORY))]
    aims = [rng.normal(size=(6, 5, UNITS + MEMORY)), rng.random(size=(6, 5, 7))]
    model.fit(data, aims, batch_size=4, epochs=2, verbose=0, shuffle=False)
    return model


@pytest.mark.parametrize("jit_compile", [False, True])
def test_fit_ends_at_the_same_weights(jit_compile):
    plain, fast = (fit(layer, jit_compile) for layer in make_pair(dtype="float32"))
    for expected, found in zip(plain.get_weights(), fast.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_export_holds_no_compiled_part(tmp_path):
    model = fit(make_pair(dtype="float32")[1])
    model.export(tmp_path / "exported", verbose=False)
    stored = (tmp_path / "exported" / "saved_model.pb").read_bytes()
    assert b"while" in stored.lower()
    loaded = tf.saved_model.load(tmp_path / "exported")
    for function in loaded.signatures.values():
        for name in function.graph._functions:
            attributes = function.graph._get_function(name).cached_definition.attr
            assert not attributes["_XlaMustCompile"].b


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: make_cell(keras.layers.SimpleRNNCell(5)), "SimpleRNNCell"),
        (lambda: make_cell(keras.layers.GRUCell(5, reset_after=False)), "reset_after"),
        (
            lambda: make_cell(keras.layers.GRUCell(5, recurrent_dropout=0.1)),
            "recurrent",
        ),
        (
            lambda: make_cell(
                keras.layers.GRUCell(5),
                attend="after",
                attention_layer=keras.layers.LayerNormalization(),
            ),
            "LayerNormalization, not a Dense",
        ),
        (
            lambda: make_cell(keras.layers.GRUCell(5, dtype="mixed_bfloat16")),
            "the GRUCell computes in bfloat16, not in float32",
        ),
    ],
)
def test_what_cannot_be_fast_says_why_and_runs_with_auto(make, reason):
    inputs, memory = np.ones((2, 3, DEPTH)), np.ones((2, 4, MEMORY))
    strict = kattention.AttentionRNN(make(), fast=True)
    strict(inputs, memory=memory)
    with pytest.raises(ValueError, match=f"fast=True: .*{reason}"):
        strict(inputs, memory=memory, training=True)
    relaxed = kattention.AttentionRNN(make())
    assert relaxed(inputs, memory=memory, training=True).shape[0] == 2


def make_cell(cell, attend="before", **options):
    attention = kattention.BahdanauAttention(3)
    return kattention.AttentionDecoder(cell, attention, attend=attend, **options)


def test_a_decoder_without_attention_is_compiled_too():
    cell = kattention.AttentionDecoder(
        keras.layers.GRUCell(5), kattention.FixedContext()
    )
    inputs, memory = tf.ones((2, 3, DEPTH)), tf.random.normal((2, 4, MEMORY))
    results = []
    for fast in (False, True):
        with tf.GradientTape() as tape:
            tape.watch([inputs, memory])
            decoder = kattention.AttentionRNN(cell, fast=fast)
            found = decoder(inputs, memory=memory, training=True)
        weights = cell.trainable_weights
        results.append([found, *tape.gradient(found, [inputs, memory, *weights])])
    for plain, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-5)


def test_fast_is_one_of_three():
    with pytest.raises(
        ValueError, match=r"fast must be 'auto', True or False, got 1\.5"
    ):
        kattention.AttentionRNN(make_cell(keras.layers.GRUCell(5)), fast=1.5)


def test_not_under_a_strategy():
    layer = make_pair(dtype="float32")[1]
    scope = tf.distribute.MirroredStrategy(["CPU:0"]).scope()
    with scope, pytest.raises(ValueError, match=r"tf\.distribute"):
        layer(np.ones((2, 3, DEPTH)), memory=np.ones((2, 4, MEMORY)), training=True)
