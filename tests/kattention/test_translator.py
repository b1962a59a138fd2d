import zipfile
from pathlib import Path

import keras
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
    # It is made before the test's own seed is set.
    keras.utils.set_random_seed(0)
    tokenizer = SubwordTokenizer.train(LINES, 270)
    model = make_seq2seq(vocabulary=tokenizer.vocabulary_size)
    # An untrained model writes bytes that are no text: rather letters.
    [table] = model.target_embedding.weights
    letters = np.arange(tokenizer.vocabulary_size)[:, None] >= 260
    table.assign(np.where(letters, 20 * table.numpy(), 0))
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
    file = tmp_path / "model.keras"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"model\.keras is damaged: train or copy it"):
        Translator.load(tmp_path)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}")
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


def test_the_n_best_are_sorted_and_each_has_its_alignment(translator):
    for found in translator.nbest(["aab cab", "ba"], beam_width=4):
        assert len(found) == 4
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(one.target_tokens) for one in found}) == 4
        for one in found:
            assert len(one.alignment) == len(one.target_tokens)
            np.testing.assert_allclose(one.alignment.sum(axis=1), 1, atol=1e-5)


def test_a_translation_scores_what_the_search_said(translator):
    texts = ["aab cab", "", "ba ba ba"]
    found = translator.translate(texts, length_penalty=0.0, max_ratio=8.0)
    # Text can be cut into other tokens than the search found.
    plain = [i for i, one in enumerate(found) if spelt(translator, one)]
    assert plain
    again = translator.score([texts[i] for i in plain], [found[i].text for i in plain])
    for i, one in zip(plain, again, strict=True):
        assert one.text == found[i].text
        assert one.target_tokens == found[i].target_tokens
        np.testing.assert_allclose(one.score, found[i].score, rtol=1e-5)
        np.testing.assert_allclose(one.alignment, found[i].alignment, atol=1e-5)


def spelt(translator, one):
    """Whether the text is cut into the very tokens of the translation."""
    pieces = translator.target_tokenizer.pieces(
        translator.target_tokenizer.encode([one.text]).to_tensor()
    )
    return [piece.decode() for piece in pieces[0].numpy()] == one.target_tokens[:-1]


def test_scores_are_the_teacher_forced_ones(translator):
    tokenizer, model = translator.target_tokenizer, translator.model
    sources, targets = ["aab cab", "ba", ""], ["cab", "", "ab ab ab!"]
    for source, target, one in zip(
        sources, targets, translator.score(sources, targets, batch_size=2), strict=True
    ):
        [read], [written] = (tokenizer.encode([t]).to_list() for t in (source, target))
        logits = model([np.array([[*read, 3]]), np.array([[2, *written]])])
        scores = tf.nn.log_softmax(logits)[0].numpy()
        total = scores[np.arange(len(written) + 1), [*written, 3]].sum()
        np.testing.assert_allclose(one.score, total, rtol=1e-5)
        assert one.alignment.shape == (len(written) + 1, len(read) + 1)


def test_translations_begin_with_their_prefixes(translator):
    prefixes = ["cab ab", "", "ba"]
    found = translator.nbest(["aab", "ab", "ba"], prefixes, beam_width=3)
    for prefix, own in zip(prefixes, found, strict=True):
        assert len(own) == 3
        assert all(one.text.startswith(prefix) for one in own)
    free = translator.nbest(["ab"], beam_width=3)[0]
    # At an empty prefix nothing is told.
    assert [one.text for one in found[1]] == [one.text for one in free]


def test_a_prefix_may_stop_within_a_word():
    tokenizer = SubwordTokenizer.train(["ma man maison maisons"] * 9, 280)
    reader = Reader(tokenizer, "ma maison")
    translator = Translator(reader, tokenizer, tokenizer)
    for prefix in ("ma", "ma ", "ma ma"):
        # "ma" alone is another token than the one that "maison" begins with.
        [found] = translator.nbest(["a b c d"], [prefix], beam_width=1)
        assert found[0].text == "ma maison"


def test_samples_depend_on_the_seed_and_the_position(translator):
    texts = ["aab cab", "ba", "aab cab", ""]
    options = {"num_samples": 3, "temperature": 2.0, "top_k": 9}

    def draw(seed, **more):
        found = translator.sample(texts, seed, **options, **more)
        return [[one.text for one in own] for own in found]

    assert draw(1) == draw(1, batch_size=2)
    assert draw(1) != draw(2)
    assert draw(1)[0] != draw(1)[2]
    later = translator.sample(["aab cab"], 1 + 2 * 2**32, **options)
    assert [one.text for one in later[0]] == draw(1)[2]


def test_an_ensemble_of_equals_is_one_of_them(translator, tmp_path):
    translator.save(tmp_path / "a")
    translator.save(tmp_path / "b")
    both = Translator.load(tmp_path / "a", tmp_path / "b")
    for one, two in zip(
        translator.translate(["aab cab", "ba"]),
        both.translate(["aab cab", "ba"]),
        strict=True,
    ):
        assert one.text == two.text
        np.testing.assert_allclose(one.score, two.score, rtol=1e-5)
        np.testing.assert_allclose(one.alignment, two.alignment, atol=1e-5)


def test_every_run_of_an_ensemble_has_its_say(translator, tmp_path):
    keras.utils.set_random_seed(7)
    tokenizer = translator.source_tokenizer
    model = make_seq2seq(vocabulary=tokenizer.vocabulary_size)
    translator.save(tmp_path / "a")
    Translator(model, tokenizer, tokenizer).save(tmp_path / "b")
    runs = [tmp_path / "a"], [tmp_path / "b"], [tmp_path / "a", tmp_path / "b"]
    first, second, both = (
        Translator.load(*paths).score(["aab"], [""])[0].score for paths in runs
    )
    mean = np.log((np.exp(first) + np.exp(second)) / 2)
    np.testing.assert_allclose(both, mean, rtol=1e-5)
    assert abs(first - second) > 1e-3


def test_an_ensemble_wants_one_vocabulary(translator, tmp_path):
    translator.save(tmp_path / "a")
    other = SubwordTokenizer.train(["xyz"], 264)
    model = make_seq2seq(vocabulary=other.vocabulary_size)
    Translator(model, other, other).save(tmp_path / "b")
    with pytest.raises(ValueError, match=r"b must have the tokenizers of .*a to be in"):
        Translator.load(tmp_path / "a", tmp_path / "b")


class Reader:
    """Reads source token t while it writes what it was told to at step t."""

    def __init__(self, tokenizer, written):
        [ids] = tokenizer.encode([written]).to_list()
        self.ids = tf.constant([*ids, 3])
        self.size = tokenizer.vocabulary_size

    def encode(self, source):
        return source, tf.zeros([tf.shape(source)[0], 1], tf.int32)

    def step(self, tokens, time, source):
        id = tf.gather(self.ids, tf.minimum(time[:, 0], len(self.ids) - 1))
        here = tf.one_hot(time[:, 0], tf.shape(source)[1])
        return 30 * tf.one_hot(id, self.size), time + 1, here


def test_a_placeholder_gives_way_to_the_word_that_it_read():
    # One piece a character: as the reader goes along, each reads its own.
    tokenizer = SubwordTokenizer.train(["abcdefghij <>"], 273)
    source, written = "abc ihjig, de f!", "abc <eef>, de f!"
    translator = Translator(Reader(tokenizer, written), tokenizer, tokenizer)
    [kept] = translator.translate([source], beam_width=1)
    assert kept.text == written
    [copied] = translator.translate([source], beam_width=1, copy=["<eef>", "f!"])
    assert copied.text == "abc ihjig, de f"
    assert copied.target_tokens == kept.target_tokens


def test_an_unknown_token_is_produced_only_to_be_replaced():
    tokenizer = SubwordTokenizer.train(["abcdefghij"], 271)
    reader = Reader(tokenizer, "ab ")
    reader.ids = tf.concat([reader.ids[:-1], [1, 3]], axis=0)  # and one unknown
    translator = Translator(reader, tokenizer, tokenizer)
    [plain] = translator.translate(["cd efg"], beam_width=1)
    assert "<unk>" not in plain.target_tokens
    [copied] = translator.translate(["cd efg"], beam_width=1, copy=["<unk>"])
    assert copied.target_tokens[-2] == "<unk>"
    assert copied.text == "ab efg"


def test_nothing_can_be_copied_without_attention():
    tokenizer = SubwordTokenizer.train(LINES, 270)
    model = make_seq2seq(
        mechanism=kattention.FixedContext(), vocabulary=tokenizer.vocabulary_size
    )
    translator = Translator(model, tokenizer, tokenizer)
    with pytest.raises(ValueError, match="copy needs a model with attention"):
        translator.translate(["ab"], copy=["<unk>"])
    assert translator.score(["ab"], ["ba"])[0].alignment is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"prefixes": ["a", "b"]},
            "prefixes must be 1, one for each source text, got 2",
        ),
        ({"copy": "<n>"}, "copy must be a list of strings, got one string"),
        ({"copy": [""]}, "copy must hold strings of some length"),
        ({"prefixes": ["\ud800"]}, "prefixes must be valid Unicode"),
        ({"max_ratio": float("inf")}, "max_ratio must be at least 0 and finite"),
        ({"max_length": 0}, "max_length must be at least 1, got 0"),
        ({"max_length": 3, "min_length": 5}, "at least the min_length 5, got 3"),
        ({"max_ratio": -1}, "max_ratio must be at least 0 and finite, got -1"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(translator, options, message):
    with pytest.raises(ValueError, match=message):
        translator.nbest(["aab"], **options)


def test_a_prefix_is_never_cut(translator):
    prefix = "cab ab ba " * 5 + "cab"
    for one in translator.nbest(["a"], [prefix])[0]:
        assert one.text.startswith(prefix)


def test_a_tokenizer_of_another_model_is_refused(translator):
    larger = SubwordTokenizer.train(LINES, 272)
    mixed = Translator(translator.model, translator.source_tokenizer, larger)
    with pytest.raises(ValueError, match="logits for the 272 tokens of"):
        mixed.translate(["ab"])


def test_logits_to_spare_are_no_tokens():
    tokenizer = SubwordTokenizer.train(["abcdefghij"], 271)
    reader = Reader(tokenizer, "ab ")
    reader.ids = tf.concat([[275], reader.ids], axis=0)  # which it likes best
    reader.size = 280
    translator = Translator(reader, tokenizer, tokenizer)
    [found] = translator.translate(["cd"], beam_width=1, max_length=3)
    assert len(found.target_tokens) == 3
    np.testing.assert_array_equal(found.alignment, np.eye(4)[:3])


def test_samples_of_any_temperature_take_one_graph(translator, monkeypatch):
    monkeypatch.setattr(translator, "_graphs", {})
    found = [
        translator.sample(["aab"] * 4, 1, temperature=temperature, max_length=8)
        for temperature in (0.01, 50.0)
    ]
    assert len(translator._graphs) == 1
    texts = [{one.text for [one] in own} for own in found]
    assert len(texts[0]) == 1 < len(texts[1])
    # Another one that cuts: of the most probable token nothing can be cut.
    cut = translator.sample(["aab"] * 4, 1, temperature=50.0, top_p=1e-6, max_length=8)
    assert {one.text for [one] in cut} == texts[0]
    for wrong in ({"temperature": 0}, {"top_p": 0}, {"top_p": float("nan")}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be above 0"):
            translator.sample(["aab"], 1, **wrong)


def test_a_seed_may_be_any_integer(translator):
    for seed in (-1, 2**70, np.int32(5)):
        found = translator.sample(["aab", "ba"], seed, max_length=4)
        assert all(len(own[0].target_tokens) <= 4 for own in found)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Jose\u0301 paid 1,000.50.", ["Jose\u0301", "paid", "1,000.50"]),
        ("(a@b.com) at 10:30!", ["a@b.com", "at", "10:30"]),
        ("l'eau - 5 \u20ac", ["l'eau", "-", "5", "\u20ac"]),
    ],
)
def test_words_are_what_stands_between_spaces(source, words):
    from kattention.copying import _words

    assert [word.decode() for _, _, word in _words(source)] == words
    for start, end, word in _words(source):
        assert source.encode()[start:end] == word


def test_an_unknown_option_is_named(translator):
    with pytest.raises(TypeError, match="beam_widht"):
        translator.translate(["aab"], beam_widht=3)
