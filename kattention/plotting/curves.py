"""Curves: a training round by round, quality by the length of the source."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kattention.types import FilePath


def plot_history(path: FilePath, *, axes: Axes | None = None) -> Axes:
    """Draws the losses and the BLEU of a training.

    Args:
        path: A `history.csv`, or the run folder that holds it.
        axes: The `matplotlib.axes.Axes` to draw on; those of a new figure if
            `None`.

    Returns:
        The axes with the losses. Those with the BLEU share their rounds.

    Raises:
        ValueError: The file holds no round.
    """
    path = Path(path)
    path = path / "history.csv" if path.is_dir() else path
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(f"{path} must hold at least one round, got none")
    axes = _new_axes() if axes is None else axes
    rounds = [int(row["round"]) for row in rows]
    for name, label, style in (
        ("loss", "training loss", "--"),
        ("val_loss", "validation loss", "-"),
    ):
        losses = [float(row[name]) for row in rows]
        axes.plot(rounds, losses, style, color="tab:blue", label=label)
    axes.set_xlabel("round")
    axes.set_ylabel("loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    scores = axes.twinx()
    bleu = [float(row["val_bleu"]) for row in rows]
    scores.plot(rounds, bleu, color="tab:orange", label="BLEU")
    scores.set_ylabel("validation BLEU")
    lines = [*axes.get_lines(), *scores.get_lines()]
    axes.legend(lines, [line.get_label() for line in lines], loc="center right")
    return axes


def plot_quality_by_length(
    groups: Mapping[str, Sequence[Mapping[str, Any]]], *, axes: Axes | None = None
) -> Axes:
    """Draws BLEU by the length of the source, for one model or several.

    Args:
        groups: For each model's name its `by_length` as `evaluate --json`
            prints it: dicts with `"words"`, `"sentences"` and `"bleu"`.
        axes: The `matplotlib.axes.Axes` to draw on; those of a new figure if
            `None`.

    Returns:
        The axes.

    Source: Bahdanau et al. (2014), figure 2.
    """
    axes = _new_axes() if axes is None else axes
    for name, rows in groups.items():
        axes.plot(
            [row["words"] for row in rows],
            [row["bleu"] for row in rows],
            "o-",
            label=name,
        )
    axes.set_xlabel("words of the source")
    axes.set_ylabel("BLEU")
    axes.set_ylim(bottom=0)
    axes.legend()
    return axes


def _new_axes():
    # Not pyplot, which keeps a reference to every figure.
    return matplotlib.figure.Figure(layout="constrained").add_subplot()
