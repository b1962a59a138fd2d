"""Alignments as pictures: on paper, and in a terminal."""

import matplotlib.figure
import numpy as np

SHADES = " ░▒▓█"


def plot_alignment(source_tokens, target_tokens, alignment):
    """Draws an alignment: source on top, target at the side, dark is high.

    Args:
        source_tokens: `S` strings.
        target_tokens: `T` strings.
        alignment: Array `(T, S)` of weights in [0, 1].

    Returns:
        A `matplotlib.figure.Figure`; `figure.savefig(path)` writes it.

    Raises:
        ValueError: The alignment does not have the shape `(T, S)`.

    Source: Bahdanau et al. (2014), figure 3.
    """
    alignment = _checked(source_tokens, target_tokens, alignment)
    size = (1.5 + 0.4 * len(source_tokens), 1.2 + 0.4 * len(target_tokens))
    # Not pyplot, which keeps a reference to every figure.
    figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(alignment, cmap="Greys", vmin=0, vmax=1)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(source_tokens)), _readable(source_tokens), rotation=90)
    axes.set_yticks(range(len(target_tokens)), _readable(target_tokens))
    axes.tick_params(length=0)
    return figure


def draw_alignment(source_tokens, target_tokens, alignment):
    """Draws an alignment as text: a row a target token, in shaded cells.

    Args and errors are those of `plot_alignment`.

    Returns:
        A string of several lines, the source tokens below, written downwards.
    """
    alignment = _checked(source_tokens, target_tokens, alignment)
    source, target = _readable(source_tokens), _readable(target_tokens)
    margin = max(map(len, target), default=0)
    levels = np.rint(alignment * (len(SHADES) - 1)).astype(int)
    lines = [
        f"{token:>{margin}} " + "".join(SHADES[level] * 2 for level in row)
        for token, row in zip(target, levels, strict=True)
    ]
    for depth in range(max(map(len, source), default=0)):
        letters = (token[depth : depth + 1].ljust(2) for token in source)
        lines.append((" " * (margin + 1) + "".join(letters)).rstrip())
    return "\n".join(lines)


def _checked(source_tokens, target_tokens, alignment):
    alignment = np.asarray(alignment)
    expected = (len(target_tokens), len(source_tokens))
    if alignment.shape != expected:
        raise ValueError(
            f"alignment must have shape {expected}, (target, source) tokens, "
            f"got {alignment.shape}"
        )
    return np.clip(alignment, 0, 1)


def _readable(tokens):
    """Subword pieces without SentencePiece's sign for a space."""
    return [token.replace("\u2581", " ").strip() or token for token in tokens]
