import keras
import numpy as np
import pytest
from keras import ops

import kattention
from tests.conftest import VOCABULARY, make_seq2seq

to_numpy = ops.convert_to_numpy
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


def test_learns_with_fit_and_dropout():
    model = make_seq2seq("between", dropout=0.2)
    model.compile(
        keras.optimizers.Adam(0.01),
        kattention.training.TokenCrossentropy(),
        jit_compile=False,
    )
    losses = model.fit([SOURCE, TARGET], TARGET, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
