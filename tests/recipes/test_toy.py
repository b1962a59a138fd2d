"""The grammar keeps what it promises."""

from collections import Counter
from hashlib import sha256

import pytest

from recipes.translation import toy
from recipes.translation.toy import english
from recipes.translation.toy.meaning import combinations
from recipes.translation.toy.words import split_words

LANGUAGES = sorted(toy.LANGUAGES)


def words(text):
    return [text[start:end] for start, end in split_words(text)]


@pytest.fixture(scope="module", params=LANGUAGES)
def train(request):
    return toy.examples(request.param, "train")


def share(examples, claim):
    return sum(map(claim, examples)) / len(examples)


def crosses(example):
    links = sorted(example.sure)
    return any(i < k and j > m for i, j in links for k, m in links)


def one_becomes_several(example):
    return max(Counter(i for i, _ in example.sure).values()) > 1


def several_become_one(example):
    return max(Counter(j for _, j in example.sure).values()) > 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_is_pinned(language):
    digest = sha256()
    for split in toy.SPLITS:
        for one in toy.examples(language, split):
            digest.update(f"{one.source}\t{one.target}\n".encode())
    assert digest.hexdigest() == PINNED[language]


def test_splits_have_their_sizes_and_share_no_source():
    splits = toy.meanings()
    assert {name: len(found) for name, found in splits.items()} == toy.SIZES
    texts = [
        english.text(english.sentence(meaning))
        for found in splits.values()
        for meaning in found
    ]
    assert len(set(texts)) == len(texts)


def test_at_least_300_words_a_side(train):
    assert len({word for one in train for word in words(one.source)}) >= 300
    assert len({word for one in train for word in words(one.target)}) >= 300


def test_order_changes_and_words_become_several_and_one(train):
    assert share(train, crosses) >= 0.3
    assert share(train, one_becomes_several) >= 0.2
    assert share(train, several_become_one) >= 0.1


def test_the_words_of_the_text_are_those_of_the_links():
    for language, module in toy.LANGUAGES.items():
        for meaning in toy.meanings()["test"] + toy.meanings()["long"]:
            for side in (english, module):
                sentence = side.sentence(meaning)
                assert words(side.text(sentence)) == [w.text for w in sentence]
        for one in toy.examples(language, "test"):
            assert one.sure <= one.possible
            assert all(i < len(words(one.source)) for i, _ in one.possible)
            assert all(j < len(words(one.target)) for _, j in one.possible)


def test_each_of_combos_holds_a_combination_that_train_never_shows():
    shown = {pair for m in toy.meanings()["train"] for pair in combinations(m)}
    for meaning in toy.meanings()["combos"]:
        assert combinations(meaning) - shown


def test_long_is_longer_than_anything_in_train():
    def length(meaning):
        return len(english.sentence(meaning))

    longest = max(map(length, toy.meanings()["train"]))
    assert min(map(length, toy.meanings()["long"])) > longest


@pytest.mark.parametrize(
    ("language", "source", "target", "links"),
    [
        (
            "fr",
            "does not see",
            "ne voit pas",
            {("not", "ne"), ("not", "pas"), ("see", "voit")},
        ),
        ("fr", "looking for", "cherche", {("looking", "cherche"), ("for", "cherche")}),
        ("de", "in the garden", "im Garten", {("in", "im"), ("the", "im")}),
    ],
)
def test_links_say_what_a_linguist_would(language, source, target, links):
    for one in toy.examples(language, "train"):
        if f" {source} " in one.source and target.lower() in one.target.lower():
            break
    else:
        pytest.fail("no such example")
    sources, targets = words(one.source), [w.lower() for w in words(one.target)]
    found = {(sources[i], targets[j]) for i, j in one.sure}
    assert {(a, b.lower()) for a, b in links} <= found


PINNED = {
    "de": "5dad95601e05e90fd14b709df95d3430d0c0603349a18894538e0b430aa6d3ea",
    "fr": "caa20796e2e243b84cef8121a791fedba77da30c2961ba84210239fcbc35df87",
}
