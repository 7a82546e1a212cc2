"""Figures of a study: a dot a seed, the interval over test stories, the untuned model; and gains by hidden state."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.figures.canvas import Canvas, legend, page_canvas, quiet
from brainwavlm.reporting.figures.draw_layers import layer_curves
from brainwavlm.reporting.figures.style import Picture, shortened

MOST_LINES = 24
_WIDTH = 8.6  # inches on the page
_KEY = ("untuned", "tuned: mean, 95 % interval of the gain", "one seed")
Row = Mapping[str, Any]


def seed_dots(
    rows: Sequence[Row],
    dots: Sequence[Sequence[float]],
    title: str,
    simulated: bool,
    canvas: Canvas | None = None,
) -> Figure:
    """One line a finding: tuned r of each seed, their mean with its interval, and the untuned model.

    Parameters
    ----------
    rows : sequence of mapping
        `label`, `r_frozen`, `r_tuned` (mean over seeds), `low` and `high` (of the gain).
    dots : sequence of sequences of float
        Tuned r, one a seed, for each row.
    title : str
    simulated : bool
    canvas : Canvas or None
        None: that of the page.
    """
    canvas = canvas or page_canvas(_WIDTH)
    style, colours = canvas.style, canvas.style.colours
    labels = [
        "\n".join(textwrap.wrap(shortened(str(row["label"]), 110), canvas.letters(0.45)) or [""])
        for row in rows
    ]
    # In lines of text: where each row stands, and half of what it takes.
    lines = np.array([max(label.count("\n") + 1, 1.6) + 0.4 for label in labels])
    places = np.cumsum(lines) - lines / 2
    keys = 1 if _key_fits(canvas) else len(_KEY)
    small = style.small / 72
    figure = canvas.figure(0.85 + (1.3 * lines.sum() + 1.7 * keys) * small, title, simulated)
    axes = figure.subplots()
    for n, (place, row, values) in enumerate(zip(places, rows, dots, strict=True)):
        frozen = row["r_frozen"]
        axes.plot(
            [frozen, frozen],
            [place - 0.7, place + 0.7],
            color=colours.frozen,
            linewidth=1.4 * style.line,
            zorder=2,
            gid=f"untuned:{n}",
        )
        if math.isfinite(row["low"]) and math.isfinite(row["high"]):
            # The interval is that of the gain: it stands where the untuned model plus the gain would be.
            axes.plot(
                [frozen + row["low"], frozen + row["high"]],
                [place, place],
                color=colours.tuned,
                linewidth=1.4 * style.line,
                zorder=3,
                gid=f"interval:{n}",
            )
        axes.plot(
            [row["r_tuned"]],
            [place],
            marker="D",
            markersize=1.1 * style.marker,
            color=colours.tuned,
            zorder=4,
            gid=f"mean:{n}",
        )
        axes.scatter(
            values,
            [place] * len(values),
            s=style.marker**2,
            facecolor="white",
            edgecolor=colours.ink,
            linewidth=style.thin,
            zorder=5,
            gid=f"seeds:{n}",
        )
    axes.set_yticks(places, labels, parse_math=False)
    axes.set_ylim(lines.sum(), 0)
    axes.set_xlabel("mean test correlation r")
    axes.grid(axis="x", color=colours.faint, linewidth=style.thin)
    axes.set_axisbelow(True)
    axes.margins(x=0.04)
    quiet(axes, style)
    _key_of_dots(figure, canvas)
    return figure


def _key_of_dots(figure: Figure, canvas: Canvas) -> None:
    """What the signs of `seed_dots` stand for."""
    style, colours = canvas.style, canvas.style.colours
    signs = [
        Line2D(
            [], [], color=colours.frozen, marker="|", linestyle="", markersize=8, markeredgewidth=style.line
        ),
        Line2D(
            [], [], color=colours.tuned, marker="D", markersize=1.1 * style.marker, linewidth=1.4 * style.line
        ),
        Line2D([], [], color=colours.ink, marker="o", linestyle="", markerfacecolor="white"),
    ]
    signs[2].set(markersize=style.marker, markeredgewidth=style.thin)
    legend(figure, style, signs, _KEY, loc="outside lower left", ncols=len(_KEY) if _key_fits(canvas) else 1)


def _key_fits(canvas: Canvas) -> bool:
    """Whether the signs stand in one line."""
    return canvas.letters() > len("".join(_KEY)) + 20


def study_pictures(
    name: str, headlines: Sequence[Row], rows: Sequence[Row], seeds: pd.DataFrame, simulated: bool
) -> list[Picture]:
    """Dots of the headline gains, and curves over hidden states where there are some."""
    pictures: list[Picture] = []
    lines = [row for row in headlines if row["kind"] in ("gain", "transfer") and row["r_tuned"] is not None]
    for start in range(0, len(lines), MOST_LINES):
        some = [
            with_numbers(row) | {"label": finding_label(row)} for row in lines[start : start + MOST_LINES]
        ]
        dots = [seeds_of(row, seeds)["r_tuned"].tolist() for row in some]
        figure = seed_dots(some, dots, name, simulated)
        said = "; ".join(
            f"{row['label']}: untuned {number(row['r_frozen'])}, tuned {number(row['r_tuned'])}"
            for row in some
        )
        pictures.append((figure, f"Dot plot of {name}, one line a finding, mean test correlation. {said}."))
    layers = [with_numbers(row) for row in rows if row["kind"] == "layer"]
    if layers:
        for row in layers:
            row["label"] = layer_label(row)
        ends = [max(some["layer"] for some in layers), min(some["layer"] for some in layers)]
        said = "; ".join(
            f"{row['label']}, state {row['layer']:.0f}: {signed(row['estimate'])}"
            for row in layers
            if row["layer"] in ends
        )
        figure = layer_curves(layers, f"{name}: gain by hidden state", simulated)
        pictures.append((figure, f"Curves of {name}: gain in test correlation by hidden state. {said}."))
    return pictures


def with_numbers(row: Row) -> dict[str, Any]:
    """A row of the table of claims, with NaN where it has no estimate or interval."""
    return {
        **row,
        **{key: float("nan") if row[key] is None else row[key] for key in ("low", "high", "estimate")},
    }


def seeds_of(row: Row, seeds: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table of seeds behind a finding."""
    own = seeds["kind"] == row["kind"]
    for key in ("group", "tuned_on", "listener", "target", "stories"):
        own &= seeds[key] == row[key]
    return seeds[own]


def finding_label(row: Row) -> str:
    """In whom and where, and in which group of cells."""
    group = "" if row["group"] == "all cells" else f": {row['group']}"
    if row["kind"] == "transfer":
        return f"{row['tuned_on']} → {row['listener']}, {row['target']}{group}"
    return f"{row['listener']}, {row['target']}{group}"


def layer_label(row: Row) -> str:
    """Which line a gain by hidden state belongs to."""
    group = "" if row["group"] == "all cells" else f"{row['group']}, "
    return f"{group}{row['target']} of {row['listener']}"
