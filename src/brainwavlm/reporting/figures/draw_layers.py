"""Scores and gains by hidden state."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainwavlm.reporting.figures.canvas import Canvas, dashes, legend, legend_below, page_canvas, quiet
from brainwavlm.reporting.figures.style import shortened

_WIDTH = 8.6  # inches on the page
Row = Mapping[str, Any]

_WIDE = 6.0  # from here on legends stand beside the axes


def layer_curves(
    rows: Sequence[Row], title: str, simulated: bool, canvas: Canvas | None = None, score: str = "test r"
) -> Figure:
    """Gain by hidden state, a line a target (and group), with its interval over test stories as a band.

    Parameters
    ----------
    rows : sequence of mapping
        `label` (what a line stands for), `layer`, `estimate`, `low` and `high`. Where all of them have `r_frozen` and
        `r_tuned` too, these stand above: tuned as a line, untuned dotted.
    title : str
    simulated : bool
    canvas : Canvas or None
        None: that of the page.
    score : str
        What is on the axis.
    """
    canvas = canvas or page_canvas(_WIDTH)
    style, colours = canvas.style, canvas.style.colours
    scored = all(row.get("r_frozen") is not None and row.get("r_tuned") is not None for row in rows)
    labels = list(dict.fromkeys(str(row["label"]) for row in rows))
    tall = (0.95 if scored else 0.7) * min(canvas.width, 5.2)
    figure = canvas.figure(tall + (canvas.width < _WIDE) * 0.12 * len(labels), title, simulated)
    axes: list[Axes] = list(figure.subplots(1 + scored, 1, sharex=True, squeeze=False)[:, 0])
    for place, label in enumerate(labels):
        own = sorted((row for row in rows if row["label"] == label), key=lambda row: row["layer"])
        states = [row["layer"] for row in own]
        shared: dict[str, Any] = {
            "color": colours.group(place),
            "linewidth": style.line,
            "marker": "o",
            "markersize": 0.8 * style.marker,
        }
        solid = dashes(place, colours.groups)
        if scored:
            frozen, tuned = ([row[key] for row in own] for key in ("r_frozen", "r_tuned"))
            axes[0].plot(states, frozen, ":", **{**shared, "marker": None}, gid=f"r_frozen:{place}")
            axes[0].plot(states, tuned, solid, **shared, gid=f"r_tuned:{place}")
        gains = [row["estimate"] for row in own]
        axes[-1].plot(states, gains, solid, **shared, label=label, gid=f"gain:{place}")
        axes[-1].fill_between(
            states,
            [row["low"] for row in own],
            [row["high"] for row in own],
            color=colours.group(place),
            alpha=0.15,
            linewidth=0,
            gid=f"interval:{place}",
        )
    axes[-1].axhline(0, color=colours.ink, linewidth=style.thin)
    axes[-1].set(xlabel="hidden state (0: input of the first block)", ylabel=f"gain in {score}")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    if scored:
        axes[0].set_ylabel(score)
        axes[-1].plot([], [], ":", color=colours.muted, linewidth=style.line, label="untuned")
    for some in axes:
        quiet(some, style)
    _legend_of_lines(figure, axes, canvas)
    return figure


def _legend_of_lines(figure: Figure, axes: Sequence[Axes], canvas: Canvas) -> None:
    """Beside the upper axes where there is room, else below the lower ones, which have the names."""
    if canvas.width < _WIDE:
        legend_below(figure, axes[-1], canvas)
        return
    handles, labels = axes[-1].get_legend_handles_labels()
    labels = [shortened(label, 34) for label in labels]
    legend(
        axes[0], canvas.style, handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0
    )
