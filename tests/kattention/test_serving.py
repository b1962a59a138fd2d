"""An export must say what Python says, in any process that loads it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text

import kattention
from kattention import search, serving
from kattention.text import SubwordTokenizer
from tests.conftest import make_seq2seq, run_python

LINES = ["aab bba cab.", "ba cab abc!", "cc ab ba?"] * 3
TEXTS = ["aab cab", "", "ba ba ba ba ba!", "ç 日本", "cab."]


def make_translator(mechanism=None):
    tokenizer = SubwordTokenizer.train(LINES, 270)
    model = make_seq2seq(mechanism=mechanism, vocabulary=tokenizer.vocabulary_size)
    return kattention.Translator(model, tokenizer, tokenizer)


@pytest.fixture(scope="module")
def translator():
    # It is made before the test's own seed is set.
    keras.utils.set_random_seed(0)
    return make_translator()


@pytest.fixture(scope="module")
def exported(translator, tmp_path_factory):
    return translator.export(tmp_path_factory.mktemp("exported"), example="cab")


@pytest.fixture(scope="module")
def served(exported):
    return tf.saved_model.load(exported)


def test_says_what_python_says(translator, served):
    expected = translator.translate(TEXTS)
    found = served.signatures["serving_default"](text=tf.constant(TEXTS))
    assert [text.decode() for text in found["translation"].numpy()] == [
        one.text for one in expected
    ]
    np.testing.assert_allclose(
        found["score"], [one.score for one in expected], rtol=1e-5
    )


def test_the_attention_signature_is_python_s_alignment(translator, served):
    found = served.signatures["attention"](text=tf.constant(TEXTS))
    for row, one in enumerate(translator.translate(TEXTS)):
        source, target = len(one.source_tokens), len(one.target_tokens)
        tokens = found["source_tokens"][row].numpy()
        assert [t.decode() for t in tokens[:source]] == one.source_tokens
        assert (tokens[source:] == b"").all()
        tokens = found["target_tokens"][row].numpy()
        assert [t.decode() for t in tokens[:target]] == one.target_tokens
        assert (tokens[target:] == b"").all()
        attention = found["attention"][row].numpy()
        np.testing.assert_allclose(
            attention[:target, :source], one.alignment, atol=1e-5
        )
        scores = found["token_scores"][row].numpy()
        np.testing.assert_allclose(scores[:target], one.token_scores, atol=1e-5)
        assert (scores[target:] == 0).all()
        assert (attention[target:] == 0).all()
        assert (attention[:, source:] == 0).all()


def test_nbest_is_best_first(served):
    found = served.signatures["nbest"](text=tf.constant(TEXTS))
    assert found["translation"].shape == (len(TEXTS), 5)
    assert (np.diff(found["score"]) <= 0).all()
    best = served.signatures["serving_default"](text=tf.constant(TEXTS))
    assert (found["translation"][:, 0] == best["translation"]).numpy().all()


def run_all(served, texts):
    """What each signature says of the texts, sampling at its plainest."""
    rows = len(texts)
    others = {
        "sample": {
            "seed": tf.range(rows, dtype=tf.int64),
            "temperature": tf.ones([rows]),
            "top_p": tf.fill([rows], 0.9),
        },
        "continue": {"prefix": tf.fill([rows], "ba")},
        "score": {"translation": tf.fill([rows], "ba cab")},
    }
    for name, signature in served.signatures.items():
        more = others.get(name, {})
        yield name, signature(text=tf.constant(texts, tf.string), **more)


def test_every_signature_takes_an_empty_batch(served):
    for _, found in run_all(served, []):
        for output in found.values():
            assert output.shape[0] == 0


def test_outputs_suit_the_rest_interface(served):
    """One first dimension, no half, nothing that JSON cannot say."""
    for _, found in run_all(served, TEXTS):
        for output in found.values():
            assert output.shape[0] == len(TEXTS)
            assert output.dtype in (tf.string, tf.float32)
            if output.dtype == tf.float32:
                assert np.isfinite(output).all()


def test_a_text_alone_says_what_it_says_in_company(served):
    run = served.signatures["attention"]
    together = run(text=tf.constant(TEXTS))
    for row, text in enumerate(TEXTS):
        alone = run(text=tf.constant([text]))
        assert alone["translation"][0] == together["translation"][row]
        np.testing.assert_allclose(alone["score"][0], together["score"][row], rtol=1e-5)


def test_a_served_draw_is_python_s(translator, served):
    expected = translator.sample(TEXTS, seed=5, temperature=0.8, top_p=0.9)
    rows = len(TEXTS)
    # In another order, as a server that batches strangers would have them.
    order = np.arange(rows)[::-1]
    found = served.signatures["sample"](
        text=tf.constant([TEXTS[i] for i in order]),
        seed=tf.constant([5 + int(i) * 2**32 for i in order], tf.int64),
        temperature=tf.fill([rows], 0.8),
        top_p=tf.fill([rows], 0.9),
    )
    for row, i in enumerate(order):
        [one] = expected[i]
        assert found["translation"][row].numpy().decode() == one.text
        np.testing.assert_allclose(found["score"][row], one.score, rtol=1e-5)


def test_a_served_prefix_is_continued_as_in_python(translator, served):
    prefixes = ["ba", "", "cab a", "日", "aab"]
    found = served.signatures["continue"](
        text=tf.constant(TEXTS), prefix=tf.constant(prefixes)
    )
    expected = translator.translate(TEXTS, prefixes=prefixes)
    for row, one in enumerate(expected):
        assert found["translation"][row].numpy().decode() == one.text
        assert one.text.startswith(prefixes[row])
        np.testing.assert_allclose(found["score"][row], one.score, rtol=1e-5)
    plain = served.signatures["serving_default"](text=tf.constant(TEXTS))
    assert found["translation"][1] == plain["translation"][1]  # nothing to continue


def test_a_served_score_is_python_s(translator, served):
    given = ["ba", "", "cab aab!", "日本", "aab"]
    found = served.signatures["score"](
        text=tf.constant(TEXTS), translation=tf.constant(given)
    )
    expected = [one.score for one in translator.score(TEXTS, given)]
    np.testing.assert_allclose(found["score"], expected, rtol=1e-5)


ASKED = []


@keras.saving.register_keras_serializable(package="tests")
class WatchedGRU(keras.layers.GRU):
    def call(self, *args, **kwargs):
        ASKED.append(self.use_cudnn)
        return super().call(*args, **kwargs)


def test_an_export_does_without_cudnn(tmp_path, quick_export):
    """Keras chooses cuDNN where it traces on a GPU, which a server may lack."""
    translator = make_translator()
    vectors = keras.Input((None, 8))
    gru = WatchedGRU(6, return_sequences=True)
    encoder = keras.Model(vectors, [keras.layers.Bidirectional(gru)(vectors)])
    config = {**translator.model.get_config(), "encoder": encoder}
    tokenizer = translator.source_tokenizer
    model = kattention.Seq2Seq.from_config(config)
    ASKED.clear()
    kattention.Translator(model, tokenizer, tokenizer).export(tmp_path)
    assert ASKED and not any(ASKED)
    model.encode(np.ones((1, 3), "int32"))
    assert ASKED[-1] == "auto"


def test_options_reach_the_export(translator, tmp_path, quick_export):
    options = {"beam_width": 4, "groups": 2, "no_repeat_ngram": 1, "min_length": 3}
    options |= {"coverage_penalty": 0.3, "length_penalty": search.PerToken(0.5)}
    served = tf.saved_model.load(translator.export(tmp_path, **options))
    found = served.signatures["nbest"](text=tf.constant(TEXTS))
    for row, own in enumerate(translator.nbest(TEXTS, **options)):
        for k, one in enumerate(own):
            assert found["translation"][row, k].numpy().decode() == one.text
            np.testing.assert_allclose(found["score"][row, k], one.score, rtol=1e-5)


def test_options_reach_the_search(translator):
    """The same search by hand, with each option away from its default."""
    model, tokenizer = translator.model, translator.source_tokenizer
    options = {"beam_width": 4, "groups": 2, "diversity": 3.0}
    options |= {"coverage_penalty": 0.3, "length_penalty": 0.2}
    rules = {"no_repeat_ngram": 1, "min_length": 3}
    [ids] = tokenizer.encode(["aab cab ba"]).to_list()
    source = tf.constant([[*ids, 3]])
    memory, state = model.encode(source)
    expected = search.beam(
        lambda tokens, state: model.step(tokens, state, memory),
        state,
        max_length=min(7, int(0.1 * (len(ids) + 1)) + 10),
        forbid=(0, 1, 2),
        rules=[search.MinLength(3), search.NoRepeatNgram(1)],
        source_mask=tf.ones_like(source, tf.bool),
        **options,
    )
    [found] = translator.nbest(
        ["aab cab ba"], max_length=7, max_ratio=0.1, **options, **rules
    )
    np.testing.assert_allclose(
        [one.score for one in found], expected.scores[0, : len(found)], rtol=1e-5
    )
    pieces = tokenizer.pieces(expected.tokens[0]).numpy()
    for one, row in zip(found, pieces, strict=False):
        assert one.target_tokens == [piece.decode() for piece in row if piece]


def test_an_ensemble_is_exported_like_one_model(translator, tmp_path, quick_export):
    other = make_translator().model
    ensemble = kattention.Translator(
        kattention.Ensemble([translator.model, other]),
        translator.source_tokenizer,
        translator.target_tokenizer,
    )
    served = tf.saved_model.load(ensemble.export(tmp_path))
    found = served.signatures["attention"](text=tf.constant(TEXTS))
    for row, one in enumerate(ensemble.translate(TEXTS)):
        assert found["translation"][row].numpy().decode() == one.text
        np.testing.assert_allclose(
            found["attention"][row, : len(one.target_tokens), : len(one.source_tokens)],
            one.alignment,
            atol=1e-5,
        )


def test_without_attention_there_is_no_attention_signature(tmp_path, quick_export):
    translator = make_translator(kattention.FixedContext())
    loaded = tf.saved_model.load(translator.export(tmp_path))
    expected = {"serving_default", "nbest", "sample", "continue", "score"}
    assert set(loaded.signatures) == expected
    assert translator.translate(["cab"])[0].alignment is None


def test_versions_count_up_and_nothing_else_is_left(translator, tmp_path, quick_export):
    (tmp_path / "toy" / "7").mkdir(parents=True)
    (tmp_path / "toy" / "notes.txt").touch()
    assert translator.export(tmp_path / "toy") == tmp_path / "toy" / "8"
    names = {entry.name for entry in (tmp_path / "toy").iterdir()}
    assert names == {"7", "8", "notes.txt"}


def test_an_export_that_fails_leaves_nothing(translator, tmp_path, monkeypatch):
    def fail(path, text):
        raise RuntimeError("does not load")

    # Not by its dotted name: the package's `export` is the function.
    monkeypatch.setattr(sys.modules["kattention.serving.export"], "check", fail)
    with pytest.raises(RuntimeError):
        translator.export(tmp_path / "toy")
    assert list((tmp_path / "toy").iterdir()) == []


def test_a_path_that_is_no_folder_is_refused(translator, tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match="must be a folder"):
            translator.export(path)


def test_an_export_that_does_not_load_is_reported(tmp_path):
    with pytest.raises(RuntimeError, match="does not load"):
        serving.check(tmp_path, "text")


def test_a_process_with_only_the_op_library_loads_it(translator, exported):
    out = run_python(
        """
import json, sys
import tensorflow as tf
tf.load_op_library(sys.argv[2])
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1])
    signature = meta.signature_def["serving_default"]
    found = session.run(
        signature.outputs["translation"].name,
        {signature.inputs["text"].name: sys.argv[3:]},
    )
assert "kattention" not in sys.modules
print(json.dumps([text.decode() for text in found]))
""",
        exported,
        op_library(),
        *TEXTS,
    )
    assert json.loads(out) == [one.text for one in translator.translate(TEXTS)]


def test_a_c_program_loads_it(translator, exported, tmp_path):
    """The loader that TF Serving uses, with no Python in the process."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    home = Path(tf.__file__).parent
    program = tmp_path / "serve"
    subprocess.run(
        [
            *(compiler, Path(__file__).with_name("serve.c"), "-o", program),
            *("-I", home / "include", "-L", home, f"-Wl,-rpath,{home}"),
            *("-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"),
        ],
        check=True,
    )
    signature = _signature(exported)
    process = subprocess.run(
        [
            *(program, exported, op_library()),
            *(signature.inputs["text"].name, signature.outputs["translation"].name),
            *TEXTS,
        ],
        capture_output=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    # An untrained model may say anything, line feeds included.
    expected = [one.text + "\n" for one in translator.translate(TEXTS)]
    assert process.stdout.decode() == "".join(expected)


def _signature(path):
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
    return meta.signature_def["serving_default"]


def op_library():
    home = Path(tensorflow_text.__file__).parent
    return home / "python" / "ops" / "_sentencepiece_tokenizer.so"
