import numpy as np
import pytest

from kattention.text import SubwordTokenizer
from recipes.translation import word_links
from recipes.translation.data import pharaoh
from recipes.translation.errors import UsageError
from recipes.translation.toy.words import split_words

LINES = ["The dog's house.", "La maison du chien, l'été."] * 10


def split(tokenizer, text):
    """The pieces of a text."""
    return [tokenizer.vocabulary[id] for id in tokenizer.encode([text]).to_list()[0]]


def test_subwords_are_summed_to_words():
    tokenizer = SubwordTokenizer.train(["xyz"], 300)  # every character is a token
    source, target = "ab c", "d ef"
    # Tokens: " a" is two (space, a), then b, space, c, end; likewise the target.
    pieces = [split(tokenizer, text) for text in (source, target)]
    assert [len(own) for own in pieces] == [5, 5]
    matrix = np.zeros((6, 6))
    matrix[:, 0] = 1  # the space before "ab" belongs to no word's letters
    matrix[1] = [0, 0.5, 0.25, 0, 0.25, 0]  # d
    matrix[3] = [0, 0, 0, 0, 1, 0]  # e
    matrix[4] = [0, 0, 0, 0, 0.5, 0.5]  # f
    words = word_links.word_alignment(pieces, (source, target), matrix)
    np.testing.assert_allclose(words, [[0.75, 0.25], [0, 0.75]])


def test_a_word_that_all_read_takes_no_links_from_others():
    weights = np.array([[0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.5, 0.1, 0.4]])
    assert word_links.best_links(weights) == {(0, 0), (1, 1), (2, 2)}


def test_a_trace_of_a_word_that_none_read_wins_nothing():
    weights = np.array([[0.9, 0.1 - 1e-6, 1e-6], [0.1, 0.9, 0]])
    assert word_links.best_links(weights) == {(0, 0), (1, 1)}
    # All that is read of any word is read by the only one.
    assert word_links.best_links(np.array([[0.2, 0.7, 0.1]])) == {(1, 0)}


def test_every_subword_of_a_word_is_found_in_any_script():
    tokenizer = SubwordTokenizer.train(LINES, 300)
    for text in [*LINES[:2], "L'été à 日本 coûte 5 €."]:
        member = word_links.membership(split(tokenizer, text), text, split_words)
        assert (member.sum(axis=0) <= 1).all()
        assert (member.sum(axis=1) >= 1).all()


def test_the_error_rate_is_och_and_ney_s():
    sure, possible = {(0, 0), (2, 1)}, {(0, 0), (2, 1), (1, 1)}
    links = {(0, 0), (1, 1), (2, 2)}
    # A & S: 1, A & P: 2, A: 3, S: 2
    assert word_links.error_rate([links], [(sure, possible)]) == 1 - 3 / 5
    assert word_links.error_rate([sure], [(sure, possible)]) == 0
    # Corpora are added up, not averaged.
    both = word_links.error_rate([links, {(0, 0)}], [(sure, possible), ({(0, 0)},) * 2])
    assert both == 1 - 5 / 7


def test_the_diagonal_reads_at_the_same_share_of_the_sentence():
    assert word_links.diagonal_links(4, 2) == {(1, 0), (3, 1)}
    assert word_links.diagonal_links(2, 4) == {(0, 0), (0, 1), (1, 2), (1, 3)}


def test_links_are_read_with_their_kind_and_written(tmp_path):
    (tmp_path / "gold").write_text("1-1 2p3\n\n2-1\n")
    gold = pharaoh.read_links(tmp_path / "gold", first=1)
    assert gold == [
        ({(0, 0)}, {(0, 0), (1, 2)}),
        (set(), set()),
        ({(1, 0)}, {(1, 0)}),
    ]
    assert pharaoh.write_links({(10, 1), (2, 3)}) == "2-3 10-1"
    assert pharaoh.words(" ein  Haus.") == [(1, 4), (6, 11)]
    assert pharaoh.words("5\u00a0€ !") == [(0, 3), (4, 5)]


@pytest.mark.parametrize("entry", ["3:4", "0-1", "1-"])
def test_bad_links_are_refused_with_the_line(tmp_path, entry):
    (tmp_path / "gold").write_text(f"1-1\n1-1 {entry}\n")
    with pytest.raises(UsageError, match="line 2: expected links"):
        pharaoh.read_links(tmp_path / "gold", first=1)


def test_each_pair_has_its_line_of_links(tmp_path):
    (tmp_path / "links").write_text("0-0 1-0\n\n")
    linked = pharaoh.Linked([("ab c", "d"), ("a", "b")], tmp_path / "links")
    assert list(linked) == [("ab c", "d", {(0, 0), (1, 0)}), ("a", "b", set())]
    (tmp_path / "links").write_text("0-0\n0-1\n")
    with pytest.raises(
        UsageError, match="line 2: the link 0-1 leaves the 1 and 1 words of 'a' and 'b'"
    ):
        list(linked)
    (tmp_path / "links").write_text("0-0\n0-0\n\n")
    with pytest.raises(UsageError, match="no pair for line 3"):
        list(linked)


def test_two_directions_grow_from_what_they_share():
    forward = {(0, 0), (1, 1), (2, 2), (5, 4)}
    backward = {(0, 0), (1, 1), (1, 2), (4, 5)}
    # (1, 2) and (2, 2) touch (1, 1) and bring words; (4, 5) and (5, 4) touch
    # no link: they come last, as their words have none.
    assert pharaoh.symmetrize(forward, backward) == forward | backward
    # A direct neighbour comes before a diagonal one, which then brings nothing.
    crossing = pharaoh.symmetrize({(1, 1), (0, 0)}, {(1, 1), (0, 1)})
    assert crossing == {(0, 0), (0, 1), (1, 1)}
    # Word 1 and word 2 have links, so (1, 2) brings nothing.
    both = {(0, 0), (1, 1), (2, 2)}
    assert pharaoh.symmetrize(both | {(1, 2)}, both) == both
    assert pharaoh.symmetrize(set(), {(3, 3)}) == {(3, 3)}
    assert pharaoh.symmetrize(set(), set()) == set()
