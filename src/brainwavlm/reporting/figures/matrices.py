"""The matrix of gains by listener, and scores by minutes of data."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from brainwavlm.formatting.numbers import signed
from brainwavlm.reporting.figures.canvas import Canvas, legend_below, quiet
from brainwavlm.reporting.figures.style import Style, shortened
from brainwavlm.reporting.surface_maps import Scale, difference_scale

_WIDE = 5.0  # inches; from here on the curve stands beside the matrix


def transfer_figure(
    matrix: pd.DataFrame, curve: pd.DataFrame, title: str, simulated: bool, canvas: Canvas
) -> Figure:
    """The matrix of gains, and test r by minutes of the listener's data.

    Parameters
    ----------
    matrix : DataFrame
        Of one target: run, tuned_on, scored_on, difference, low, high; one row a run and listener.
    curve : DataFrame
        run, scored_on, asked, minutes, r_frozen, r_tuned; empty: no curve.
    title : str
    simulated : bool
    canvas : Canvas
    """
    rows = list(dict.fromkeys(zip(matrix["tuned_on"], matrix["run"], strict=True)))
    labels = _row_labels(matrix, rows)
    listeners = list(dict.fromkeys(matrix["scored_on"]))
    beside = canvas.width >= _WIDE and len(curve) > 0
    tall = 0.75 + 0.42 * len(rows)
    lines = len(curve.groupby(["run", "scored_on"])) if len(curve) else 0
    height = max(tall, 2.4 + 0.13 * lines) if beside else tall + (len(curve) > 0) * (2.0 + 0.26 * lines)
    figure = canvas.figure(height, title, simulated)
    if not len(curve):
        axes = figure.subplots()
        _draw_matrix(figure, axes, matrix, rows, listeners, labels, canvas)
        _write_gains(figure, axes, matrix, rows, listeners, canvas)
        return figure
    if beside:
        first, second = figure.subplots(1, 2)
    else:
        first, second = figure.subplots(2, 1, gridspec_kw={"height_ratios": [tall, 2.4]})
    _draw_matrix(figure, first, matrix, rows, listeners, labels, canvas)
    _draw_amounts(second, curve, dict(zip((run for _, run in rows), labels, strict=True)), canvas)
    legend_below(figure, second, canvas)
    _write_gains(figure, first, matrix, rows, listeners, canvas)
    return figure


def _draw_matrix(
    figure: Figure,
    axes: Axes,
    matrix: pd.DataFrame,
    rows: Sequence[tuple[str, str]],
    listeners: Sequence[str],
    labels: Sequence[str],
    canvas: Canvas,
) -> None:
    style, colours = canvas.style, canvas.style.colours
    scale = difference_scale([matrix["difference"].to_numpy()], "", style)
    for row in matrix.to_dict("records"):
        x, y = listeners.index(row["scored_on"]), rows.index((row["tuned_on"], row["run"]))
        colour = _colour(row["difference"], scale, style)
        axes.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", gid=f"cell:{y}:{x}")
        )
    room = canvas.letters(0.3 if canvas.width >= _WIDE else 0.55) // len(listeners)
    axes.set_xticks(
        range(len(listeners)),
        [shortened(name, room) for name in listeners],
        parse_math=False,
    )
    axes.set_yticks(
        range(len(rows)), [shortened(name, canvas.letters(0.28)) for name in labels], parse_math=False
    )
    axes.set(xlim=(-0.5, len(listeners) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    axes.set(xlabel="scored on", ylabel="tuned on")
    quiet(axes, style)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(
        ScalarMappable(Normalize(scale.low, scale.high), scale.colours), ax=axes, fraction=0.06, pad=0.03
    )
    bar.outline.set_visible(False)
    bar.set_ticks([scale.low, 0, scale.high], labels=[signed(scale.low, 2), "0", signed(scale.high, 2)])
    bar.ax.tick_params(length=2, width=style.thin, labelsize=style.small, colors=colours.muted)
    bar.set_label("gain in test r", fontsize=style.small, color=colours.muted)


def _write_gains(
    figure: Figure,
    axes: Axes,
    matrix: pd.DataFrame,
    rows: Sequence[tuple[str, str]],
    listeners: Sequence[str],
    canvas: Canvas,
) -> None:
    """The gain with its interval in each cell, or the gain alone, or nothing: as the laid out cells have room."""
    figure.draw_without_rendering()
    style, box = canvas.style, axes.get_window_extent()
    wide, tall = 0.94 * box.width / len(listeners), 0.94 * box.height / len(rows)
    scale = difference_scale([matrix["difference"].to_numpy()], "", style)
    for row in matrix.to_dict("records"):
        x, y = listeners.index(row["scored_on"]), rows.index((row["tuned_on"], row["run"]))
        colour = _colour(row["difference"], scale, style)
        said = signed(row["difference"])
        span = f"{said}\n{signed(row['low'])} to {signed(row['high'])}" if row["high"] > row["low"] else said
        text = axes.text(
            x,
            y,
            "",
            ha="center",
            va="center",
            fontsize=style.small,
            color=ink_on(colour),
            gid=f"gain:{y}:{x}",
        )
        text.set_in_layout(False)
        for words in (span, said, ""):
            text.set_text(words)
            there = text.get_window_extent()
            if there.width <= wide and there.height <= tall:
                break


def _colour(difference: float, scale: Scale, style: Style) -> tuple[float, float, float]:
    """Red, green and blue of a cell; faint where there is no number."""
    if not np.isfinite(difference):
        return to_rgb(style.colours.faint)
    return to_rgb(matplotlib.colormaps[scale.colours](Normalize(scale.low, scale.high)(difference)))


def _row_labels(matrix: pd.DataFrame, rows: Sequence[tuple[str, str]]) -> list[str]:
    """Who each row was tuned on; with the seed, or the run's name, where that does not tell rows apart."""
    seeds = dict(zip(matrix["run"], matrix["seed"], strict=True)) if "seed" in matrix else {}
    for labels in (
        [who for who, _ in rows],
        [f"{who}, seed {seeds.get(run, '')}" for who, run in rows],
    ):
        if len(set(labels)) == len(rows):
            return labels
    return [f"{who} ({run})" for who, run in rows]


def _draw_amounts(axes: Axes, curve: pd.DataFrame, labels: Mapping[str, str], canvas: Canvas) -> None:
    style, colours = canvas.style, canvas.style.colours
    for number, ((run, who), own) in enumerate(curve.groupby(["run", "scored_on"], sort=False)):
        means = own.groupby("asked", dropna=False)[["minutes", "r_frozen", "r_tuned"]].mean()
        means = means.sort_values("minutes")
        for key, line in (("r_frozen", ":"), ("r_tuned", "-")):
            axes.plot(
                means["minutes"],
                means[key],
                line,
                color=colours.group(number),
                linewidth=style.line,
                label=f"{labels[str(run)]} in {who}" if key == "r_tuned" else None,
                gid=f"{key}:{number}",
            )
        for key, face in (("r_frozen", "white"), ("r_tuned", colours.group(number))):
            axes.scatter(
                own["minutes"],
                own[key],
                s=(0.7 * style.marker) ** 2,
                facecolor=face,
                edgecolor=colours.group(number),
                linewidth=style.thin,
                gid=f"draws:{key}:{number}",
            )
    axes.plot([], [], ":", color=colours.muted, linewidth=style.line, label="untuned")
    axes.set(xlabel="minutes of the listener's responses", ylabel="test r")
    quiet(axes, style)


def ink_on(colour: Sequence[float]) -> str:
    """Black or white, as reads better on a colour of red, green and blue from 0 to 1."""
    red, green, blue = (float(part) for part in colour)
    light = 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)
    return "#000" if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else "#fff"


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
