"""Alignments of words, from those of their pieces."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from kattention.pieces import SPACE, piece_bytes


def merge_words(
    source_tokens: Sequence[str], target_tokens: Sequence[str], alignment: ArrayLike
) -> tuple[list[str], list[str], np.ndarray]:
    """Joins pieces to words.

    A word begins with a space, so the punctuation after it belongs to it. The
    end token stands alone.

    Args:
        source_tokens: `S` pieces.
        target_tokens: `T` pieces.
        alignment: Array `(T, S)`.

    Returns:
        `(source words, target words, alignment)`: the weights of the pieces of
        a source word are summed, those of a target word averaged, so a row
        still sums to 1.
    """
    alignment = check_alignment(source_tokens, target_tokens, alignment)
    source, target = _members(source_tokens), _members(target_tokens)
    merged = target @ alignment @ source.T
    merged = merged / target.sum(axis=1, keepdims=True)
    return _words(source_tokens, source), _words(target_tokens, target), merged


def check_alignment(source_tokens, target_tokens, alignment):
    """Returns the alignment as an array, with weights between 0 and 1."""
    alignment = np.asarray(alignment)
    expected = (len(target_tokens), len(source_tokens))
    if alignment.shape != expected:
        raise ValueError(
            f"alignment must have shape {expected}, (target, source) tokens, "
            f"got {alignment.shape}"
        )
    return np.clip(alignment, 0, 1)


def readable(token):
    """A token without SentencePiece's sign for a space."""
    return token.replace(SPACE, " ").strip() or token


def _members(tokens):
    """Array `(words, pieces)`, 1 where a piece belongs to a word."""
    starts = [
        number == 0 or token.startswith(SPACE) or token == "</s>"
        for number, token in enumerate(tokens)
    ]
    word = np.cumsum(starts) - 1
    return (np.arange(sum(starts))[:, None] == word).astype(float)


def _words(tokens, members):
    """The text of each word."""
    spelt = [
        b"".join(
            piece_bytes(token) for token, own in zip(tokens, row, strict=True) if own
        )
        for row in members
    ]
    return [text.decode(errors="replace").strip() or SPACE for text in spelt]
