"""Figures of a study: a dot a seed, the interval over test stories, the untuned model; and gains by hidden state."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainwavlm.reporting.style import (
    FAINT,
    FROZEN,
    GROUPS,
    INK,
    MUTED,
    TUNED,
    Picture,
    heading,
    new_figure,
    quiet,
    shortened,
)
from brainwavlm.reporting.wording import number, signed

MOST_LINES = 24
_WIDTH, _LABELS, _LINE = 8.6, 4.1, 0.3  # inches
Row = Mapping[str, Any]


def seed_dots(rows: Sequence[Row], dots: Sequence[Sequence[float]], title: str, simulated: bool) -> Figure:
    """One line a finding: tuned r of each seed, their mean with its interval, and the untuned model.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of the table of claims of kind `gain` or `transfer`, with a `label`.
    dots : sequence of sequences of float
        Tuned r, one a seed, for each row.
    title : str
    simulated : bool
    """
    height = 1.05 + _LINE * len(rows)
    figure = new_figure(_WIDTH, height)
    axes = figure.add_axes(
        (_LABELS / _WIDTH, 0.45 / height, 1 - (_LABELS + 0.25) / _WIDTH, 1 - 1.02 / height)
    )
    for place, (row, values) in enumerate(zip(rows, dots, strict=True)):
        frozen = row["r_frozen"]
        axes.plot([frozen, frozen], [place - 0.36, place + 0.36], color=FROZEN, linewidth=2, zorder=2)
        if math.isfinite(row["low"]) and math.isfinite(row["high"]):
            # The interval is that of the gain: it stands where the untuned model plus the gain would be.
            axes.plot(
                [frozen + row["low"], frozen + row["high"]],
                [place, place],
                color=TUNED,
                linewidth=2.2,
                zorder=3,
            )
        axes.plot([row["r_tuned"]], [place], marker="D", markersize=5, color=TUNED, zorder=4)
        axes.scatter(
            values, [place] * len(values), s=15, facecolor="white", edgecolor=INK, linewidth=0.7, zorder=5
        )
    axes.set_yticks(range(len(rows)), [shortened(str(row["label"]), 76) for row in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("mean test correlation r")
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.04)
    quiet(axes)
    axes.tick_params(axis="y", labelsize=7)
    key = "grey bar: untuned   diamond: tuned, mean over seeds, 95 % interval over test stories   circle: one seed"
    figure.text(0.08 / _WIDTH, 1 - 0.36 / height, key, va="top", fontsize=7.5, color=MUTED)
    heading(figure, title, simulated)
    return figure


def layer_curves(rows: Sequence[Row], title: str, simulated: bool) -> Figure:
    """Gain by hidden state, a line a target (and group), with its interval over test stories as a band.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of the table of claims of kind `layer`, with a `label`: what a line stands for.
    title : str
    simulated : bool
    """
    figure = new_figure(_WIDTH, 3.7)
    axes = figure.add_axes((0.09, 0.14, 0.62, 0.72))
    labels = list(dict.fromkeys(str(row["label"]) for row in rows))
    for place, label in enumerate(labels):
        own = sorted((row for row in rows if row["label"] == label), key=lambda row: row["layer"])
        states, gains = [row["layer"] for row in own], [row["estimate"] for row in own]
        colour = GROUPS[place % len(GROUPS)]
        style = "-" if place < len(GROUPS) else "--"
        axes.plot(states, gains, style, color=colour, linewidth=1.5, marker="o", markersize=3.5, label=label)
        axes.fill_between(
            states,
            [row["low"] for row in own],
            [row["high"] for row in own],
            color=colour,
            alpha=0.12,
            linewidth=0,
        )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(
        xlabel="hidden state (0: input of the first block)", ylabel="gain in mean test r (tuned − untuned)"
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    quiet(axes)
    legend = axes.legend(
        loc="upper left", bbox_to_anchor=(1.02, 1.0), fontsize=7.5, frameon=False, borderaxespad=0
    )
    for text in legend.get_texts():
        text.set(color=INK, parse_math=False, text=shortened(text.get_text(), 34))
    heading(figure, title, simulated)
    return figure


def study_pictures(
    name: str, headlines: Sequence[Row], rows: Sequence[Row], seeds: pd.DataFrame, simulated: bool
) -> list[Picture]:
    """Dots of the headline gains, and curves over hidden states where there are some."""
    pictures: list[Picture] = []
    lines = [row for row in headlines if row["kind"] in ("gain", "transfer") and row["r_tuned"] is not None]
    for start in range(0, len(lines), MOST_LINES):
        some = [_numbers(row) | {"label": _line_label(row)} for row in lines[start : start + MOST_LINES]]
        dots = [_dots(row, seeds) for row in some]
        figure = seed_dots(some, dots, name, simulated)
        said = "; ".join(
            f"{row['label']}: untuned {number(row['r_frozen'])}, tuned {number(row['r_tuned'])}"
            for row in some
        )
        pictures.append((figure, f"Dot plot of {name}, one line a finding, mean test correlation. {said}."))
    layers = [_numbers(row) for row in rows if row["kind"] == "layer"]
    if layers:
        for row in layers:
            group = "" if row["group"] == "all cells" else f"{row['group']}, "
            row["label"] = f"{group}{row['target']} of {row['listener']}"
        ends = [max(some["layer"] for some in layers), min(some["layer"] for some in layers)]
        said = "; ".join(
            f"{row['label']}, state {row['layer']:.0f}: {signed(row['estimate'])}"
            for row in layers
            if row["layer"] in ends
        )
        figure = layer_curves(layers, f"{name}: gain by hidden state", simulated)
        pictures.append((figure, f"Curves of {name}: gain in test correlation by hidden state. {said}."))
    return pictures


def _numbers(row: Row) -> dict[str, Any]:
    return {
        **row,
        **{key: float("nan") if row[key] is None else row[key] for key in ("low", "high", "estimate")},
    }


def _dots(row: Row, seeds: pd.DataFrame) -> list[float]:
    own = seeds["kind"] == row["kind"]
    for key in ("group", "tuned_on", "listener", "target", "stories"):
        own &= seeds[key] == row[key]
    return seeds.loc[own, "r_tuned"].tolist()


def _line_label(row: Row) -> str:
    group = "" if row["group"] == "all cells" else f": {row['group']}"
    if row["kind"] == "transfer":
        return f"{row['tuned_on']} → {row['listener']}, {row['target']}{group}"
    return f"{row['listener']}, {row['target']}{group}"
