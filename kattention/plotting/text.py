"""Alignments as text: shaded cells in a terminal, a table in a page."""

from collections.abc import Sequence
from html import escape
from itertools import zip_longest
from unicodedata import category, east_asian_width

import numpy as np
from numpy.typing import ArrayLike

from kattention.plotting.words import check_alignment, readable

SHADES = " ░▒▓█"


def draw_alignment(
    source_tokens: Sequence[str], target_tokens: Sequence[str], alignment: ArrayLike
) -> str:
    """Draws an alignment as text: a row a target token, in shaded cells.

    Args:
        source_tokens: `S` strings.
        target_tokens: `T` strings.
        alignment: Array `(T, S)` of weights in [0, 1].

    Returns:
        A string of several lines, the source tokens below, written downwards.

    Raises:
        ValueError: The alignment does not have the shape `(T, S)`.
    """
    alignment = check_alignment(source_tokens, target_tokens, alignment)
    source, target = (list(map(readable, t)) for t in (source_tokens, target_tokens))
    margin = max(map(_columns, target), default=0)
    # The square root, as in a picture: so that small weights can be seen.
    levels = np.rint(np.sqrt(alignment) * (len(SHADES) - 1)).astype(int)
    lines = [
        " " * (margin - _columns(token))
        + f"{token} "
        + "".join(SHADES[level] * 2 for level in row)
        for token, row in zip(target, levels, strict=True)
    ]
    downwards = [_letters(token) for token in source]
    for row in zip_longest(*downwards, fillvalue=""):
        cells = (letter + " " * (2 - _columns(letter)) for letter in row)
        lines.append((" " * (margin + 1) + "".join(cells)).rstrip())
    return "\n".join(lines)


def _letters(token):
    """The letters of a token, each with the accents that are written on it."""
    letters = []
    for character in token:
        if letters and not _columns(character):
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _columns(text):
    """How many columns a terminal shows a text in."""
    return sum(
        2 if east_asian_width(character) in "WF" else 1
        for character in text
        if category(character) not in ("Mn", "Me", "Cf")
    )


def html_alignment(
    source_tokens: Sequence[str], target_tokens: Sequence[str], alignment: ArrayLike
) -> str:
    """Draws an alignment as an HTML table, the weight in each cell's title.

    Args and errors are those of `draw_alignment`.

    Returns:
        A string of HTML without scripts.
    """
    alignment = check_alignment(source_tokens, target_tokens, alignment)
    head = "".join(
        f'<th style="writing-mode:vertical-rl">{escape(readable(token))}</th>'
        for token in source_tokens
    )
    rows = [
        f'<tr><th style="text-align:right">{escape(readable(token))}</th>'
        + "".join(_cell(weight) for weight in row)
        + "</tr>"
        for token, row in zip(target_tokens, alignment, strict=True)
    ]
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _cell(weight):
    # Blue of this opacity is readable on a light and on a dark page.
    shade = f"rgba(64,150,255,{np.sqrt(weight):.2f})"
    return f'<td title="{weight:.3f}" style="min-width:1em;background:{shade}"></td>'
