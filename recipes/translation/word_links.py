"""Alignments between words, and their error rate."""

import numpy as np

from kattention.pieces import piece_spans

from .toy.words import split_words


def word_alignment(pieces, texts, matrix, words=split_words):
    """Sums an alignment of subwords to one of words, without end tokens.

    Args:
        pieces: `(source, target)`, the subwords of each without the end token.
        texts: `(source, target)`.
        matrix: Array `(target tokens, source tokens)`, end tokens included.
        words: A function that finds the `(start, end)` of a text's words.

    Returns:
        Array `(target words, source words)`: the weights of all subwords of a
        source word summed, and averaged over the subwords of a target word.
    """
    source, target = (
        membership(own, text, words) for own, text in zip(pieces, texts, strict=True)
    )
    weights = target @ matrix[: target.shape[1], : source.shape[1]] @ source.T
    # A word may share its only subword with the one before, which has it.
    return weights / np.maximum(target.sum(axis=1, keepdims=True), 1)


def membership(pieces, text, words):
    """Array `(words, subwords)`, 1 where a subword belongs to a word."""
    spans = [
        (len(text[:start].encode()), len(text[:end].encode()))
        for start, end in words(text)
    ]
    member = np.zeros((len(spans), len(pieces)))
    for column, (_, last) in enumerate(piece_spans(pieces)):
        for row, (start, end) in enumerate(spans):
            # By its last byte: a space belongs to the word after it.
            if start < last <= end:
                member[row, column] = 1
    return member


def best_links(weights):
    """Links each target word to one source word: `{(i, j)}`.

    Some source words are read a little by every target word, and would win
    wherever a model is unsure. So target word `j` is not linked to the source
    word `i` that it reads most, but to the one of whose total attention it has
    the largest share:

        a_ji / (sum_k a_ki + 0.1)

    The 0.1 keeps source words that are hardly read from winning.

    Args:
        weights: Array `(target words, source words)`.
    """
    shares = weights / (weights.sum(axis=0) + 0.1)
    return {(int(i), j) for j, i in enumerate(shares.argmax(axis=1))}


def diagonal_links(source_words, target_words):
    """Links along the diagonal: the baseline."""
    return {
        (int((j + 0.5) * source_words / target_words), j) for j in range(target_words)
    }


def error_rate(links, gold):
    """The alignment error rate of a corpus, added up link by link.

    For links `A`, sure gold links `S` and possible ones `P` (`S` within `P`):

        1 - (|A & S| + |A & P|) / (|A| + |S|)

    Args:
        links: `A` of each pair, sets.
        gold: `(S, P)` of each pair.

    Source: Och and Ney, "A Systematic Comparison of Various Statistical
    Alignment Models" (2003), section 5.
    """
    right = total = 0
    for own, (sure, possible) in zip(links, gold, strict=True):
        right += len(own & sure) + len(own & possible)
        total += len(own) + len(sure)
    return 1 - right / total if total else 0.0


def align(translator, sources, targets, words=split_words):
    """Links each target word to one source word: see `best_links`.

    The translator reads given pairs, by forced decoding.

    Returns:
        A list of sets of links `(source word, target word)`, or `None` if the
        model has no attention.
    """
    found = []
    for source, target, read in zip(
        sources, targets, translator.score(sources, targets), strict=True
    ):
        if read.alignment is None:
            return None
        pieces = read.source_tokens[:-1], read.target_tokens[:-1]
        weights = word_alignment(pieces, (source, target), read.alignment, words)
        found.append(best_links(weights))
    return found


def toy_error_rates(translator, examples):
    """Returns `(model, diagonal)` error rates on `toy.Example`s, by forced decoding."""
    sources = [example.source for example in examples]
    targets = [example.target for example in examples]
    gold = [(example.sure, example.possible) for example in examples]
    sizes = zip(map(split_words, sources), map(split_words, targets), strict=True)
    diagonal = [diagonal_links(len(source), len(target)) for source, target in sizes]
    links = align(translator, sources, targets)
    model = None if links is None else error_rate(links, gold)
    return model, error_rate(diagonal, gold)
