"""The positions of subword pieces in their text."""

import re

# SentencePiece writes a space as this character.
SPACE = "\u2581"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def is_byte(piece):
    """Whether a piece stands for one byte of a character that has no piece."""
    return _BYTE.fullmatch(piece) is not None


def piece_bytes(piece):
    """The UTF-8 bytes that a piece stands for."""
    if is_byte(piece):
        return bytes([int(piece[3:5], 16)])
    return piece.replace(SPACE, " ").encode()


def piece_spans(pieces):
    """The `(start, end)` of each piece in the bytes of the text.

    The space that a tokenizer puts before a text is not part of it, so the
    first piece begins at -1.
    """
    spans, start = [], -1
    for piece in pieces:
        end = start + len(piece_bytes(piece))
        spans.append((start, end))
        start = end
    return spans
