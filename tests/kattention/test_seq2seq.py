import warnings

import keras
import numpy as np
import pytest
from keras import ops

import kattention
from kattention.packing import PackTokens
from kattention.training import GuidedAlignment, TokenAccuracy, TokenCrossentropy
from tests.conftest import VOCABULARY, make_seq2seq

pytestmark = pytest.mark.any_backend
to_numpy = ops.convert_to_numpy
tensorflow_or_torch = pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="packing has no JAX"
)
SOURCE = np.array([[5, 6, 7, 3], [8, 3, 0, 0]], "int32")
TARGET = np.array([[2, 9, 10, 11, 12], [2, 13, 14, 15, 16]], "int32")


def steps(model, source, target):
    memory, state = model.encode(ops.array(source))
    logits, alignments = [], []
    for t in range(target.shape[1]):
        scores, state, alignment = model.step(ops.array(target[:, t]), state, memory)
        logits.append(to_numpy(scores))
        alignments.append(alignment if alignment is None else to_numpy(alignment))
    return np.stack(logits, 1), alignments


@pytest.mark.parametrize("attend", ["before", "between", "after"])
def test_teacher_forcing_equals_steps(attend):
    model = make_seq2seq(attend)
    expected = to_numpy(model([SOURCE, TARGET]))
    assert expected.shape == (2, 5, VOCABULARY)
    logits, alignments = steps(model, SOURCE, TARGET)
    np.testing.assert_allclose(logits, expected, atol=1e-6)
    alignments = np.stack(alignments, 1)
    np.testing.assert_allclose(alignments.sum(-1), 1, atol=1e-6)
    assert (alignments[1, :, 2:] == 0).all()


def test_padding_and_company_change_nothing():
    model = make_seq2seq()
    together = to_numpy(model([SOURCE, TARGET]))
    alone = to_numpy(model([SOURCE[1:, :2], TARGET[1:, :3]]))
    np.testing.assert_allclose(together[1:, :3], alone, atol=1e-6)


@pytest.mark.parametrize("shared", [False, True])
def test_survives_its_file_and_shared_stays_shared(tmp_path, shared):
    model = make_seq2seq(shared=shared)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (loaded.source_embedding is loaded.target_embedding) == shared
    assert len(loaded.weights) == len(model.weights)
    np.testing.assert_array_equal(
        to_numpy(loaded([SOURCE, TARGET])), to_numpy(model([SOURCE, TARGET]))
    )
    np.testing.assert_array_equal(
        steps(loaded, SOURCE, TARGET)[0], steps(model, SOURCE, TARGET)[0]
    )


def test_without_attention_there_is_no_alignment():
    model = make_seq2seq(mechanism=kattention.FixedContext())
    logits, alignments = steps(model, SOURCE, TARGET)
    assert alignments == [None] * 5
    np.testing.assert_allclose(logits, to_numpy(model([SOURCE, TARGET])), atol=1e-6)


@pytest.mark.parametrize("fast", [True, False])
@tensorflow_or_torch
def test_alignments_come_out_if_the_decoder_returns_them(tmp_path, fast):
    model = with_alignments(make_seq2seq(), fast=fast and "auto")
    logits, alignments = model([SOURCE, TARGET])
    assert logits.shape == (10, VOCABULARY)
    expected = np.stack(steps(model, SOURCE, TARGET)[1], 1)
    np.testing.assert_allclose(to_numpy(alignments), expected, atol=1e-6)
    losses = [TokenCrossentropy(), GuidedAlignment()]
    model.compile(keras.optimizers.Adam(0.03), losses, jit_compile=False)
    outputs = np.concatenate([TARGET[:, 1:], np.full((2, 1), 3)], axis=1)
    links = np.zeros((2, 5, 4), "float32")
    links[0, np.arange(5), [3, 2, 1, 0, 3]] = links[1, :, 1] = 1
    many = [np.tile(x, (100, *[1] * (x.ndim - 1))) for x in (SOURCE, TARGET)]
    aims = [np.tile(x, (100, *[1] * (x.ndim - 1))) for x in (outputs, links)]
    model.fit(many, aims, batch_size=2, epochs=4, shuffle=False, verbose=0)
    learnt = to_numpy(model([SOURCE, TARGET])[1])
    assert (learnt.argmax(-1) == links.argmax(-1)).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(loaded([SOURCE, TARGET])[1]), learnt)


def with_alignments(model, fast):
    decoder = kattention.AttentionRNN(
        model.decoder.cell,
        return_sequences=True,
        return_attention_scores=True,
        fast=fast,
    )
    return kattention.Seq2Seq(
        model.source_embedding,
        model.encoder,
        model.target_embedding,
        decoder,
        model.readout,
        packed=True,
    )


def test_a_layer_of_logits_takes_the_place_of_the_tie():
    model = make_seq2seq()
    untied = kattention.Seq2Seq(
        model.source_embedding,
        model.encoder,
        model.target_embedding,
        model.decoder,
        model.readout,
        logits=keras.layers.Dense(17),
    )
    assert untied([SOURCE, TARGET]).shape == (2, 5, 17)
    assert steps(untied, SOURCE, TARGET)[0].shape == (2, 5, 17)


def test_a_decoder_that_returns_one_step_is_refused():
    model = make_seq2seq()
    with pytest.raises(ValueError, match="return_sequences=True"):
        kattention.Seq2Seq(
            model.source_embedding,
            model.encoder,
            model.target_embedding,
            kattention.AttentionRNN(model.decoder.cell),
            model.readout,
        )


def test_logits_are_tied_to_what_can_be_reversed():
    config = make_seq2seq(shared=False).get_config()
    config["target_embedding"] = keras.layers.Embedding(30, 8)
    with pytest.raises(ValueError, match="got None and Embedding"):
        kattention.Seq2Seq.from_config(config)


def test_learns_with_fit_and_dropout():
    model = make_seq2seq("between", dropout=0.2)
    model.compile(
        keras.optimizers.Adam(0.01),
        kattention.training.TokenCrossentropy(),
        jit_compile=False,
    )
    losses = model.fit([SOURCE, TARGET], TARGET, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


def packed_twin(model):
    """The same model, with logits of tokens only."""
    config = model.get_config()
    twin = kattention.Seq2Seq.from_config({**config, "packed": True})
    twin.set_weights(model.get_weights())
    return twin


@tensorflow_or_torch
def test_packed_logits_are_those_of_the_tokens(tmp_path):
    model = make_seq2seq()
    target = np.where(np.arange(5) < [[5], [3]], TARGET, 0)
    whole = to_numpy(model([SOURCE, target]))
    packed = packed_twin(model)
    found = to_numpy(packed([SOURCE, target]))
    np.testing.assert_allclose(found, whole[target != 0], atol=1e-6)
    packed.save(tmp_path / "packed.keras")
    loaded = keras.models.load_model(tmp_path / "packed.keras")
    assert loaded.packed
    np.testing.assert_array_equal(to_numpy(loaded([SOURCE, target])), found)


@tensorflow_or_torch
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_packed_training_ends_at_the_same_weights(smoothing):
    model = make_seq2seq()
    labels = np.array([[9, 10, 11, 12, 3], [13, 14, 3, 0, 0]], "int32")
    inputs = np.array([[2, 9, 10, 11, 12], [2, 13, 14, 0, 0]], "int32")
    results = []
    for one in (model, packed_twin(model)):
        one.compile(
            keras.optimizers.SGD(0.5),
            TokenCrossentropy(smoothing),
            metrics=[TokenAccuracy()],
            jit_compile=False,
        )
        history = one.fit([SOURCE, inputs], labels, epochs=3, verbose=0).history
        results.append([*history["loss"], *history["accuracy"], *one.get_weights()])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_packing_on_jax_says_that_it_cannot(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="use packed=False"):
        PackTokens()


@pytest.mark.parametrize("part", ["cells", "decoder", "encoder"])
def test_parts_of_other_precisions_give_a_state_that_stays_what_it_is(part):
    model = make_seq2seq(dtypes={part: "mixed_bfloat16"})
    memory, state = model.encode(ops.array(SOURCE))
    before = [keras.backend.standardize_dtype(one.dtype) for one in state]
    _, state, _ = model.step(ops.array(TARGET[:, 0]), state, memory)
    after = [keras.backend.standardize_dtype(one.dtype) for one in state]
    assert before == after
    assert np.isfinite(to_numpy(model([SOURCE, TARGET], training=True))).all()


def test_a_trained_model_can_keep_its_projection_in_bfloat16(tmp_path):
    def projecting(dtype):
        logits = keras.layers.Dense(VOCABULARY, dtype=dtype)
        config = {**make_seq2seq().get_config(), "logits": logits}
        return kattention.Seq2Seq.from_config(config)

    trained, mixed, half = map(projecting, ["float32", "mixed_bfloat16", "bfloat16"])
    for model in (mixed, half):
        model.set_weights(trained.get_weights())
    half.save(tmp_path / "half.keras")
    loaded = keras.models.load_model(tmp_path / "half.keras")
    kernel = loaded.logits.kernel
    assert keras.backend.standardize_dtype(kernel.dtype) == "bfloat16"
    exact, expected, *found = (
        steps(model, SOURCE, TARGET)[0].astype("float32")
        for model in (trained, mixed, half, loaded)
    )
    np.testing.assert_allclose(expected, exact, rtol=0.05, atol=0.02)
    for logits in found:
        np.testing.assert_array_equal(logits, expected)


def test_steps_by_hand_leave_training_to_the_model_around_them():
    told = []

    class Probe(keras.layers.Layer):
        def call(self, inputs, training=None):
            told.append(training)
            return inputs

    class ByHand(keras.Model):
        def __init__(self):
            super().__init__()
            self.model, self.probe = make_seq2seq(dropout=0.5), Probe()

        def call(self, source):
            memory, state = self.model.encode(source)
            logits, *_ = self.model.step(source[:, 0], state, memory)
            return self.probe(logits)

    by_hand = ByHand()
    calls = [
        to_numpy(by_hand(ops.array(SOURCE), training=training))
        for training in (True, True, False, False)
    ]
    assert told[-4:] == [True, True, False, False]  # before them it was built
    assert (calls[0] != calls[1]).any()
    np.testing.assert_array_equal(calls[2], calls[3])


def test_an_encoder_may_leave_the_first_state_to_zeros():
    model = make_seq2seq()
    vectors = keras.Input((None, 8))
    states = keras.layers.GRU(12, return_sequences=True)(vectors)
    embedding = model.target_embedding
    bare = kattention.Seq2Seq(
        *(embedding, keras.Model(vectors, states), embedding),
        *(model.decoder, model.readout),
    )
    expected = to_numpy(bare([SOURCE, TARGET]))
    logits, _ = steps(bare, SOURCE, TARGET)
    np.testing.assert_allclose(logits, expected, atol=1e-6)


def test_embeddings_that_mask_zero_go_everywhere_without_a_warning(tmp_path):
    tf = pytest.importorskip("tensorflow")
    text = pytest.importorskip("kattention.text")
    tokenizer = text.SubwordTokenizer.train(["aab bba cab.", "ba cab abc!"] * 3, 270)
    size = tokenizer.vocabulary_size
    plain = make_seq2seq(shared=False, vocabulary=size)
    parts = {
        name: keras.layers.Embedding(size, 8, mask_zero=True)
        for name in ("source_embedding", "target_embedding")
    }
    config = {**plain.get_config(), **parts, "logits": keras.layers.Dense(size)}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*mask")
        model = kattention.Seq2Seq.from_config(config)
        model.compile("adam", TokenCrossentropy(), jit_compile=False)
        model.fit([SOURCE, TARGET], TARGET, verbose=0)
        whole = to_numpy(model([SOURCE, np.where(TARGET < 15, TARGET, 0)]))
        assert np.isfinite(whole).all()
        translator = kattention.Translator(model, tokenizer, tokenizer)
        [found] = translator.translate(["aab cab"])
        served = tf.saved_model.load(translator.export(tmp_path, example="cab"))
    text = served.signatures["serving_default"](text=tf.constant(["aab cab"]))
    assert text["translation"].numpy()[0].decode() == found.text


@tensorflow_or_torch
def test_packed_training_takes_the_usual_shift():
    """A shorter row's input then still holds its end token, which predicts nothing."""
    ids = np.array([[2, 9, 10, 11, 12, 3], [2, 13, 14, 3, 0, 0]], "int32")
    framed = np.where(ids == 3, 0, ids)
    packed = packed_twin(make_seq2seq())
    shifted, expected = (
        to_numpy(packed([SOURCE, inputs[:, :-1]])) for inputs in (ids, framed)
    )
    np.testing.assert_allclose(shifted, expected, atol=1e-6)
    packed.compile(
        "sgd", TokenCrossentropy(0.1), metrics=[TokenAccuracy()], jit_compile=False
    )
    losses = [
        packed.evaluate([SOURCE, inputs[:, :-1]], ids[:, 1:], verbose=0)[0]
        for inputs in (ids, framed)
    ]
    assert losses[0] == losses[1]
    packed.fit([SOURCE, ids[:, :-1]], ids[:, 1:], verbose=0)


def test_the_users_parts_stay_as_they_are():
    model = make_seq2seq()
    for part in (model.encoder, model.readout):
        assert not part.supports_masking
    model([SOURCE, TARGET])
    model.encode(ops.array(SOURCE))
    assert not model.encoder.supports_masking


def test_one_config_makes_any_number_of_models():
    config = make_seq2seq().get_config()
    first, second = (kattention.Seq2Seq.from_config(config) for _ in range(2))
    second.set_weights(first.get_weights())
    np.testing.assert_array_equal(
        to_numpy(first([SOURCE, TARGET])), to_numpy(second([SOURCE, TARGET]))
    )
