import csv

import matplotlib.figure
import numpy as np
import pytest

from kattention import plotting
from kattention.translator import Translation

SOURCE, TARGET = ["\u2581red", "\u2581house", "</s>"], ["\u2581maison", "\u2581rouge"]
ALIGNMENT = np.array([[0.0, 1.0, 0.0], [0.9, 0.1, 0.0]])


def labels(axes):
    ticks = axes.get_xticklabels(), axes.get_yticklabels()
    return [[tick.get_text() for tick in own] for own in ticks]


def test_draws_a_row_a_target_token_and_dark_is_high():
    first, second, *below = plotting.draw_alignment(
        SOURCE, TARGET, ALIGNMENT
    ).splitlines()
    assert first == "maison   ██  "
    assert second == " rouge ██░░  "
    assert [line.strip().split()[0] for line in below[:3]] == ["r", "e", "d"]


def test_wide_letters_and_accents_keep_the_columns_of_a_terminal():
    first, second, *below = plotting.draw_alignment(
        ["红色", "cafe\N{COMBINING ACUTE ACCENT}"], ["我", "x"], np.eye(2)
    ).splitlines()
    assert first == "我 ██  "  # two columns wide
    assert second == " x   ██"
    # Two columns each: a wide letter, or one and a space.
    assert below == ["   红c", "   色a", "     f", "     e\N{COMBINING ACUTE ACCENT}"]


def test_a_font_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="got 'No Such Font'"):
        plotting.plot_alignment(SOURCE, TARGET, ALIGNMENT, font="No Such Font")


def test_plots_source_on_top_and_target_at_the_side(tmp_path):
    axes = plotting.plot_alignment(SOURCE, TARGET, ALIGNMENT)
    assert labels(axes) == [["red", "house", "</s>"], ["maison", "rouge"]]
    np.testing.assert_array_equal(axes.images[0].get_array(), ALIGNMENT)
    axes.figure.savefig(tmp_path / "alignment.png")
    assert (tmp_path / "alignment.png").read_bytes()[1:4] == b"PNG"


def test_a_small_weight_can_be_seen():
    [image] = plotting.plot_alignment(SOURCE, TARGET, ALIGNMENT).images
    white, small = image.cmap(image.norm([0.0, 0.1]))[:, 0]
    assert white - small > 0.2


def test_draws_on_axes_that_are_given_and_frames_links():
    axes = matplotlib.figure.Figure().add_subplot()
    links = [(1, 0), (0, 1)]
    found = plotting.plot_alignment(SOURCE, TARGET, ALIGNMENT, axes=axes, links=links)
    assert found is axes
    centres = [frame.get_center() for frame in axes.patches]
    np.testing.assert_allclose(centres, links)
    with pytest.raises(ValueError, match="3 source and 2 target tokens"):
        plotting.plot_alignment(SOURCE, TARGET, ALIGNMENT, links=[(0, 2)])


def test_pieces_become_words():
    source = ["\u2581cat", "s", ".", "</s>"]
    target = ["\u2581ch", "<0xC3>", "<0xA9>", "</s>"]
    alignment = np.arange(16).reshape(4, 4) / 120
    words = plotting.merge_words(source, target, alignment)
    assert words[:2] == (["cats.", "</s>"], ["ch\u00e9", "</s>"])
    rows = np.stack([alignment[:3].mean(axis=0), alignment[3]])
    expected = np.stack([rows[:, :3].sum(axis=1), rows[:, 3]], axis=1)
    np.testing.assert_allclose(words[2], expected)
    axes = plotting.plot_alignment(source, target, alignment, words=True)
    assert labels(axes) == [["cats.", "</s>"], ["ch\u00e9", "</s>"]]


def translation(alignment=ALIGNMENT):
    return Translation("<maison>", -1.0, SOURCE, TARGET, [-0.5, -0.5], alignment)


def test_several_in_one_figure():
    found = plotting.plot_alignments([translation()] * 3)
    assert len({id(axes.figure) for axes in found}) == 1
    assert len(found[0].figure.axes) == 3
    with pytest.raises(ValueError, match="lack attention"):
        plotting.plot_alignments([translation(None)])
    with pytest.raises(ValueError, match="got none"):
        plotting.plot_alignments([])


def test_a_translation_shows_itself_in_a_notebook():
    page = translation()._repr_html_()
    assert "&lt;maison&gt;" in page
    assert page.count("<td") == 6
    assert 'title="0.100"' in page
    assert "<td" not in translation(None)._repr_html_()


def test_curves_of_a_training(tmp_path):
    rows = [
        {"round": 1, "loss": 3.0, "val_loss": 2.5, "val_bleu": 4.0},
        {"round": 2, "loss": 2.0, "val_loss": 2.2, "val_bleu": 9.0},
    ]
    with (tmp_path / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    axes = plotting.plot_history(tmp_path)
    curves = {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}
    assert curves == {"training loss": [3.0, 2.0], "validation loss": [2.5, 2.2]}
    scores = axes.figure.axes[1]
    assert list(scores.get_lines()[0].get_ydata()) == [4.0, 9.0]


def test_quality_by_length():
    rows = [{"words": "1-5", "bleu": 40.0}, {"words": "6-10", "bleu": 30.0}]
    axes = plotting.plot_quality_by_length({"with attention": rows})
    assert list(axes.get_lines()[0].get_ydata()) == [40.0, 30.0]


def test_an_alignment_of_other_sizes_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 3\).*got \(3, 2\)"):
        plotting.draw_alignment(SOURCE, TARGET, ALIGNMENT.T)
