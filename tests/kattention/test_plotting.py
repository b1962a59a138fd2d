import numpy as np
import pytest

from kattention.plotting import draw_alignment, plot_alignment

SOURCE, TARGET = ["\u2581red", "\u2581house", "</s>"], ["\u2581maison", "\u2581rouge"]
ALIGNMENT = np.array([[0.0, 1.0, 0.0], [0.9, 0.1, 0.0]])


def test_draws_a_row_a_target_token_and_dark_is_high():
    first, second, *below = draw_alignment(SOURCE, TARGET, ALIGNMENT).splitlines()
    assert first == "maison   ██  "
    assert second == " rouge ██    "
    assert [line.strip().split()[0] for line in below[:3]] == ["r", "e", "d"]


def test_plots_source_on_top_and_target_at_the_side(tmp_path):
    figure = plot_alignment(SOURCE, TARGET, ALIGNMENT)
    [axes] = figure.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [
        "red",
        "house",
        "</s>",
    ]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["maison", "rouge"]
    np.testing.assert_array_equal(axes.images[0].get_array(), ALIGNMENT)
    figure.savefig(tmp_path / "alignment.png")
    assert (tmp_path / "alignment.png").read_bytes()[1:4] == b"PNG"


def test_an_alignment_of_other_sizes_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 3\).*got \(3, 2\)"):
        draw_alignment(SOURCE, TARGET, ALIGNMENT.T)
