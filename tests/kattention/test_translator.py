from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import kattention
from kattention import Translator
from kattention.text import SubwordTokenizer
from tests.conftest import make_seq2seq

LINES = ["aab bba cab.", "ba cab abc!", "cc ab ba?"] * 3


@pytest.fixture(scope="module")
def translator():
    tokenizer = SubwordTokenizer.train(LINES, 270)
    model = make_seq2seq(vocabulary=tokenizer.vocabulary_size)
    return Translator(model, tokenizer, tokenizer)


def test_tokens_and_alignment_belong_together(translator):
    for found in translator.translate(["aab cab", "", "ba"], beam_width=3):
        assert found.alignment.shape == (
            len(found.target_tokens),
            len(found.source_tokens),
        )
        np.testing.assert_allclose(found.alignment.sum(axis=1), 1, atol=1e-5)
        assert found.source_tokens[-1] == "</s>"
        text = "".join(t for t in found.target_tokens if t != "</s>")
        if "<0x" not in text:
            assert text.replace("\u2581", " ").removeprefix(" ") == found.text


def test_an_empty_text_is_only_the_end_token(translator):
    [found] = translator.translate([""])
    assert found.source_tokens == ["</s>"]
    assert translator.translate([]) == []


def test_batches_change_nothing(translator):
    texts = ["aab cab", "ba", "", "cab cab cab cab", "ab"]
    for a, b in zip(
        translator.translate(texts),
        translator.translate(texts, batch_size=2),
        strict=True,
    ):
        assert a.text == b.text
        np.testing.assert_allclose(a.score, b.score, rtol=1e-5)
        np.testing.assert_allclose(a.alignment, b.alignment, atol=1e-5)


def test_survives_its_folder(translator, tmp_path):
    translator.save(tmp_path / "run")
    loaded = Translator.load(tmp_path / "run")
    assert loaded.source_tokenizer is loaded.target_tokenizer
    assert loaded.translate(["aab"])[0].text == translator.translate(["aab"])[0].text
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"model.keras", "source.model", "target.model"}


def test_a_save_that_fails_leaves_the_one_before(translator, tmp_path, monkeypatch):
    translator.save(tmp_path)
    before = (tmp_path / "model.keras").read_bytes()

    def fail(path, **options):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(translator.model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        translator.save(tmp_path)
    assert (tmp_path / "model.keras").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_is_no_run_is_refused(translator, tmp_path):
    with pytest.raises(ValueError, match=r"not a run folder: .*no model\.keras"):
        Translator.load(tmp_path)
    translator.save(tmp_path)
    (tmp_path / "model.keras").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"model\.keras cannot be loaded") as error:
        Translator.load(tmp_path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one string", "list of strings"),
        ([b"bytes"], "must be strings"),
        ([1], "got 1"),
    ],
)
def test_texts_are_a_list_of_strings(translator, texts, message):
    with pytest.raises(ValueError, match=message):
        translator.translate(texts)


def test_needs_only_encode_and_step():
    """Somebody's own model, without a layer of ours: it copies its source."""
    tokenizer = SubwordTokenizer.train(LINES, 270)

    class Copier:
        def encode(self, source):
            return source, tf.zeros([tf.shape(source)[0], 1], tf.int32)

        def step(self, tokens, position, source):
            beams = tf.shape(tokens)[0] // tf.maximum(tf.shape(source)[0], 1)
            source = tf.repeat(source, beams, axis=0)
            here = tf.one_hot(position[:, 0], tf.shape(source)[1])
            ids = tf.reduce_sum(here * tf.cast(source, tf.float32), axis=1)
            logits = 20 * tf.one_hot(tf.cast(ids, tf.int32), tokenizer.vocabulary_size)
            return logits, position + 1, here

    [found] = kattention.Translator(Copier(), tokenizer, tokenizer).translate(
        ["cab ab"]
    )
    assert found.text == "cab ab"
    np.testing.assert_array_equal(found.alignment, np.eye(len(found.source_tokens)))
