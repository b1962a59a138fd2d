import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kattention.text import SubwordTokenizer

LINES = [
    "The red house is near the old church.",
    "Das rote Haus ist nahe der alten Kirche, größer als die Straße.",
    "La maison rouge est près de l'église.",
] * 5


@pytest.fixture(scope="module")
def tokenizer():
    return SubwordTokenizer.train(LINES, 320)


@given(st.text(st.characters(exclude_characters="\u2581", exclude_categories=["Cs"])))
def test_nothing_is_lost_in_any_script(text):
    tokenizer = SubwordTokenizer.train(LINES, 320)
    [found] = tokenizer.decode(tokenizer.encode([text])).numpy()
    assert found.decode() == text


def test_gives_the_same_ids_in_python_in_a_graph_and_in_keras_nlp(tokenizer):
    keras_nlp = pytest.importorskip("keras_nlp")
    texts = tf.constant([*LINES[:3], "", "ein rotes 日本 😀"])
    ids = tokenizer.encode(texts)
    assert ids.dtype == tf.int32
    graph = tf.function(tokenizer.encode)(texts)
    assert ids.to_list() == graph.to_list()
    other = keras_nlp.tokenizers.SentencePieceTokenizer(proto=tokenizer.model)
    spaced = tf.where(texts == "", "", tf.strings.join([" ", texts]))
    assert [list(row) for row in other(spaced)] == ids.to_list()


def test_outlives_seeds_and_cleared_sessions(tokenizer):
    before = tokenizer.encode(LINES).to_list()
    keras.utils.set_random_seed(1)
    tf.random.set_seed(2)
    keras.backend.clear_session()
    assert tokenizer.encode(LINES).to_list() == before


def test_the_private_class_of_tensorflow_text_is_where_it_was():
    """Fails on an upgrade that would silently bring the lost resource back."""
    from tensorflow_text.python.ops import sentencepiece_tokenizer as private

    from kattention.text import sentencepiece_op

    base = private._SentencepieceModelResource
    assert "_create_resource" in vars(base)
    assert issubclass(sentencepiece_op._SharedModelResource, base)
    source = tf.constant(["a"])
    graph = tf.function(
        lambda: SubwordTokenizer.train(LINES, 300).encode(source).flat_values
    ).get_concrete_function()
    nodes = [n for n in graph.graph.as_graph_def().node if n.op == "SentencepieceOp"]
    names = [node.attr["shared_name"].s for node in nodes]
    assert any(name.startswith(b"kattention_") for name in names)


def test_decoding_drops_control_ids_and_strangers(tokenizer):
    [ids] = tokenizer.encode(["red house"]).to_list()
    padded = tf.constant([[2, *ids, 3, 0, 0, 9999, -1]])
    assert tokenizer.decode(padded).numpy().tolist() == [b"red house"]
    assert tokenizer.decode(tf.zeros([2, 0], tf.int32)).numpy().tolist() == [b"", b""]


def test_pieces_are_the_vocabulary_and_padding_is_empty(tokenizer):
    ids = tokenizer.encode(["the house"]).to_tensor()
    pieces = [piece.decode() for piece in tokenizer.pieces(ids)[0].numpy()]
    assert "".join(pieces) == "\u2581the\u2581house"
    assert tokenizer.pieces([0, 3, 9999]).numpy().tolist() == [b"", b"</s>", b""]


def test_survives_its_file(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "pieces.model")
    loaded = SubwordTokenizer.load(tmp_path / "pieces.model")
    assert loaded.encode(LINES).to_list() == tokenizer.encode(LINES).to_list()
    assert loaded.vocabulary == tokenizer.vocabulary


def test_too_large_a_vocabulary_shrinks_and_says_so():
    with pytest.warns(UserWarning, match="too large for this corpus: using"):
        tokenizer = SubwordTokenizer.train(["a b c"], 8000)
    assert tokenizer.vocabulary_size < 300


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SubwordTokenizer(b"no model"), "not a SentencePiece model"),
        (lambda: SubwordTokenizer.train([], 300), "got none"),
        (lambda: SubwordTokenizer.train(LINES, 20), "at least 29"),
    ],
)
def test_what_cannot_be_a_tokenizer_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_corrupt_file_is_named(tmp_path):
    (tmp_path / "x.model").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"x\.model"):
        SubwordTokenizer.load(tmp_path / "x.model")


def test_a_piece_is_continued_by_those_that_begin_like_it():
    tokenizer = SubwordTokenizer.train(["ma man maison maisons"] * 9, 280)
    start = tokenizer.vocabulary.index("\u2581ma")
    found = tokenizer.continuations(tf.constant([start, 0])).numpy()
    pieces = {tokenizer.vocabulary[id] for id in np.flatnonzero(found[0])}
    assert pieces == {p for p in tokenizer.vocabulary if p.startswith("\u2581ma")}
    assert len(pieces) > 2
    assert found[1].all()


def test_what_is_typed_is_no_special_token():
    tokenizer = SubwordTokenizer.train(["a < b"] * 9, 280)
    start = tokenizer.vocabulary.index("<")
    [found] = tokenizer.continuations(tf.constant([start])).numpy()
    assert [tokenizer.vocabulary[id] for id in np.flatnonzero(found)] == ["<"]
