"""Figures without a brain in them: learning curves, bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainwavlm.reporting.figures.canvas import Canvas, dashes, legend, legend_below, page_canvas, quiet
from brainwavlm.reporting.figures.style import shortened

MOST_BARS = 30
SIDE = 3.9  # inches on the page
TALL = 0.95  # height by width
TALLEST = 4.0  # inches


@dataclass(frozen=True)
class Course:
    """How one run learned.

    Attributes
    ----------
    label : str
    history : sequence of mapping
        `epoch`, `loss` and `validation_r`; either number may be None.
    best : int or None
        Epoch whose weights were kept.
    """

    label: str
    history: Sequence[Mapping[str, Any]]
    best: int | None


def learning_curves(
    courses: Sequence[Course], title: str, simulated: bool, canvas: Canvas | None = None
) -> Figure:
    """Loss and validation correlation by epoch, the best epoch of each run marked.

    Parameters
    ----------
    courses : sequence of Course
        One, or several in colours of their own.
    title : str
    simulated : bool
    canvas : Canvas or None
        None: that of the page.
    """
    canvas = canvas or page_canvas(SIDE)
    style, colours = canvas.style, canvas.style.colours
    figure = canvas.figure(min(TALL * canvas.width, TALLEST), title, simulated)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1, 1.35]})
    for number, course in enumerate(courses):
        alone = len(courses) == 1
        for axes, key, single in (
            (upper, "loss", colours.muted),
            (lower, "validation_r", colours.tuned),
        ):
            colour = single if alone else colours.group(number)
            points = [(entry["epoch"], entry[key]) for entry in course.history if entry.get(key) is not None]
            if points:
                epochs, values = zip(*points, strict=True)
                axes.plot(
                    epochs,
                    values,
                    color=colour,
                    linewidth=style.line,
                    linestyle=dashes(number, colours.groups),
                    marker="o",
                    markersize=0.6 * style.marker,
                    label=course.label,
                    gid=f"{key}:{number}",
                )
            if course.best is not None and alone:
                axes.axvline(
                    course.best, color=colours.ink, linewidth=style.thin, linestyle=(0, (4, 3)), zorder=0
                )
        kept = {entry["epoch"]: entry.get("validation_r") for entry in course.history}.get(course.best)
        if kept is not None:
            lower.plot(
                [course.best],
                [kept],
                marker="o",
                markersize=1.6 * style.marker,
                color=colours.tuned if alone else colours.group(number),
                markeredgecolor="white",
                gid=f"kept:{number}",
            )
            if alone:
                note = f"dashed: epoch {course.best}, kept (validation r {kept:.3f})"
                upper.set_title(note, loc="left", fontsize=style.small, color=colours.muted)
    for axes, name in ((upper, "training loss"), (lower, "validation r")):
        axes.set_ylabel(name)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        quiet(axes, style)
    lower.set_xlabel("epoch")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(courses) > 1:
        legend_below(figure, lower if lower.lines else upper, canvas)
    return figure


def score_bars(
    names: Sequence[str],
    frozen: np.ndarray,
    tuned: np.ndarray,
    title: str,
    simulated: bool,
    canvas: Canvas | None = None,
) -> Figure:
    """Frozen and tuned r as paired bars, one pair a region or voxel.

    Parameters
    ----------
    names : sequence of str
    frozen, tuned : arrays (n_names,)
        Test correlations; NaN leaves a gap.
    title : str
    simulated : bool
    canvas : Canvas or None
        None: that of the page.
    """
    canvas = canvas or page_canvas(SIDE)
    style, colours = canvas.style, canvas.style.colours
    figure = canvas.figure(0.95 + 0.34 * len(names), title, simulated)
    axes = figure.subplots()
    rows = np.arange(len(names))
    axes.barh(rows - 0.18, frozen, height=0.34, color=colours.frozen, label="frozen")
    axes.barh(rows + 0.18, tuned, height=0.34, color=colours.tuned, label="tuned")
    axes.set_yticks(rows, [shortened(name, 18) for name in names], parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.axvline(0, color=colours.ink, linewidth=style.thin)
    axes.set_xlabel("test correlation r")
    axes.grid(axis="x", color=colours.faint, linewidth=style.thin)
    axes.set_axisbelow(True)
    quiet(axes, style)
    above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    legend(axes, style, ncols=2, handlelength=1, **above)
    return figure
