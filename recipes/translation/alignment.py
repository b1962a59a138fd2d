"""Alignments between words, and how wrong they are."""

from dataclasses import dataclass

import numpy as np

from kattention.text.pieces import piece_spans
from recipes.translation.toy.words import split_words


def word_alignment(tokenizers, texts, matrix):
    """Sums an alignment of subwords to one of words; end tokens are left out.

    Args:
        tokenizers: `(source tokenizer, target tokenizer)`.
        texts: `(source, target)`.
        matrix: Array `(target tokens, source tokens)`, end tokens included.

    Returns:
        Array `(target words, source words)`: for each target word the mean
        over its subwords of what they read of all subwords of a source word.
    """
    (source, target) = (
        _membership(tokenizer, text)
        for tokenizer, text in zip(tokenizers, texts, strict=True)
    )
    weights = target @ matrix[: target.shape[1], : source.shape[1]] @ source.T
    return weights / target.sum(axis=1, keepdims=True)


def _membership(tokenizer, text):
    """Array `(words, subwords)`, 1 where a subword belongs to a word."""
    [ids] = tokenizer.encode([text]).to_list()
    pieces = [piece.decode() for piece in tokenizer.pieces(ids).numpy()]
    words = [
        (len(text[:start].encode()), len(text[:end].encode()))
        for start, end in split_words(text)
    ]
    member = np.zeros((len(words), len(pieces)))
    for column, (_, last) in enumerate(piece_spans(pieces)):
        for row, (start, end) in enumerate(words):
            # By its last byte: a space belongs to the word after it.
            if start < last <= end:
                member[row, column] = 1
    return member


def best_links(weights):
    """For each target word the source word that it reads most: `{(i, j)}`."""
    return {(int(i), j) for j, i in enumerate(weights.argmax(axis=1))}


def diagonal_links(source_words, target_words):
    """The links of someone who only counts words: the baseline."""
    return {
        (int((j + 0.5) * source_words / target_words), j) for j in range(target_words)
    }


@dataclass
class ErrorRate:
    """The alignment error rate of a corpus, added up link by link.

    For links `A`, sure gold links `S` and possible ones `P` (`S` within `P`):

        1 - (|A & S| + |A & P|) / (|A| + |S|)

    Source: Och and Ney, "A Systematic Comparison of Various Statistical
    Alignment Models" (2003), section 5.
    """

    right: int = 0
    total: int = 0

    def add(self, links, sure, possible):
        self.right += len(links & sure) + len(links & possible)
        self.total += len(links) + len(sure)

    @property
    def value(self):
        return 1 - self.right / self.total if self.total else 0.0


def toy_error_rates(translator, examples):
    """Returns `(model, diagonal)` error rates on `toy.Example`s, by forced decoding."""
    sources = [example.source for example in examples]
    targets = [example.target for example in examples]
    tokenizers = translator.source_tokenizer, translator.target_tokenizer
    model, diagonal = ErrorRate(), ErrorRate()
    read = translator.score(sources, targets)
    for example, matrix in zip(examples, [r.alignment for r in read], strict=True):
        gold = example.sure, example.possible
        sizes = map(len, map(split_words, (example.source, example.target)))
        diagonal.add(diagonal_links(*sizes), *gold)
        if matrix is not None:
            texts = example.source, example.target
            model.add(best_links(word_alignment(tokenizers, texts, matrix)), *gold)
    return (model.value if model.total else None), diagonal.value
