import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from kattention import (
    AttentionDecoder,
    AttentionRNN,
    BahdanauAttention,
)
from tests.conftest import run_python
from tests.kattention import reference
from tests.kattention.decoders import CELLS, data, make

pytestmark = pytest.mark.any_backend
to_numpy = ops.convert_to_numpy
ORDERS = ("before", "between", "after")


def step_by_step(decoder, inputs, memory, states=None):
    cell = decoder.cell
    memory = cell.prepare(memory)
    states = states or cell.get_initial_state(len(inputs))
    outputs, alignments = [], []
    for t in range(inputs.shape[1]):
        output, states, alignment = cell.step(inputs[:, t], states, memory)
        outputs.append(to_numpy(output))
        alignments.append(to_numpy(alignment))
    return np.stack(outputs, 1), states, np.stack(alignments, 1)


@pytest.mark.parametrize("attend", ORDERS)
def test_equals_the_papers_equations_in_float64(rng, attend):
    inputs, memory = (array.astype("float64") for array in data(rng))
    state = rng.normal(size=(2, 5))
    decoder = make(attend, dtype="float64")
    decoder.build(inputs.shape, memory.shape)
    for variable in decoder.weights:
        variable.assign(rng.normal(size=variable.shape))
    attention = decoder.cell.attention
    expected = reference.decode(
        attend,
        inputs,
        memory,
        state,
        [
            to_numpy(weight)
            for weight in (
                attention.query_kernel,
                attention.key_kernel,
                attention.score_vector,
            )
        ],
        [[to_numpy(w) for w in cell.weights] for cell in decoder.cell.cells],
    )
    outputs, *_, alignments = decoder(inputs, memory=memory, initial_state=state)
    np.testing.assert_allclose(to_numpy(outputs), expected[0], atol=1e-6)
    np.testing.assert_allclose(to_numpy(alignments), expected[1], atol=1e-6)


@pytest.mark.parametrize("cells", CELLS)
@pytest.mark.parametrize("attend", ORDERS)
def test_a_sequence_equals_its_steps(rng, attend, cells):
    inputs, memory = data(rng)
    decoder = make(attend, cells)
    outputs, *states, alignments = decoder(inputs, memory=memory)
    expected = step_by_step(decoder, inputs, memory)
    np.testing.assert_allclose(to_numpy(outputs), expected[0], atol=1e-6)
    np.testing.assert_allclose(to_numpy(alignments), expected[2], atol=1e-6)
    assert len(states) == len(expected[1]) == len(decoder.cell.state_size)
    for ours, theirs in zip(states, expected[1], strict=True):
        np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), atol=1e-6)


def test_the_attention_vector_replaces_the_output(rng):
    inputs, memory = data(rng)
    layer = keras.layers.Dense(7, activation="tanh", use_bias=False)
    decoder = make("after", layer=layer)
    outputs, *states, _ = decoder(inputs, memory=memory)
    assert outputs.shape == (2, 4, 7)
    assert [tuple(state.shape) for state in states] == [(2, 5), (2, 7)]
    np.testing.assert_allclose(
        to_numpy(outputs)[:, -1], to_numpy(states[-1]), atol=1e-6
    )
    expected, _, _ = step_by_step(decoder, inputs, memory)
    np.testing.assert_allclose(to_numpy(outputs), expected, atol=1e-6)


@pytest.mark.parametrize("attend", ORDERS)
def test_a_masked_step_repeats_state_and_output_and_reads_nothing(rng, attend):
    inputs, memory = data(rng, batch=3)
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]], bool)
    decoder = make(attend)
    outputs, *states, alignments = decoder(inputs, memory=memory, inputs_mask=mask)
    outputs, alignments = to_numpy(outputs), to_numpy(alignments)
    assert (alignments[~mask] == 0).all()
    assert (outputs[2, 0] == 0).all()
    np.testing.assert_array_equal(outputs[1, 1], outputs[1, 2])
    np.testing.assert_array_equal(outputs[1, 1], outputs[1, 3])
    np.testing.assert_array_equal(outputs[2, 1], outputs[2, 2])
    short = decoder(inputs[1:2, :2], memory=memory[1:2])
    np.testing.assert_allclose(outputs[1, :2], to_numpy(short[0])[0], atol=1e-6)
    for ours, theirs in zip(states, short[1:-1], strict=True):
        np.testing.assert_allclose(to_numpy(ours)[1], to_numpy(theirs)[0], atol=1e-6)
    # The last row's valid steps are as if the others were not there.
    dense = decoder(inputs[2:, [1, 3]], memory=memory[2:])
    np.testing.assert_allclose(outputs[2, [1, 3]], to_numpy(dense[0])[0], atol=1e-6)


@given(
    st.sampled_from(ORDERS), st.integers(0, 3), st.integers(0, 3), st.integers(0, 99)
)
def test_padding_and_company_change_nothing(attend, targets, sources, seed):
    inputs, memory = data(np.random.default_rng(seed))
    decoder = make(attend)
    alone = decoder(inputs[:1], memory=memory[:1])
    together = decoder(
        np.pad(inputs, [(0, 0), (0, targets), (0, 0)], constant_values=9),
        memory=np.pad(memory, [(0, 0), (0, sources), (0, 0)], constant_values=np.nan),
        inputs_mask=np.tile(np.arange(4 + targets) < 4, (2, 1)),
        memory_mask=np.tile(np.arange(5 + sources) < 5, (2, 1)),
    )
    np.testing.assert_allclose(
        to_numpy(together[0])[:1, :4], to_numpy(alone[0]), atol=1e-6
    )
    np.testing.assert_allclose(
        to_numpy(together[-1])[:1, :4, :5], to_numpy(alone[-1]), atol=1e-6
    )
    for ours, theirs in zip(together[1:-1], alone[1:-1], strict=True):
        np.testing.assert_allclose(to_numpy(ours)[:1], to_numpy(theirs), atol=1e-6)


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("functional", [False, True])
def test_implicit_masks_count_with_and_without_an_initial_state(
    rng, with_state, functional
):
    ids, source_ids = np.array([[1, 2, 0], [3, 0, 0]]), np.array([[4, 5], [6, 0]])
    embed = keras.layers.Embedding(9, 3, mask_zero=True)
    decoder = make()
    state = rng.normal(size=(2, 5)).astype("float32") if with_state else None

    def run(ids, source_ids, state):
        return decoder(embed(ids), memory=embed(source_ids), initial_state=state)

    if functional:
        sources = [
            keras.Input((None,), dtype="int32"),
            keras.Input((None,), dtype="int32"),
            keras.Input((5,)),
        ]
        model = keras.Model(
            sources, run(*sources[:2], sources[2] if with_state else None)
        )
        outputs, *_, alignments = model(
            [ids, source_ids, np.zeros((2, 5)) if state is None else state]
        )
    else:
        outputs, *_, alignments = run(ids, source_ids, state)
    outputs, alignments = to_numpy(outputs), to_numpy(alignments)
    assert (alignments[0, 2] == 0).all()
    assert (alignments[1, 1:] == 0).all()
    assert (alignments[1, 0, 1] == 0).all()
    np.testing.assert_array_equal(outputs[1, 0], outputs[1, 2])


@pytest.mark.parametrize("attend", ORDERS)
def test_fits_twice_with_other_batch_sizes_and_all_dropouts(rng, attend):
    cells = [
        keras.layers.GRUCell(5, dropout=0.3, recurrent_dropout=0.3)
        for _ in range(2 if attend == "between" else 1)
    ]
    cell = AttentionDecoder(cells, BahdanauAttention(4, dropout=0.3), attend=attend)
    sources = keras.Input((None, 3)), keras.Input((None, 6))
    outputs = AttentionRNN(cell)(sources[0], memory=sources[1])
    model = keras.Model(sources, keras.layers.Dense(1)(outputs))
    model.compile("sgd", "mse", jit_compile=False)
    inputs, memory = data(rng, batch=8)
    for batch_size in (4, 3):
        history = model.fit(
            [inputs, memory], np.ones((8, 1)), batch_size=batch_size, verbose=0
        )
        assert np.isfinite(history.history["loss"][0])
    a, b = (model([inputs, memory], training=True) for _ in range(2))
    assert not np.allclose(to_numpy(a), to_numpy(b)), "one mask for ever"
    a, b = (model([inputs, memory]) for _ in range(2))
    np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


def test_steps_by_hand_drop_out_anew_for_any_batch(rng):
    cell = AttentionDecoder(keras.layers.GRUCell(5, dropout=0.5), BahdanauAttention(4))
    cell.build((None, 3), (None, None, 6))
    for batch in (2, 3):
        inputs, memory = data(rng, batch=batch)
        arguments = inputs[:, 0], cell.get_initial_state(batch), cell.prepare(memory)
        a, b = (cell.step(*arguments, training=True)[0] for _ in range(2))
        assert not np.allclose(to_numpy(a), to_numpy(b))


def test_dropout_noise_differs_from_step_to_step(rng):
    _, memory = data(rng, batch=1, source=50)
    decoder = make("before", dropout=0.5)
    # The same input and a zero kernel: only the noise can change the context.
    inputs = np.zeros((1, 3, 3), "float32")
    decoder.build(inputs.shape, memory.shape)
    decoder.cell.attention.score_vector.assign(np.zeros(4))
    outputs, *_ = decoder(inputs, memory=memory, training=True)
    contexts = to_numpy(outputs)[0, :, 5:]
    assert not np.allclose(contexts[0], contexts[1])


@pytest.mark.parametrize("cells", ["gru", "lstm"])
def test_initial_states_come_as_tensor_or_list(rng, cells):
    inputs, memory = data(rng)
    decoder = make("after", cells)
    sizes = [5] * (1 if cells == "gru" else 2)
    states = [rng.normal(size=(2, size)).astype("float32") for size in sizes]
    vector = np.zeros((2, 6), "float32")
    expected = decoder(inputs, memory=memory, initial_state=[*states, vector])
    found = [decoder(inputs, memory=memory, initial_state=states)]
    if len(states) == 1:
        found.append(decoder(inputs, memory=memory, initial_state=states[0]))
    for one in found:
        np.testing.assert_array_equal(to_numpy(one[0]), to_numpy(expected[0]))


def test_a_prepared_memory_is_a_memory(rng):
    inputs, memory = data(rng)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    decoder = make()
    expected = decoder(inputs, memory=memory, memory_mask=mask)
    prepared = decoder.cell.prepare(memory, mask)
    found = decoder(inputs, memory=prepared)
    np.testing.assert_array_equal(to_numpy(found[0]), to_numpy(expected[0]))
    with pytest.raises(ValueError, match="memory_mask must be None"):
        decoder(inputs, memory=prepared, memory_mask=mask)


def test_several_hypotheses_read_one_row_of_memory(rng):
    inputs, memory = data(rng, batch=2)
    decoder = make("between")
    decoder(inputs, memory=memory)
    tokens = rng.normal(size=(6, 3)).astype("float32")
    states = [rng.normal(size=(6, 5)).astype("float32")]
    cell = decoder.cell
    shared = cell.step(tokens, states, cell.prepare(memory))
    tiled = cell.step(tokens, states, cell.prepare(np.repeat(memory, 3, axis=0)))
    for ours, theirs in zip(
        keras.tree.flatten(shared), keras.tree.flatten(tiled), strict=True
    ):
        np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), atol=1e-6)
    with pytest.raises(ValueError, match="divides the 6 rows"):
        cell.step(tokens, states, cell.prepare(np.repeat(memory, 2, axis=0)))


def test_one_config_makes_any_number_of_decoders(rng):
    inputs, memory = data(rng)
    config = make("after", "stack", layer=keras.layers.Dense(7)).get_config()
    for _ in range(2):
        assert len(AttentionRNN.from_config(config)(inputs, memory=memory)) == 6


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("return_state", [False, True])
@pytest.mark.parametrize("return_scores", [False, True])
def test_returns_what_is_asked_for(rng, return_sequences, return_state, return_scores):
    inputs, memory = data(rng)
    decoder = make(
        return_sequences=return_sequences,
        return_state=return_state,
        return_attention_scores=return_scores,
    )
    found = decoder(inputs, memory=memory)
    symbolic = decoder(
        keras.KerasTensor((2, 4, 3)), memory=keras.KerasTensor((2, 5, 6))
    )
    shapes = [(2, 4, 11) if return_sequences else (2, 11)]
    shapes += [(2, 5)] * return_state + [(2, 4, 5)] * return_scores
    for result in (found, symbolic):
        result = result if isinstance(result, tuple) else (result,)
        assert [tuple(part.shape) for part in result] == shapes


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_runs_in_mixed_precision(rng, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        inputs, memory = data(rng)
        outputs, state, alignments = make("before")(inputs, memory=memory)
    finally:
        keras.config.set_dtype_policy(before)
    compute = policy.removeprefix("mixed_")
    for part in (outputs, state, alignments):
        assert keras.backend.standardize_dtype(part.dtype) == compute


@pytest.mark.parametrize("attend", ORDERS)
def test_survives_its_file_in_a_fresh_process(rng, tmp_path, attend):
    inputs, memory = data(rng)
    layer = keras.layers.Dense(7) if attend == "after" else None
    sources = keras.Input((None, 3)), keras.Input((None, 6))
    model = keras.Model(
        sources, make(attend, "stack", layer=layer)(sources[0], memory=sources[1])
    )
    expected = model([inputs, memory])
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", inputs, memory, *map(to_numpy, expected))
    run_python(
        """
import sys, numpy as np, keras, kattention
*inputs, = np.load(sys.argv[1] + "/data.npz").values()
model = keras.models.load_model(sys.argv[1] + "/model.keras")
for ours, theirs in zip(model(inputs[:2]), inputs[2:], strict=True):
    assert (keras.ops.convert_to_numpy(ours) == theirs).all()
""",
        tmp_path,
    )
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for ours, theirs in zip(clone([inputs, memory]), expected, strict=True):
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


def test_exports_and_compiles(rng, tmp_path):
    tf = pytest.importorskip("tensorflow")
    inputs, memory = data(rng)
    sources = [keras.Input((None, 3)), keras.Input((None, 6))]
    model = keras.Model(
        sources, make(return_state=False)(sources[0], memory=sources[1])
    )
    expected = model([inputs, memory])
    model.export(tmp_path / "model", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "model")
    served = loaded.serve([inputs, memory])
    compiled = tf.function(model, jit_compile=True)([inputs, memory])
    for found in (served, compiled):
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), atol=1e-6)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_gives_the_same_on_other_backends(rng, tmp_path, backend):
    pytest.importorskip(backend)
    inputs, memory = data(rng)
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool)
    sources = keras.Input((None, 3)), keras.Input((None, 6))
    for attend in ORDERS:
        model = keras.Model(
            sources, make(attend, dropout=0.1)(sources[0], memory=sources[1])
        )
        model.save(tmp_path / f"{attend}.keras")
        decoder = model.layers[-1]
        results = decoder(inputs, memory=memory, inputs_mask=mask)
        np.savez(
            tmp_path / f"{attend}.npz", inputs, memory, mask, *map(to_numpy, results)
        )
    run_python(
        """
import sys, numpy as np, keras, kattention
assert "tensorflow" not in sys.modules
for attend in ("before", "between", "after"):
    inputs, memory, mask, *expected = np.load(f"{sys.argv[1]}/{attend}.npz").values()
    model = keras.models.load_model(f"{sys.argv[1]}/{attend}.keras")
    found = model.layers[-1](inputs, memory=memory, inputs_mask=mask)
    for ours, theirs in zip(found, expected, strict=True):
        ours = keras.ops.convert_to_numpy(ours)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    trained = keras.Model(model.inputs, model.outputs[0])
    trained.compile("sgd", "mse")
    for size in (2, 1):
        trained.fit([inputs, memory], expected[0], batch_size=size, verbose=0)
""",
        tmp_path,
        KERAS_BACKEND=backend,
    )
