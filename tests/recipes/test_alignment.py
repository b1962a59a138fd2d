import numpy as np

from kattention.text import SubwordTokenizer
from recipes.translation import alignment

LINES = ["The dog's house.", "La maison du chien, l'été."] * 10


def test_subwords_are_summed_to_words():
    tokenizer = SubwordTokenizer.train(["xyz"], 300)  # every character is a token
    source, target = "ab c", "d ef"
    # Tokens: " a" is two (space, a), then b, space, c, end; likewise the target.
    assert len(tokenizer.encode([source]).to_list()[0]) == 5
    matrix = np.zeros((6, 6))
    matrix[:, 0] = 1  # the space before "ab" belongs to no word's letters
    matrix[1] = [0, 0.5, 0.25, 0, 0.25, 0]  # d
    matrix[3] = [0, 0, 0, 0, 1, 0]  # e
    matrix[4] = [0, 0, 0, 0, 0.5, 0.5]  # f
    words = alignment.word_alignment((tokenizer, tokenizer), (source, target), matrix)
    np.testing.assert_allclose(words, [[0.75, 0.25], [0, 0.75]])
    assert alignment.best_links(words) == {(0, 0), (1, 1)}


def test_every_subword_of_a_word_is_found_in_any_script():
    tokenizer = SubwordTokenizer.train(LINES, 300)
    for text in [*LINES[:2], "L'été à 日本 coûte 5 €."]:
        member = alignment._membership(tokenizer, text)
        assert (member.sum(axis=0) <= 1).all()
        assert (member.sum(axis=1) >= 1).all()


def test_the_error_rate_is_och_and_ney_s():
    rate = alignment.ErrorRate()
    rate.add({(0, 0), (1, 1), (2, 2)}, {(0, 0), (2, 1)}, {(0, 0), (2, 1), (1, 1)})
    # A & S: 1, A & P: 2, A: 3, S: 2
    assert rate.value == 1 - 3 / 5


def test_the_diagonal_reads_at_the_same_share_of_the_sentence():
    assert alignment.diagonal_links(4, 2) == {(1, 0), (3, 1)}
    assert alignment.diagonal_links(2, 4) == {(0, 0), (0, 1), (1, 2), (1, 3)}
