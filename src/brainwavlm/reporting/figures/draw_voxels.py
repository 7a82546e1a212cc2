"""Voxels drawn by matplotlib: tuned against frozen, the histogram of the change."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainwavlm.reporting.figures.draw import TALL, TALLEST, thin, whole_numbers
from brainwavlm.reporting.figures.style import Canvas, shortened
from brainwavlm.results.evaluation import REMAINDER


def scatter(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """One dot a voxel; above the diagonal, tuning helped. Axes of their own for each run, in the same range."""
    runs = list(table.groupby(["run", "label"], sort=False))
    columns = min(len(runs), max(int(canvas.width / 2.2), 1))
    rows = -(-len(runs) // columns)
    figure = canvas.figure(min(TALL * canvas.width / columns, TALLEST) * rows + 0.3 * (len(runs) > 1))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    ends = table[["r_frozen", "r_tuned"]].to_numpy()
    margin = 0.04 * max(float(np.ptp(ends)), 0.05)
    limits = (float(ends.min()) - margin, float(ends.max()) + margin)
    sizes = table["group"].value_counts(ascending=True)
    names = [name for name in sizes.index if name != REMAINDER]
    colours = {name: f"C{place}" for place, name in enumerate(names)} | {REMAINDER: canvas.colours["other"]}
    colours = {name: colour for name, colour in colours.items() if name in sizes.index}
    for number, (axes, ((_, label), voxels)) in enumerate(zip(grid, runs, strict=False)):
        _voxels(axes, voxels, limits, colours, number, alone=len(runs) == 1)
        if len(runs) > 1:
            axes.set_title(shortened(str(label), canvas.letters(0.9 / columns)))
    for axes in grid[len(runs) :]:
        axes.remove()
    if len(runs) > 1:
        dots = [Line2D([], [], color=one, marker="o", linestyle="", markersize=4) for one in colours.values()]
        figure.legend(dots, list(colours), loc="outside lower left", ncols=4)
    return figure


def _voxels(
    axes: Axes,
    table: pd.DataFrame,
    limits: tuple[float, float],
    colours: Mapping[str, str],
    number: int,
    alone: bool,
) -> None:
    grey = rcParams["axes.labelcolor"]
    axes.plot(limits, limits, "-", color=grey, linewidth=thin(), zorder=3, gid=f"diagonal:{number}")
    size = float(np.clip(4000 / len(table), 4, 40)) * (rcParams["lines.markersize"] / 4) ** 2
    for name, colour in colours.items():
        dots = table[table["group"] == name]
        about: dict[str, Any] = {"label": f"{name} ({len(dots):,})", "gid": f"voxels:{number}:{name}"}
        about |= {"zorder": 1 if name == REMAINDER else 2, "alpha": 0.55, "linewidths": 0}
        if len(dots):
            axes.scatter(dots["r_frozen"], dots["r_tuned"], s=size, color=colour, **about)
    axes.set(xlim=limits, ylim=limits, xlabel="frozen model, test r", ylabel="tuned model, test r")
    axes.set_aspect("equal")
    if alone:
        legend = axes.legend(loc="upper left", handletextpad=0.2, markerscale=(20 / size) ** 0.5)
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1)


def histogram(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """How many voxels gained and how many lost."""
    figure = canvas.figure(min(TALL * canvas.width, TALLEST))
    axes = figure.subplots()
    gained = table["gained"].to_numpy(bool)
    up, down = (canvas.colours[name] for name in ("gained", "lost"))
    bars: dict[str, Any] = {
        "width": table["to"] - table["from"],
        "align": "edge",
        "color": np.where(gained, up, down),
    }
    axes.bar(table["from"], table["voxels"], **bars)
    axes.axvline(0, color=rcParams["text.color"], linewidth=thin())
    axes.set_ylim(0, table["voxels"].max() * 1.05)
    n_voxels = table["voxels"].sum()
    better = (table["voxels"] - table["unchanged"])[gained].sum() / n_voxels
    worse = table["voxels"][~gained].sum() / n_voxels
    above: dict[str, Any] = {"transform": axes.transAxes, "va": "bottom"}
    axes.text(1.0, 1.01, f"{better:.0%} of voxels up", ha="right", color=up, **above)
    axes.text(0.0, 1.01, f"{worse:.0%} down", ha="left", color=down, **above)
    axes.set(xlabel="difference in test r (tuned − frozen)", ylabel="voxels")
    axes.yaxis.set_major_locator(whole_numbers(5))
    return figure
