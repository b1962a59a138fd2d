"""The state of a mechanism survives everything: loops, search, files, export."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kattention
from tests.conftest import make_seq2seq, run_python
from tests.kattention.decoders import data
from tests.kattention.mechanisms import MECHANISMS, STATEFUL
from tests.kattention.plain_search import START, log_softmax

pytestmark = pytest.mark.any_backend
to_numpy = ops.convert_to_numpy
ORDERS = ("before", "between", "after")
SOURCE = np.array([[5, 6, 7, 3], [8, 3, 0, 0]], "int32")
stateful = pytest.mark.parametrize("name", STATEFUL)


def make(name, attend="before", dtype=None, **options):
    cells = [keras.layers.GRUCell(5, dtype=dtype) for _ in range(2)]
    cell = kattention.AttentionDecoder(
        cells, MECHANISMS[name](dtype=dtype), attend=attend, dtype=dtype
    )
    options = {"return_sequences": True, "return_attention_scores": True, **options}
    return kattention.AttentionRNN(cell, return_state=True, dtype=dtype, **options)


def assert_close(found, expected, atol=1e-5):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), atol=atol)


@stateful
@pytest.mark.parametrize("attend", ORDERS)
def test_a_sequence_equals_its_steps(rng, attend, name):
    inputs, memory = data(rng)
    decoder = make(name, attend)
    outputs, *states, alignments = decoder(inputs, memory=memory)
    cell = decoder.cell
    prepared = cell.prepare(memory)
    own = cell.get_initial_state(batch_size=2, memory=prepared)
    for t in range(inputs.shape[1]):
        output, own, alignment = cell.step(inputs[:, t], own, prepared)
        assert_close([output, alignment], [outputs[:, t], alignments[:, t]])
    assert_close(own, states)


@stateful
def test_a_masked_step_keeps_the_state(rng, name):
    inputs, memory = data(rng)
    mask = np.array([[1, 1, 1, 1], [1, 0, 1, 0]], bool)
    decoder = make(name)
    _, *states, alignments = decoder(inputs, memory=memory, inputs_mask=mask)
    assert (to_numpy(alignments)[~mask] == 0).all()
    dense = decoder(inputs[1:, [0, 2]], memory=memory[1:])
    assert_close([state[1:] for state in states], dense[1:-1])


@stateful
def test_a_sequence_goes_on_from_its_states(rng, name):
    inputs, memory = data(rng)
    decoder = make(name, "after")
    whole = decoder(inputs, memory=memory)
    _, *states, _ = decoder(inputs[:, :2], memory=memory)
    outputs, *states, alignments = decoder(
        inputs[:, 2:], memory=memory, initial_state=states
    )
    assert_close(
        [outputs, *states, alignments],
        [whole[0][:, 2:], *whole[1:-1], whole[-1][:, 2:]],
    )
    cells_alone = decoder(inputs, memory=memory, initial_state=[np.ones((2, 5))] * 2)
    assert len(cells_alone) == len(whole)


@stateful
def test_several_hypotheses_read_one_row_of_memory(rng, name):
    inputs, memory = data(rng)
    decoder = make(name)
    decoder(inputs, memory=memory)
    cell, tiled = decoder.cell, np.repeat(memory, 3, axis=0)
    states = cell.get_initial_state(6, cell.prepare(memory))
    states = [rng.normal(size=state.shape).astype("float32") for state in states]
    tokens = rng.normal(size=(6, 3)).astype("float32")
    found = cell.step(tokens, states, cell.prepare(memory))
    expected = cell.step(tokens, states, cell.prepare(tiled))
    assert_close(keras.tree.flatten(found), keras.tree.flatten(expected))


def test_the_state_is_carried_in_float32_in_mixed_precision(rng):
    inputs, memory = data(rng)
    decoder = make("recency", dtype="mixed_bfloat16")
    *_, total, alignments = decoder(inputs, memory=memory)
    assert keras.backend.standardize_dtype(total.dtype) == "float32"
    assert keras.backend.standardize_dtype(alignments.dtype) == "bfloat16"
    specs = decoder(keras.KerasTensor((2, 4, 3)), memory=keras.KerasTensor((2, 5, 6)))
    assert [spec.dtype for spec in specs][-2:] == ["float32", "bfloat16"]
    cell = decoder.cell
    prepared = cell.prepare(memory)
    states = cell.get_initial_state(2, prepared)
    for t in range(4):
        _, states, _ = cell.step(inputs[:, t], states, prepared)
    assert keras.backend.standardize_dtype(states[-1].dtype) == "float32"
    np.testing.assert_allclose(to_numpy(states[-1]), to_numpy(total), atol=0.05)


@stateful
@pytest.mark.parametrize("attend", ORDERS)
def test_survives_its_file_in_a_fresh_process(rng, tmp_path, attend, name):
    inputs, memory = data(rng)
    sources = keras.Input((None, 3)), keras.Input((None, 6))
    model = keras.Model(sources, make(name, attend)(sources[0], memory=sources[1]))
    expected = model([inputs, memory])
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", inputs, memory, *map(to_numpy, expected))
    run_python(
        """
import sys, numpy as np, keras, kattention
from tests.kattention import mechanisms
*inputs, = np.load(sys.argv[1] + "/data.npz").values()
model = keras.models.load_model(sys.argv[1] + "/model.keras")
for ours, theirs in zip(model(inputs[:2]), inputs[2:], strict=True):
    assert (keras.ops.convert_to_numpy(ours) == theirs).all()
""",
        tmp_path,
    )


@stateful
@pytest.mark.parametrize("attend", ORDERS)
def test_a_beam_reads_as_teacher_forcing_does(attend, name):
    tf = pytest.importorskip("tensorflow")
    from kattention import search

    model = make_seq2seq(attend, mechanism=MECHANISMS[name]())
    config = model.get_config()
    config["decoder"]["config"]["return_attention_scores"] = True
    teacher = kattention.Seq2Seq.from_config(config)
    teacher.set_weights(model.get_weights())
    memory, state = model.encode(tf.constant(SOURCE))

    @tf.function(input_signature=[])
    def find():
        return search.beam(
            lambda tokens, state: model.step(tokens, state, memory),
            state,
            max_length=5,
            beam_width=3,
            length_penalty=0.0,
        )

    result = find()
    for row, k in itertools.product(range(2), range(3)):
        length = int(result.lengths[row, k])
        tokens = result.tokens[row, k, :length].numpy()
        target = np.array([[START, *tokens[:-1]]])
        logits, alignments = teacher([SOURCE[row : row + 1], target])
        scores = log_softmax(to_numpy(logits))[0, np.arange(length), tokens]
        assert_close(
            [result.token_scores[row, k, :length], result.alignments[row, k, :length]],
            [scores, alignments[0]],
        )
    assert (result.alignments[1, ..., 2:].numpy() == 0).all()


@stateful
def test_an_export_says_what_python_says(tmp_path, name, quick_export):
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflow_text")
    from kattention.text import SubwordTokenizer

    tokenizer = SubwordTokenizer.train(["aab bba cab.", "ba cab abc!"] * 3, 270)
    model = make_seq2seq(
        mechanism=MECHANISMS[name](), vocabulary=tokenizer.vocabulary_size
    )
    translator = kattention.Translator(model, tokenizer, tokenizer)
    texts = ["aab cab", "", "ba ba ba!"]
    served = tf.saved_model.load(translator.export(tmp_path, example="cab"))
    found = served.signatures["attention"](text=tf.constant(texts))
    for row, expected in enumerate(translator.translate(texts)):
        assert found["translation"][row].numpy().decode() == expected.text
        target, source = expected.alignment.shape
        attention = found["attention"][row, :target, :source]
        np.testing.assert_allclose(attention, expected.alignment, atol=1e-5)


def test_an_ensemble_and_drawn_training_carry_it():
    model = make_seq2seq(mechanism=MECHANISMS["recency"]())
    other = make_seq2seq(mechanism=MECHANISMS["location"]())
    ensemble = kattention.Ensemble([model, other])
    memory, state = ensemble.encode(ops.array(SOURCE))
    _, state, alignment = ensemble.step(ops.array([2, 2]), state, memory)
    np.testing.assert_allclose(to_numpy(ops.sum(alignment, -1)), 1, atol=1e-5)
    if keras.backend.backend() == "jax":
        return
    trained = kattention.training.ScheduledSampling(model, 0.5)
    target = np.array([[2, 9, 10], [2, 13, 0]], "int32")
    trained.compile("sgd", kattention.training.TokenCrossentropy(), jit_compile=False)
    history = trained.fit([SOURCE, target], target, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_a_state_that_is_missing_is_asked_for(rng):
    inputs, memory = data(rng)
    decoder = make("recency")
    decoder(inputs, memory=memory)
    cell = decoder.cell
    with pytest.raises(ValueError, match="needs memory, which the state of Recency"):
        cell.get_initial_state(2)
    with pytest.raises(ValueError, match=r"depths \[5, 5\] and the states of Recency"):
        cell.step(inputs[:, 0], [np.ones((2, 5))] * 2, cell.prepare(memory))
