"""A line a finding, with its seeds, drawn by matplotlib."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainwavlm.errors import ConfigError
from brainwavlm.reporting.figures.draw import small, thin
from brainwavlm.reporting.figures.style import MILLIMETRES, Canvas, shortened

_PAGE_TALL = 9.4  # inches of a page that a figure can take
_COLUMN = 3.3  # inches that findings need
_KEY = ("untuned", "tuned: mean, 95 % interval of the gain", "one seed")


def findings(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """A line a finding: tuned r of each seed, their mean with the interval of the gain, and the untuned model.

    Raises
    ------
    ConfigError
        More findings than a page has room for.
    """
    names = list(dict.fromkeys(table["label"]))
    columns = 1
    while True:
        letters = canvas.letters(0.45 / columns)
        texts = ["\n".join(textwrap.wrap(shortened(name, 110), letters) or [""]) for name in names]
        # In lines of text: what each finding takes.
        lines = np.array([max(text.count("\n") + 1, 1.6) + 0.4 for text in texts])
        parts = np.array_split(np.arange(len(names)), columns)
        most = max(lines[part].sum() for part in parts)
        keys = 1 if canvas.letters() > len("".join(_KEY)) + 20 else len(_KEY)
        height = 0.85 + (1.3 * most + 1.7 * keys) * small() / 72
        if height <= _PAGE_TALL or canvas.height is not None:
            break
        columns += 1
        if canvas.width / columns < _COLUMN or columns > len(names):
            raise ConfigError(
                "width",
                f"{len(names)} findings, {MILLIMETRES * height:.0f} mm high at this width.",
                f"up to {MILLIMETRES * _PAGE_TALL:.0f} mm, a page.",
                "Name fewer experiments or targets, or choose a larger width, or a height.",
            )
    figure = canvas.figure(height)
    grid = figure.subplots(1, columns, sharex=True, squeeze=False)[0]
    for axes, part in zip(grid, parts, strict=True):
        places = np.cumsum(lines[part]) - lines[part] / 2
        for number, place in zip(part, places, strict=True):
            _finding(axes, table[table["label"] == names[number]], place, int(number), canvas)
        axes.set_yticks(places, [texts[number] for number in part])
        axes.set_ylim(most if columns > 1 else lines.sum(), 0)
        axes.set_xlabel("mean test correlation r")
        axes.grid(axis="x")
        axes.margins(x=0.04)
    figure.legend(_signs(canvas), _KEY, loc="outside lower left", ncols=len(_KEY) if keys == 1 else 1)
    return figure


def _finding(axes: Axes, rows: pd.DataFrame, place: float, number: int, canvas: Canvas) -> None:
    mean, seeds = rows[rows["part"] == "mean"].iloc[0], rows[rows["part"] == "seed"]
    frozen, thick = mean["r_frozen"], 1.4 * rcParams["lines.linewidth"]
    grey, colour = canvas.colours["frozen"], canvas.colours["tuned"]
    ends = [place - 0.7, place + 0.7]
    axes.plot([frozen, frozen], ends, "-", color=grey, linewidth=thick, zorder=2, gid=f"untuned:{number}")
    # The interval is that of the gain: it stands where the untuned model plus the gain would be.
    ends = [frozen + mean["low"], frozen + mean["high"]]
    if np.isfinite(ends).all():
        about = {"linewidth": thick, "zorder": 3, "gid": f"interval:{number}"}
        axes.plot(ends, [place, place], "-", color=colour, **about)
    marker = rcParams["lines.markersize"]
    about = {"markersize": 1.1 * marker, "zorder": 4, "gid": f"mean:{number}"}
    axes.plot([mean["r_tuned"]], [place], "D", color=colour, **about)
    about = {"facecolor": "white", "edgecolor": rcParams["text.color"], "linewidth": thin()}
    dots = seeds["r_tuned"].to_numpy(float)
    axes.scatter(dots, np.full(len(dots), place), s=marker**2, zorder=5, gid=f"seeds:{number}", **about)


def _signs(canvas: Canvas) -> list[Line2D]:
    """What the signs of findings look like, in the order of `_KEY`."""
    width, marker = rcParams["lines.linewidth"], rcParams["lines.markersize"]
    frozen = Line2D([], [], color=canvas.colours["frozen"], marker="|", linestyle="", markersize=8)
    tuned = Line2D([], [], color=canvas.colours["tuned"], marker="D", linewidth=1.4 * width)
    seed = Line2D([], [], color=rcParams["text.color"], marker="o", linestyle="", markerfacecolor="white")
    frozen.set_markeredgewidth(width)
    tuned.set_markersize(1.1 * marker)
    seed.set_markeredgewidth(thin())
    return [frozen, tuned, seed]
