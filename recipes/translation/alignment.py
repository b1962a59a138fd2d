"""Alignments between words, and how wrong they are."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

import kattention
from kattention.seq2seq import END, START
from kattention.serving.export import aligns
from kattention.serving.pipeline import source_ids
from kattention.text.tokenizer import SPACE
from recipes.translation.toy.words import split_words


def forced_alignments(translator, sources, targets, batch_size=64):
    """What each token of a given translation reads, with teacher forcing.

    Returns:
        A list of arrays `(target tokens, source tokens)`, the end tokens
        included, or of `None` if the model does not align.
    """
    model = translator.model
    if not aligns(model):
        return [None] * len(sources)
    # The model's own cell in a loop that returns what it reads.
    reader = kattention.AttentionRNN(
        model.decoder.cell, return_sequences=True, return_attention_scores=True
    )

    @tf.function(reduce_retracing=True)
    def read(sources, targets):
        source = source_ids(translator.source_tokenizer, sources)
        ids = translator.target_tokenizer.encode(targets)
        target = tf.concat([tf.fill([ids.nrows(), 1], START), ids], axis=1)
        memory, state = model.encode(source)
        _, alignments = reader(
            model.target_embedding(target.to_tensor(END)),
            memory=memory,
            initial_state=state,
        )
        lengths = tf.reduce_sum(tf.cast(source != 0, tf.int32), axis=1)
        return alignments, target.row_lengths(), lengths

    results = []
    for first in range(0, len(sources), batch_size):
        part = slice(first, first + batch_size)
        alignments, *lengths = read(
            tf.constant(sources[part]), tf.constant(targets[part])
        )
        for matrix, t, s in zip(alignments.numpy(), *lengths, strict=True):
            results.append(matrix[:t, :s])
    return results


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
    position = -1  # the space that the tokenizer puts before the text
    for column, piece in enumerate(pieces):
        is_byte = len(piece) == 6 and piece.startswith("<0x")
        size = 1 if is_byte else len(piece.replace(SPACE, " ").encode())
        last = position + size - 1  # a space belongs to the word after it
        for row, (start, end) in enumerate(words):
            if start <= last < end:
                member[row, column] = 1
        position += size
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
    matrices = forced_alignments(translator, sources, targets)
    for example, matrix in zip(examples, matrices, strict=True):
        gold = example.sure, example.possible
        sizes = map(len, map(split_words, (example.source, example.target)))
        diagonal.add(diagonal_links(*sizes), *gold)
        if matrix is not None:
            texts = example.source, example.target
            model.add(best_links(word_alignment(tokenizers, texts, matrix)), *gold)
    return (model.value if model.total else None), diagonal.value
