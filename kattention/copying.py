"""Copies words of the source into a translation."""

import re
import unicodedata

import numpy as np

from kattention.pieces import SPACE, piece_bytes, piece_spans


def copy_words(source, source_tokens, target_tokens, alignment, placeholders):
    """Replaces placeholders by source words.

    Each placeholder is replaced by the source word that its pieces read most.
    The weights of a word's pieces are summed, so a word may consist of several
    pieces on either side. A placeholder that read no word stays.

    Args:
        source: The source text.
        source_tokens: Its `S` pieces, the end token included.
        target_tokens: The `T` pieces of the translation, with the end token.
        alignment: Array `(T, S)`.
        placeholders: Strings to replace. The piece of an unknown token is
            `"<unk>"`.

    Returns:
        The text of the translation, with the words of its source.

    Source: Luong et al., "Addressing the Rare Word Problem in Neural Machine
    Translation" (2015), section 3, with attention for the pointer.
    """
    pieces = target_tokens[:-1] if target_tokens[-1:] == ["</s>"] else target_tokens
    spans = piece_spans(pieces)
    words = _words(source.replace(SPACE, " "))
    shares = _shares(words, piece_spans(source_tokens[:-1]))
    text, done, result = b"".join(map(piece_bytes, pieces)), 0, b""
    longest_first = sorted(placeholders, key=len, reverse=True)
    marks = b"|".join(re.escape(mark.encode()) for mark in longest_first)
    for match in re.finditer(marks, text) if words else ():
        # The text begins with the space that stands at -1.
        start, end = match.start() - 1, match.end() - 1
        rows = [i for i, (a, b) in enumerate(spans) if a < end and start < b]
        read = alignment[rows, : shares.shape[0]].mean(axis=0) @ shares
        if read.max() > 0:
            result += text[done : match.start()] + words[int(read.argmax())][2]
            done = match.end()
    return (result + text[done:]).decode(errors="replace").removeprefix(" ")


def _words(text):
    """The words of a text: `(start, end, bytes)`, counted in bytes.

    A word is what stands between spaces, without punctuation at its ends: so
    "3.50", "10:30" and "l'eau" are words, and so is a whole sentence in a script
    without spaces.
    """
    found = []
    for match in re.finditer(r"\S+", text):
        letters = [i for i, c in enumerate(match[0]) if not _is_sign(c)]
        first, last = (letters[0], letters[-1]) if letters else (0, len(match[0]) - 1)
        start = len(text[: match.start() + first].encode())
        word = match[0][first : last + 1].encode()
        found.append((start, start + len(word), word))
    return found


def _is_sign(character):
    return unicodedata.category(character)[0] in "PS"


def _shares(words, spans):
    """Which share of each piece lies in each word, `(pieces, words)`."""
    shares = np.zeros((len(spans), len(words)))
    for row, (start, end) in enumerate(spans):
        for column, (first, last, _) in enumerate(words):
            shares[row, column] = max(0, min(end, last) - max(start, first))
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)
