"""Figures voxel by voxel: frozen against tuned, the histogram of differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from brainwavlm.reporting.figures.canvas import Canvas, legend, page_canvas, quiet
from brainwavlm.reporting.figures.draw import SIDE, TALL, TALLEST
from brainwavlm.reporting.figures.style import Style, shortened
from brainwavlm.results.evaluation import REMAINDER

_BINS = 60


@dataclass(frozen=True)
class VoxelScores:
    """Scores of one run, a number a voxel.

    Attributes
    ----------
    label : str
        Above the run's own axes, where there are several.
    frozen, tuned : arrays (n_voxels,)
        Test correlations; voxels with a NaN are left out.
    groups : mapping of str to bool array (n_voxels,)
        Disjoint, `RunVoxels.groups`.
    """

    label: str
    frozen: np.ndarray
    tuned: np.ndarray
    groups: Mapping[str, np.ndarray]


def frozen_against_tuned(
    runs: Sequence[VoxelScores], title: str, simulated: bool, canvas: Canvas | None = None
) -> Figure:
    """One dot a voxel; above the diagonal, tuning helped. Axes of their own for each run, in the same range.

    Parameters
    ----------
    runs : sequence of VoxelScores
    title : str
    simulated : bool
    canvas : Canvas or None
        None: that of the page.
    """
    canvas = canvas or page_canvas(SIDE)
    columns = min(len(runs), max(int(canvas.width / 2.2), 1))
    rows = -(-len(runs) // columns)
    figure = canvas.figure(
        min(TALL * canvas.width / columns, TALLEST) * rows + 0.3 * (len(runs) > 1), title, simulated
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    limits = _limits(np.concatenate([ends for run in runs for ends in _known(run)]))
    names = [name for name in dict.fromkeys(name for run in runs for name in run.groups) if name != REMAINDER]
    named = dict(zip(names, cycle(canvas.style.colours.groups), strict=False))
    for number, (axes, run) in enumerate(zip(grid, runs, strict=False)):
        _voxel_dots(axes, run, limits, canvas.style, number, named, len(runs) > 1)
        if len(runs) > 1:
            label = shortened(run.label, canvas.letters(0.9 / columns))
            axes.set_title(
                label, fontsize=canvas.style.text, color=canvas.style.colours.ink, parse_math=False
            )
    for axes in grid[len(runs) :]:
        axes.remove()
    if len(runs) > 1:
        marks = [*named.items(), (REMAINDER, canvas.style.colours.other)]
        there = [(name, colour) for name, colour in marks if any(name in run.groups for run in runs)]
        dots = [Line2D([], [], color=colour, marker="o", linestyle="", markersize=4) for _, colour in there]
        legend(figure, canvas.style, dots, [name for name, _ in there], loc="outside lower left", ncols=4)
    return figure


def _voxel_dots(
    axes: Axes,
    run: VoxelScores,
    limits: tuple[float, float],
    style: Style,
    number: int,
    colours: Mapping[str, str],
    several: bool,
) -> None:
    known = np.isfinite(run.frozen) & np.isfinite(run.tuned)
    axes.plot(
        limits, limits, color=style.colours.muted, linewidth=style.thin, zorder=3, gid=f"diagonal:{number}"
    )
    size = float(np.clip(4000 / max(known.sum(), 1), 4, 40)) * (style.marker / 4) ** 2
    for name, members in run.groups.items():
        shown = members & known
        axes.scatter(
            run.frozen[shown],
            run.tuned[shown],
            s=size,
            color=colours.get(name, style.colours.other),
            alpha=0.55,
            linewidths=0,
            label=f"{name} ({int(shown.sum()):,})",
            zorder=1 if name == REMAINDER else 2,
            gid=f"voxels:{number}:{name}",
        )
    axes.set(xlim=limits, ylim=limits, xlabel="frozen model, test r", ylabel="tuned model, test r")
    axes.set_aspect("equal")
    quiet(axes, style)
    if several:
        return
    made = legend(axes, style, loc="upper left", handletextpad=0.2, markerscale=(20 / size) ** 0.5)
    for handle in made.legend_handles:
        if handle is not None:
            handle.set_alpha(1)


def difference_histogram(
    frozen: np.ndarray, tuned: np.ndarray, title: str, simulated: bool, canvas: Canvas | None = None
) -> Figure:
    """How many voxels gained and how many lost.

    Parameters
    ----------
    frozen, tuned : arrays (n_voxels,)
        Test correlations; voxels with a NaN are left out.
    title : str
    simulated : bool
    canvas : Canvas or None
        None: that of the page.
    """
    canvas = canvas or page_canvas(SIDE)
    style, colours = canvas.style, canvas.style.colours
    figure = canvas.figure(min(TALL * canvas.width, TALLEST), title, simulated)
    axes = figure.subplots()
    difference = (tuned - frozen)[np.isfinite(frozen) & np.isfinite(tuned)]
    if difference.size:
        counts, edges = difference_bins(difference)
        step = edges[1] - edges[0]
        gained = edges[:-1] >= -step / 2
        axes.bar(
            edges[:-1],
            counts,
            width=step,
            align="edge",
            color=[colours.gained if up else colours.lost for up in gained],
        )
        axes.axvline(0, color=colours.ink, linewidth=style.thin)
        axes.set_ylim(0, counts.max() * 1.05)
        share = (difference > 0).mean()
        for x, where, text, colour in (
            (1.0, "right", f"{share:.0%} of voxels up", colours.gained),
            (0.0, "left", f"{(difference < 0).mean():.0%} down", colours.lost),
        ):
            axes.text(
                x,
                1.01,
                text,
                transform=axes.transAxes,
                ha=where,
                va="bottom",
                fontsize=style.text,
                color=colour,
            )
    axes.set(xlabel="difference in test r (tuned − frozen)", ylabel="voxels")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    quiet(axes, style)
    return figure


def difference_bins(difference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts and edges of bins of equal width; one edge is zero, so that no bar holds gains and losses alike.

    Parameters
    ----------
    difference : array (n,)
        At least one number, no NaN.
    """
    step = max(float(np.ptp(difference)) / _BINS, 1e-6)
    first, last = np.floor(difference.min() / step), np.ceil(difference.max() / step)
    return np.histogram(difference, bins=step * np.arange(first, max(last, first + 1) + 1))


def _known(run: VoxelScores) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(run.frozen) & np.isfinite(run.tuned)
    return run.frozen[known], run.tuned[known]


def _limits(values: np.ndarray) -> tuple[float, float]:
    if not values.size:
        return 0.0, 1.0
    margin = 0.04 * max(float(np.ptp(values)), 0.05)
    return float(values.min()) - margin, float(values.max()) + margin
