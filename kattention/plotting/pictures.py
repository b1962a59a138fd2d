"""Alignments as pictures."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.colors
import matplotlib.figure
import matplotlib.font_manager
import matplotlib.patches
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from kattention.plotting.words import check_alignment, merge_words, readable


def plot_alignment(
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    alignment: ArrayLike,
    *,
    words: bool = False,
    links: Iterable[tuple[int, int]] = (),
    font: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Draws an alignment: source on top, target at the side, dark is high.

    Shades follow the square root of the weights, so that a weight of 0.1, as in
    spread attention, can be seen beside one of 0.9.

    Args:
        source_tokens: `S` strings.
        target_tokens: `T` strings.
        alignment: Array `(T, S)` of weights in [0, 1].
        words: Join pieces to words: see `merge_words`.
        links: Pairs `(source, target)` of positions, such as gold links, that
            are framed.
        font: A font family, for scripts that the default font lacks.
        axes: The `matplotlib.axes.Axes` to draw on; those of a new figure if
            `None`.

    Returns:
        The axes; `axes.figure.savefig(path)` writes the picture.

    Raises:
        ValueError: The alignment does not have the shape `(T, S)`, or a link
            lies outside, or matplotlib does not find the font.

    Example:

    >>> axes = plot_alignment(["a", "cat"], ["un", "chat"], [[0.9, 0.1], [0.0, 1.0]])
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['un', 'chat']

    Source: Bahdanau et al. (2014), figure 3.
    """
    if words:
        merged = merge_words(source_tokens, target_tokens, alignment)
        source_tokens, target_tokens, alignment = merged
    alignment = check_alignment(source_tokens, target_tokens, alignment)
    if axes is None:
        size = (1.5 + 0.4 * len(source_tokens), 1.2 + 0.4 * len(target_tokens))
        # Not pyplot, which keeps a reference to every figure.
        figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
    axes.imshow(alignment, cmap="Greys", norm=_shades(), aspect="equal")
    family: dict[str, Any] = {}
    if font:
        _check_font(font)
        family = {"fontfamily": [font, "DejaVu Sans"]}
    axes.xaxis.tick_top()
    source = list(map(readable, source_tokens))
    axes.set_xticks(range(len(source)), source, rotation=90, **family)
    target = list(map(readable, target_tokens))
    axes.set_yticks(range(len(target)), target, **family)
    axes.tick_params(length=0)
    for source, target in links:
        _frame(axes, source, target, alignment.shape)
    return axes


def plot_alignments(
    translations: Iterable[Any],
    *,
    columns: int = 2,
    words: bool = False,
    font: str | None = None,
) -> list[Axes]:
    """Draws the alignments of several translations in one figure.

    Args:
        translations: `Translation` objects, or anything with `source_tokens`,
            `target_tokens` and `alignment`.
        columns: Pictures beside each other.
        words: As in `plot_alignment`.
        font: As in `plot_alignment`.

    Returns:
        A list of axes, one a translation.

    Raises:
        ValueError: There is no translation, or one has no alignment.
    """
    translations = list(translations)
    if not translations:
        raise ValueError("translations must hold at least one translation, got none")
    if any(one.alignment is None for one in translations):
        raise ValueError(
            "translations must have alignments: these models lack attention"
        )
    columns = min(columns, len(translations))
    rows = math.ceil(len(translations) / columns)
    longest = [
        max(len(getattr(one, name)) for one in translations)
        for name in ("source_tokens", "target_tokens")
    ]
    size = columns * (1.5 + 0.35 * longest[0]), rows * (1.2 + 0.35 * longest[1])
    figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
    return [
        plot_alignment(
            one.source_tokens,
            one.target_tokens,
            one.alignment,
            words=words,
            font=font,
            axes=figure.add_subplot(rows, columns, number),
        )
        for number, one in enumerate(translations, 1)
    ]


def _check_font(font):
    try:
        matplotlib.font_manager.findfont(font, fallback_to_default=False)
    except ValueError:
        raise ValueError(
            f"font must be a font family that matplotlib finds, got {font!r}: "
            "matplotlib.font_manager.get_font_names() lists them"
        ) from None


def _shades():
    return matplotlib.colors.PowerNorm(0.5, vmin=0, vmax=1)


def _frame(axes, source, target, shape):
    if not (0 <= target < shape[0] and 0 <= source < shape[1]):
        raise ValueError(
            f"links must lie within {shape[1]} source and {shape[0]} target tokens, "
            f"got {(source, target)}"
        )
    corner = source - 0.45, target - 0.45
    axes.add_patch(
        matplotlib.patches.Rectangle(corner, 0.9, 0.9, fill=False, ec="tab:red", lw=1.5)
    )
