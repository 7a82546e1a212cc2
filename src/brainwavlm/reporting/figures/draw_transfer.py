"""The matrix of gains by subject, and scores by minutes of data, drawn by matplotlib."""

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from brainwavlm.formatting.numbers import signed
from brainwavlm.reporting.figures.draw import legend_below, line_of, small, thin
from brainwavlm.reporting.figures.style import Canvas, shortened
from brainwavlm.reporting.surface_maps import difference_scale

_WIDE = 5.0  # inches; from here on the curve stands beside the matrix


def transfer(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """The matrix of gains, and test r by minutes of the subject's data where there are some.

    Parameters
    ----------
    table : DataFrame
        Rows of part `matrix`, and of parts `draw` and `mean` of `minutes_table`.
    canvas : Canvas
    """
    matrix, minutes = table[table["part"] == "matrix"], table[table["part"] != "matrix"]
    lines = minutes["label"].nunique()
    tall = 0.75 + 0.42 * matrix["label"].nunique()
    beside = canvas.width >= _WIDE and lines > 0
    figure = canvas.figure(
        max(tall, 2.4 + 0.13 * lines) if beside else tall + (lines > 0) * (2.0 + 0.26 * lines)
    )
    if beside:
        first, second = figure.subplots(1, 2)
    elif lines:
        first, second = figure.subplots(2, 1, gridspec_kw={"height_ratios": [tall, 2.4]})
    else:
        first, second = figure.subplots(), None
    cells = _draw_matrix(figure, first, matrix, canvas)
    if second is not None:
        _draw_minutes(second, minutes)
        legend_below(figure, second, canvas)
    _write_gains(figure, first, matrix, cells)
    return figure


def _draw_matrix(figure: Figure, axes: Axes, matrix: pd.DataFrame, canvas: Canvas) -> QuadMesh:
    labels, subjects = matrix["label"].unique(), matrix["scored_on"].unique()
    wide = matrix.pivot(index="label", columns="scored_on", values="difference")
    gains = wide.loc[labels, subjects].to_numpy(float)
    scale = difference_scale([gains], "", canvas.style)
    cells = axes.pcolormesh(
        gains, cmap=scale.colours, vmin=scale.low, vmax=scale.high, edgecolors="white", gid="cells"
    )
    axes.set_facecolor(rcParams["grid.color"])
    room = canvas.letters(0.3 if canvas.width >= _WIDE else 0.55) // len(subjects)
    axes.set_xticks([n + 0.5 for n in range(len(subjects))], [shortened(name, room) for name in subjects])
    names = [shortened(label, canvas.letters(0.28)) for label in labels]
    axes.set_yticks([n + 0.5 for n in range(len(labels))], names)
    axes.set(xlabel="scored on", ylabel="tuned on")
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(cells, ax=axes, fraction=0.06, pad=0.03)
    bar.outline.set_visible(False)
    bar.set_ticks([scale.low, 0, scale.high], labels=[signed(scale.low, 2), "0", signed(scale.high, 2)])
    bar.set_label("gain in test r", fontsize=small())
    return cells


def _write_gains(figure: Figure, axes: Axes, matrix: pd.DataFrame, cells: QuadMesh) -> None:
    """The gain with its interval in each cell, or the gain alone, or nothing: as the laid out cells have room."""
    figure.draw_without_rendering()
    labels, subjects = list(matrix["label"].unique()), list(matrix["scored_on"].unique())
    box = axes.get_window_extent()
    wide, tall = 0.94 * box.width / len(subjects), 0.94 * box.height / len(labels)
    for row in matrix.to_dict("records"):
        x, y = subjects.index(row["scored_on"]), labels.index(row["label"])
        shade = row["difference"] if np.isfinite(row["difference"]) else 0.0
        light = np.array(cells.to_rgba(np.array(shade)))[:3] ** 2.2 @ [
            0.2126,
            0.7152,
            0.0722,
        ]
        ink = "black" if light > 0.18 else "white"  # equal contrast of both
        gain = signed(row["difference"])
        both = f"{gain}\n{signed(row['low'])} to {signed(row['high'])}" if row["high"] > row["low"] else gain
        text = axes.text(x + 0.5, y + 0.5, "", ha="center", va="center", color=ink, gid=f"gain:{y}:{x}")
        text.set(fontsize=small(), in_layout=False)
        for words in (both, gain, ""):
            text.set_text(words)
            extent = text.get_window_extent()
            if extent.width <= wide and extent.height <= tall:
                break


def _draw_minutes(axes: Axes, minutes: pd.DataFrame) -> None:
    for number, (label, rows) in enumerate(minutes.groupby("label", sort=False)):
        means, draws = rows[rows["part"] == "mean"], rows[rows["part"] == "draw"]
        line = line_of(number)
        for key, dashes, name in (("r_frozen", ":", None), ("r_tuned", "-", label)):
            style = {**line, "linestyle": dashes}
            axes.plot(means["minutes"], means[key], **style, label=name, gid=f"{key}:{number}")
        for key, face in (("r_frozen", "white"), ("r_tuned", line["color"])):
            dots = {"facecolor": face, "edgecolor": line["color"], "linewidth": thin()}
            size = (0.7 * rcParams["lines.markersize"]) ** 2
            axes.scatter(draws["minutes"], draws[key], s=size, gid=f"draws:{key}:{number}", **dots)
    axes.plot([], [], ":", color=rcParams["axes.labelcolor"], label="untuned")
    axes.set(xlabel="minutes of the subject's responses", ylabel="test r")
