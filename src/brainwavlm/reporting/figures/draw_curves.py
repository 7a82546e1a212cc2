"""Tidy tables drawn by matplotlib: lines by epoch, hidden state and delay.

Each function of draw*.py takes the table of its kind and a canvas, whose style is applied.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainwavlm.reporting.figures.style import Canvas, shortened

TALL = 0.95  # height by width
TALLEST = 4.0  # inches
_WIDE = 6.0  # inches; from here on legends of hidden states stand beside the axes


def learning(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """Training loss above, validation r below, the kept epoch of each run as a large dot."""
    figure = canvas.figure(min(TALL * canvas.width, TALLEST))
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1, 1.35]})
    runs = list(table.groupby(["run", "label"], sort=False))
    ink = rcParams["text.color"]
    colours = {"loss": rcParams["axes.labelcolor"], "validation_r": canvas.colours["tuned"]}
    marker = rcParams["lines.markersize"]
    for number, ((_, label), rows) in enumerate(runs):
        for axes, key in ((upper, "loss"), (lower, "validation_r")):
            scored_rows = rows.dropna(subset=key)
            line = {"color": colours[key]} if len(runs) == 1 else line_of(number)
            if len(scored_rows):
                about = {"label": label, "gid": f"{key}:{number}", "marker": "o", "markersize": 0.6 * marker}
                axes.plot(scored_rows["epoch"], scored_rows[key], **line, **about)
        kept = rows[rows["kept"]]
        for epoch, r in zip(kept["epoch"], kept["validation_r"], strict=True):
            for axes in (upper, lower) if len(runs) == 1 else ():
                axes.axvline(epoch, color=ink, linewidth=thin(), linestyle=(0, (4, 3)), zorder=0)
            if np.isfinite(r):
                dot = {"markersize": 1.6 * marker, "markeredgecolor": "white", "gid": f"kept:{number}"}
                lower.plot([epoch], [r], "o", color=line["color"], **dot)
                if len(runs) == 1:
                    note = f"dashed: epoch {epoch}, kept (validation r {r:.3f})"
                    upper.set_title(note, loc="left", fontsize=small(), color=rcParams["axes.labelcolor"])
    for axes, name in ((upper, "training loss"), (lower, "validation r")):
        axes.set_ylabel(name)
        axes.yaxis.set_major_locator(MaxNLocator(4))
    lower.set_xlabel("epoch")
    lower.xaxis.set_major_locator(whole_numbers())
    if len(runs) > 1:
        legend_below(figure, canvas)
    return figure


def states(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """Gain by hidden state with its interval as a band; above it, where they are known, tuned and (dotted) untuned."""
    key, score = ("auc", "AUC") if "auc_tuned" in table else ("r", "test r")
    scored = bool(table[[f"{key}_frozen", f"{key}_tuned"]].notna().all(axis=None))
    lines = list(table.groupby("label", sort=False))
    tall = (0.95 if scored else 0.7) * min(canvas.width, 5.2)
    figure = canvas.figure(tall + (canvas.width < _WIDE) * 0.12 * len(lines))
    axes: list[Axes] = list(figure.subplots(1 + scored, 1, sharex=True, squeeze=False)[:, 0])
    marker: dict[str, Any] = {"marker": "o", "markersize": 0.8 * rcParams["lines.markersize"]}
    for number, (label, rows) in enumerate(lines):
        line, state = line_of(number), rows["layer"]
        if scored:
            dotted = {**line, "linestyle": ":"}
            axes[0].plot(state, rows[f"{key}_frozen"], **dotted, gid=f"r_frozen:{number}")
            axes[0].plot(state, rows[f"{key}_tuned"], **line, **marker, gid=f"r_tuned:{number}")
        axes[-1].plot(state, rows["difference"], **line, **marker, label=label, gid=f"gain:{number}")
        _band(axes[-1], state, rows, number, "interval")
    axes[-1].axhline(0, color=rcParams["text.color"], linewidth=thin())
    axes[-1].set(xlabel="hidden state (0: input of the first block)", ylabel=f"gain in {score}")
    axes[-1].xaxis.set_major_locator(whole_numbers())
    if scored:
        axes[0].set_ylabel(score)
        axes[-1].plot([], [], ":", color=rcParams["axes.labelcolor"], label="untuned")
    if canvas.width < _WIDE:
        legend_below(figure, canvas)
    else:
        handles, labels = axes[-1].get_legend_handles_labels()
        beside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0}
        axes[0].legend(handles, [shortened(label, 34) for label in labels], **beside)
    return figure


def delays(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """Median over voxels by delay, a line a run, with quartiles as a band."""
    lines = list(table.groupby(["run", "label"], sort=False))
    figure = canvas.figure(min(0.6 * canvas.width, 3.0) + 0.15 * (len(lines) > 1) * len(lines))
    axes = figure.subplots()
    for number, ((_, label), rows) in enumerate(lines):
        line = line_of(number)
        axes.plot(rows["seconds"], rows["median"], **line, marker="o", label=label, gid=f"median:{number}")
        _band(axes, rows["seconds"], rows, number, "quartiles")
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted(set(table["seconds"])))
    axes.set(xlabel="seconds after the sound", ylabel="share of the weights' norm")
    if len(lines) > 1:
        legend_below(figure, canvas)
    return figure


def line_of(number: int) -> dict[str, Any]:
    """Colour and dashes of the so-manieth line."""
    cycle = list(rcParams["axes.prop_cycle"])
    return {"linestyle": "-", "color": "C0", **cycle[number % len(cycle)]}


def _band(axes: Axes, x: pd.Series, rows: pd.DataFrame, number: int, name: str) -> None:
    about = {"color": line_of(number)["color"], "alpha": 0.15, "linewidth": 0, "gid": f"{name}:{number}"}
    axes.fill_between(x, rows["low"], rows["high"], **about)


def legend_below(figure: Figure, canvas: Canvas) -> None:
    """A legend under all axes, each name once, in as many columns as they leave room for; none without names."""
    each = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in figure.axes]
    handles = {label: handle for some in each for handle, label in some}
    if handles:
        labels = [shortened(label, canvas.letters(0.85)) for label in handles]
        columns = max(int(canvas.letters() / (max(map(len, labels)) + 7)), 1)
        columns = min(columns, len(labels), 4)
        figure.legend(list(handles.values()), labels, loc="outside lower left", ncols=columns)


def whole_numbers(most: int = 9) -> MaxNLocator:
    """Ticks at whole numbers alone, even where the axis has one of them."""
    return MaxNLocator(most, integer=True, min_n_ticks=1)


def small() -> float:
    """Size of small text."""
    return float(rcParams["legend.fontsize"])


def thin() -> float:
    """Width of thin lines."""
    return float(rcParams["axes.linewidth"])
