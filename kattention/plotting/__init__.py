"""Alignments as pictures, in a terminal and in a page; curves of a training."""

from kattention.plotting.curves import plot_history, plot_quality_by_length
from kattention.plotting.pictures import plot_alignment, plot_alignments
from kattention.plotting.text import draw_alignment, html_alignment
from kattention.plotting.words import merge_words

__all__ = [
    "draw_alignment",
    "html_alignment",
    "merge_words",
    "plot_alignment",
    "plot_alignments",
    "plot_history",
    "plot_quality_by_length",
]


def __dir__():
    return __all__
