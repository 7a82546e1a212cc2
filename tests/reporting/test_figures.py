import numpy as np
import pytest
from matplotlib.container import BarContainer
from numpy.testing import assert_allclose

from brainwavlm.reporting.figures import draw as figures
from brainwavlm.reporting.figures import draw_voxels as voxel_figures
from brainwavlm.reporting.figures.style import png

HISTORY = [
    {"epoch": 0, "loss": None, "validation_r": 0.20},
    {"epoch": 1, "loss": -0.1, "validation_r": 0.25},
    {"epoch": 2, "loss": -0.2, "validation_r": 0.22},
]


def texts(figure):
    return [t.get_text() for axes in figure.axes for t in axes.texts] + [t.get_text() for t in figure.texts]


def learned(history, best, simulated):
    return figures.learning_curves([figures.Course("one", history, best)], "t", simulated)


def voxel_dots(frozen, tuned, groups, simulated):
    return voxel_figures.frozen_against_tuned(
        [voxel_figures.VoxelScores("one", frozen, tuned, groups)], "t", simulated
    )


def test_learning_curves_hold_loss_and_validation_and_mark_the_kept_epoch():
    loss, validation = learned(HISTORY, 1, False).axes
    assert_allclose(loss.lines[0].get_xydata(), [[1, -0.1], [2, -0.2]])
    assert_allclose(validation.lines[0].get_xydata(), [[0, 0.20], [1, 0.25], [2, 0.22]])
    assert_allclose(validation.lines[1].get_xdata(), [1, 1])
    assert "epoch 1, kept (validation r 0.250)" in loss.get_title(loc="left")


def test_learning_curves_without_validation_stories_still_show_the_loss():
    history = [entry | {"validation_r": None} for entry in HISTORY]
    loss, validation = learned(history, 2, False).axes
    assert len(loss.lines[0].get_xdata()) == 2
    assert len(validation.lines) == 1  # the mark of the epoch


def test_every_voxel_with_two_scores_is_one_dot_in_its_group():
    frozen, tuned = np.array([0.1, 0.2, np.nan, 0.4]), np.array([0.2, 0.1, 0.3, 0.5])
    groups = {
        "AC": np.array([True, False, False, True]),
        "other voxels": np.array([False, True, True, False]),
    }
    axes = voxel_dots(frozen, tuned, groups, False).axes[0]
    first, rest = axes.collections
    assert_allclose(first.get_offsets(), [[0.1, 0.2], [0.4, 0.5]])
    assert_allclose(rest.get_offsets(), [[0.2, 0.1]])
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["AC (2)", "other voxels (1)"]


def test_the_histogram_counts_every_voxel_and_no_bar_holds_gains_and_losses():
    rng = np.random.default_rng(0)
    frozen, tuned = rng.random(500), rng.random(500)
    axes = voxel_figures.difference_histogram(frozen, tuned, "t", simulated=False).axes[0]
    bars = axes.patches
    up = sum(bar.get_height() for bar in bars if bar.get_x() > -1e-9)
    assert sum(bar.get_height() for bar in bars) == 500
    assert up == (tuned > frozen).sum()
    assert f"{np.mean(tuned > frozen):.0%} of voxels up" in texts(axes.figure)


@pytest.mark.parametrize("values", [np.full(3, np.nan), np.zeros(3), np.array([0.1, 0.1, 0.1])])
def test_degenerate_scores_are_drawn_without_a_warning(values):
    png(voxel_figures.difference_histogram(np.zeros(3), values, "t", simulated=True))
    png(voxel_dots(np.zeros(3), values, {"voxels": np.ones(3, bool)}, True))


def test_bars_are_the_scores():
    axes = figures.score_bars(
        ["a", "b"], np.array([0.1, 0.2]), np.array([0.3, 0.1]), "t", simulated=False
    ).axes[0]
    frozen, tuned = (c for c in axes.containers if isinstance(c, BarContainer))
    assert_allclose([bar.get_width() for bar in frozen], [0.1, 0.2])
    assert_allclose([bar.get_width() for bar in tuned], [0.3, 0.1])
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b"]


@pytest.mark.parametrize("simulated", [True, False])
def test_a_figure_says_simulated_exactly_when_it_is(simulated):
    two, groups = np.array([0.1, 0.2]), {"voxels": np.ones(2, bool)}
    for figure in (
        learned(HISTORY, 1, simulated),
        voxel_dots(two, two, groups, simulated),
        voxel_figures.difference_histogram(two, two, "t", simulated),
        figures.score_bars(["a", "b"], two, two, "t", simulated),
    ):
        assert ("SIMULATED" in texts(figure)) is simulated


def test_names_that_look_like_formulas_are_drawn_as_they_are():
    two = np.array([0.1, 0.2])
    png(figures.score_bars(["$x_{", r"\frac"], two, two, "$unfinished", simulated=True))
    dots = voxel_figures.VoxelScores(r"$\bad{", two, two, {"$a_{": np.ones(2, bool)})
    png(voxel_figures.frozen_against_tuned([dots, dots], r"$\bad{", simulated=True))
