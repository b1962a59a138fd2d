"""Words that a translation takes over from its source."""

import re

import numpy as np

from kattention.text.pieces import piece_bytes, piece_spans

_WORD = re.compile(r"\w+(?:[-'\u2019.]\w+)*|[^\w\s]")


def copy_words(source, source_tokens, target_tokens, alignment, placeholders):
    """Puts source words in the place of placeholders.

    Each placeholder gives way to the source word that its pieces read most.
    What a piece reads of a word is the sum over the pieces of that word, so a
    word may be cut into many on either side.

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
    words = _words(source)
    shares = _shares(words, piece_spans(source_tokens[:-1]))
    text, done, result = b"".join(map(piece_bytes, pieces)), 0, b""
    marks = b"|".join(re.escape(mark.encode()) for mark in placeholders)
    for match in re.finditer(marks, text) if words else ():
        # The text begins with the space that stands at -1.
        start, end = match.start() - 1, match.end() - 1
        rows = [i for i, (a, b) in enumerate(spans) if a < end and start < b]
        read = alignment[rows, : shares.shape[0]].mean(axis=0) @ shares
        result += text[done : match.start()] + words[int(read.argmax())][2]
        done = match.end()
    return (result + text[done:]).decode(errors="replace").removeprefix(" ")


def _words(text):
    """The words of a text: `(start, end, bytes)`, counted in bytes."""
    found = []
    for match in _WORD.finditer(text):
        start, word = len(text[: match.start()].encode()), match[0].encode()
        found.append((start, start + len(word), word))
    return found


def _shares(words, spans):
    """How much of each piece lies in each word, `(pieces, words)`."""
    shares = np.zeros((len(spans), len(words)))
    for row, (start, end) in enumerate(spans):
        for column, (first, last, _) in enumerate(words):
            shares[row, column] = max(0, min(end, last) - max(start, first))
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)
