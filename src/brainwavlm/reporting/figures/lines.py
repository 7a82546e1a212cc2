"""Lines by epoch, hidden state, delay or minutes: what pages and figures show of them, and how matplotlib draws it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainwavlm.formatting.numbers import number
from brainwavlm.reporting.figures.style import Canvas, shortened

STATE = "hidden state (0: input of the first block)"
# Columns of tidy tables by the titles of their axes.
X = {"epoch": "epoch", "layer": STATE, "seconds": "seconds after the sound"}
X |= {"minutes": "minutes of the subject's responses"}
PANELS = {"loss": "training loss", "gradient_norm": "gradient norm", "validation_r": "validation r"}
PANELS |= {"r_frozen": "{}", "r_tuned": "{}", "difference": "gain in {}", "mean": "{}"}
PANELS |= {"median": "share of the weights' norm"}
FROM_ZERO = "median"
_WIDEST = 5.2  # inches; from here on panels grow no higher
_WIDE = 6.0  # inches; from here on the legend stands beside the axes


class Look(NamedTuple):
    """How a line looks beside others: its colour by what it stands for (or C0, ...), marker and width."""

    colour: str
    marker: str
    wide: float


class Lines(NamedTuple):
    """Panels below each other, a line a label and column in each.

    `table` has label, column, panel (the title of its axis), model (frozen, tuned), x, value, low, high (NaN: no
    interval), kept (a star marks it) and gid, a row a point; `x` is the title of the axis below. Whole numbers are
    counts. `looks` are of labels that stand for something.
    """

    table: pd.DataFrame
    x: str
    looks: Mapping[str, Look] = MappingProxyType({})


def lines_of(table: pd.DataFrame, score: str = "test r") -> Lines:
    """The lines of a tidy table, of which an interval is that of its last column; r is the `score`."""
    x = next(name for name in X if name in table)
    known = {name: title for name, title in PANELS.items() if name in table and table[name].notna().any()}
    about = {"label": table["label"], "x": table[x], "kept": table.get("kept", False)}
    place = pd.Series(pd.factorize(table["label"])[0], table.index).astype(str)
    parts = [pd.DataFrame(columns=["column", "panel", "model", "value", "low", "high", "gid", *about])]
    for column, title in known.items():
        model = "frozen" if column == "r_frozen" else "tuned"
        has_interval = column == [*known][-1] and "low" in table
        ends = {end: table[end] if has_interval else np.nan for end in ("low", "high")}
        part = {"column": column, "panel": title.format(score), "model": model, "value": table[column]}
        parts.append(pd.DataFrame(part | ends | about | {"gid": f"{column}:" + place}))
    return Lines(pd.concat(parts[1:] or parts, ignore_index=True), X[x])


def draw_lines(lines: Lines, canvas: Canvas) -> Figure:
    """Intervals as bands, the untuned model dotted."""
    labels, panels = (list(dict.fromkeys(lines.table[key])) for key in ("label", "panel"))
    below = 0.12 * len(labels) * (len(labels) > 1 and canvas.width < _WIDE)
    figure = canvas.figure((0.25 + 0.35 * len(panels)) * min(canvas.width, _WIDEST) + below)
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(grid, panels, strict=True):
        draw_panel(axes, lines._replace(table=lines.table[lines.table["panel"] == panel]), labels, canvas)
        axes.set_ylabel(panel)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        if FROM_ZERO in set(lines.table["column"]):
            axes.set_ylim(bottom=0)
    grid[-1].set_xlabel(lines.x)
    if pd.api.types.is_integer_dtype(lines.table["x"]):
        grid[-1].xaxis.set_major_locator(whole_numbers())
    if len(labels) > 1 or lines.table["model"].nunique() > 1:
        legend(figure, canvas, beside=canvas.width >= _WIDE)
    return figure


def draw_panel(axes: Axes, lines: Lines, labels: Sequence[str], canvas: Canvas) -> None:
    """The lines of one panel; a single one has the colour of the tuned model."""
    rows, size = lines.table, rcParams["lines.markersize"]
    key: Any
    for key, points in rows.groupby(["label", "model", "gid"], sort=False):
        label, model, gid = key
        colours = line_of(labels.index(label)) if len(labels) > 1 else {"color": canvas.colours["tuned"]}
        shape: dict[str, Any] = {"marker": "o", "markersize": 0.8 * size, "label": label}
        if label in lines.looks:
            colour, marker, wide = lines.looks[label]
            colours = {"color": canvas.colours.get(colour, colour), "linestyle": "-"}
            shape |= {"marker": marker, "markersize": 0.9 * wide * size, "markeredgewidth": thin()}
            shape["linewidth"] = wide * rcParams["lines.linewidth"]
        if model == "frozen":
            shape |= {"linestyle": ":", "markerfacecolor": "white", "label": "_"}
            shape |= {} if label in lines.looks else {"marker": ""}
        points = points.dropna(subset="value")
        axes.plot(points["x"], points["value"], **colours | shape, gid=gid)
        band: dict[str, Any] = {"color": colours["color"], "gid": f"interval:{gid}"}
        ends = points.dropna(subset=["low", "high"])
        if len(points) == 1:
            axes.vlines(ends["x"], ends["low"], ends["high"], **band)
        elif len(ends):
            axes.fill_between(ends["x"], ends["low"], ends["high"], alpha=0.15, linewidth=0, **band)
        kept, star = points[points["kept"]], {"marker": "*", "linestyle": "", "markersize": 2.4 * size}
        if len(kept):
            axes.plot(kept["x"], kept["value"], **colours | star, gid=f"kept:{gid}")
    if "frozen" in set(rows["model"]):
        name = "controls, untuned" if lines.looks else "untuned"
        axes.plot([], [], ":", color=rcParams["axes.labelcolor"], label=name)
    if "difference" in set(rows["column"]):
        axes.axhline(0, color=rcParams["text.color"], linewidth=thin())


def in_words(table: pd.DataFrame) -> str:
    """From where to where each line of a model that is tuned goes, and which of its points was kept."""
    words = []
    points = table[table["model"] == "tuned"].dropna(subset="value")
    for label, rows in points.groupby("label", sort=False):
        ways = []
        for panel, line in rows.groupby("panel", sort=False):
            values = line["value"].to_numpy(float)
            top = f"highest {number(values.max())} at {line['x'].iloc[values.argmax()]:g}"
            kept = [
                f", {number(value)} at the star, {x:g}"
                for x, value in line.loc[line["kept"], ["x", "value"]].to_numpy()
            ]
            ways.append(f"{panel} {number(values[0])} to {number(values[-1])}, {top}{''.join(kept)}")
        words.append(f"{label}: {'; '.join(ways)}")
    return ". ".join(words)


def line_of(number: int) -> dict[str, Any]:
    """Colour and dashes of the so-manieth line."""
    cycle = list(rcParams["axes.prop_cycle"])
    return {"linestyle": "-", "color": "C0", **cycle[number % len(cycle)]}


def legend(figure: Figure, canvas: Canvas, beside: bool = False) -> None:
    """A legend of all axes, each name once: beside them, or below in as many columns as they leave room for."""
    each = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in figure.axes]
    handles = {label: handle for some in each for handle, label in some}
    if handles:
        labels = [shortened(label, 34 if beside else canvas.letters(0.85)) for label in handles]
        columns = max(int(canvas.letters() / (max(map(len, labels)) + 7)), 1)
        columns = 1 if beside else min(columns, len(labels), 4)
        place: Any = "outside right upper" if beside else "outside lower left"
        figure.legend(list(handles.values()), labels, loc=place, ncols=columns)


def whole_numbers(most: int = 9) -> MaxNLocator:
    """Ticks at whole numbers alone, even where the axis has one of them."""
    return MaxNLocator(most, integer=True, min_n_ticks=1)


def small() -> float:
    """Size of small text."""
    return float(rcParams["legend.fontsize"])


def thin() -> float:
    """Width of thin lines."""
    return float(rcParams["axes.linewidth"])
