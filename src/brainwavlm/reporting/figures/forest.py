"""A line a name, with dots and their intervals: configurations over their seeds, and how such findings are drawn."""

import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.figures.folders import Choice, Place, Shown, chosen_names, main_target
from brainwavlm.reporting.figures.lines import small
from brainwavlm.reporting.figures.style import MILLIMETRES, Canvas, shortened
from brainwavlm.results.comparison import Comparison

_PAGE_TALL = 9.4  # inches of a page that a figure can take
_COLUMN = 3.3  # inches that findings need
_NUMBERS = ["r_frozen", "r_tuned", "low", "high"]


class Sign(NamedTuple):
    """How a dot looks: its colour, plotly's symbol and pixels, matplotlib's marker and its size beside others."""

    colour: str
    symbol: str
    pixels: int
    marker: str
    size: float


UNTUNED, TUNED, SEED = "untuned", "tuned: mean, 95 % interval of the gain", "one seed"
ALONE, SHARED = "ridge for each voxel", "map that voxels share"
SIGNS = {
    UNTUNED: Sign("frozen", "line-ns-open", 16, "|", 2.3),
    TUNED: Sign("tuned", "diamond", 9, "D", 1.1),
    SEED: Sign("tuned", "circle-open", 8, "o", 1.0),
    ALONE: Sign("tuned", "diamond", 8, "D", 1.0),
    SHARED: Sign("shared", "circle", 8, "o", 1.0),
}


class Forest(NamedTuple):
    """Dots at a line a label: label, sign, value, low, high, seed_low, seed_high (NaN: no interval), text (of a dot).

    `what` is the title of the axis; `is_change`: its zero means that nothing changed, and signs stand apart.
    """

    marks: pd.DataFrame
    what: str
    is_change: bool = False


def seeds_table(comparison: Comparison, targets: Sequence[str]) -> pd.DataFrame:
    """part, label, group, target, run, seed, r_frozen, r_tuned, low, high of a comparison in some targets.

    A row of part `mean` a group and target, with the interval of the gain; of part `seed` a run.
    """
    tables = []
    for part, frame in (
        ("mean", comparison.groups.rename(columns={"mean": "r_tuned"})),
        ("seed", comparison.runs.drop(columns=["low", "high"], errors="ignore")),
    ):
        rows = frame[frame["target"].isin(targets)]
        labels = rows["group"] + (", " + rows["target"] if len(targets) > 1 else "")
        tables.append(rows.assign(part=part, label=labels))
    return means_and_seeds(tables, ["part", "label", "group", "target", "run", "seed", *_NUMBERS])


def seeds(places: Sequence[Place], choice: Choice) -> Shown:
    """Tuned r of every run by configuration."""
    tables, simulated = [], False
    for place in places:
        comparison = place.result
        simulated |= comparison.simulated
        names = list(dict.fromkeys(comparison.groups["target"]))
        targets = chosen_names("target", choice.target or [main_target(names)], names)
        tables.append(seeds_table(comparison, targets))
        missing = tables[-1].query("part == 'mean' and r_tuned.isna()")
        if len(missing):
            path, group = place.path / "groups.csv", missing["group"].iloc[0]
            raise RunError(path, f"no mean of group {group}.", "a number.", "Name another target.")
    table = pd.concat(tables, ignore_index=True)
    values = table.assign(r_frozen=table["r_frozen"].where(table["part"] == "mean"))
    forest, (target, *others) = forest_of(table), dict.fromkeys(table["target"])
    if not others:  # then no line names it
        forest = forest._replace(what=f"{forest.what}, {target}")
    return Shown(values, simulated, partial(draw_forest, forest))


def means_and_seeds(tables: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Means, each with its seeds below it."""
    order = {label: place for place, label in enumerate(dict.fromkeys(tables[0]["label"]))}
    table = pd.concat(tables, ignore_index=True).reindex(columns=columns)
    table = table.sort_values("label", key=lambda label: label.map(order), kind="stable", ignore_index=True)
    return table.astype({**dict.fromkeys(_NUMBERS, float), "seed": "Int64"})


def forest_of(table: pd.DataFrame) -> Forest:
    """Of a table of means and seeds: tuned r with the interval of the gain, each seed, and untuned r."""
    means, seeds = table[table["part"] == "mean"], table[table["part"] == "seed"]
    frozen, sentences = means["r_frozen"], means.get("sentence", means["label"])
    marks = [
        means[["label"]].assign(sign=UNTUNED, value=frozen, text="untuned"),
        # The interval is that of the gain: it stands where the untuned model plus the gain would be.
        means[["label"]].assign(
            sign=TUNED,
            value=means["r_tuned"],
            low=frozen + means["low"],
            high=frozen + means["high"],
            text=sentences,
        ),
        seeds[["label"]].assign(sign=SEED, value=seeds["r_tuned"], text="seed " + seeds["seed"].astype(str)),
    ]
    ends = {"seed_low": np.nan, "seed_high": np.nan}
    return Forest(pd.concat(marks, ignore_index=True).assign(**ends), "mean test correlation r")


def draw_forest(forest: Forest, canvas: Canvas) -> Figure:
    """Intervals over stories thick, those over seeds thin, in columns where the lines do not fit a page.

    ConfigError where there are more lines than a page has room for.
    """
    marks, wide = forest.marks, rcParams["lines.linewidth"]
    looks: dict[str, dict[str, Any]] = {}
    for sign in dict.fromkeys(marks["sign"]):
        colour, _, _, marker, size = SIGNS[sign]
        about: dict[str, Any] = {"color": canvas.colours[colour], "marker": marker}
        about["markersize"] = size * rcParams["lines.markersize"]
        looks[sign] = about | {"markerfacecolor": "white" if sign == SEED else about["color"]}
    figure, spots = _lines(list(dict.fromkeys(marks["label"])), canvas, looks, forest.what)
    offsets = np.linspace(-0.25, 0.25, len(looks)) if forest.is_change else np.zeros(len(looks))
    for number, (label, (axes, place)) in enumerate(spots.items()):
        rows = marks[marks["label"] == label]
        for (sign, look), offset in zip(looks.items(), offsets, strict=True):
            dots = rows[rows["sign"] == sign]
            for kind, thick in (("seed_", wide / 2), ("", 1.4 * wide)):
                for ends in dots[[f"{kind}low", f"{kind}high"]].dropna().to_numpy(float):
                    about = {"linewidth": thick, "gid": f"{kind}interval:{sign}:{number}"}
                    axes.plot(ends, [place + offset] * 2, "-", color=look["color"], **about)
            at = np.full(len(dots), place + offset)
            axes.plot(dots["value"], at, **look, linestyle="", gid=f"{sign}:{number}")
    for one in figure.axes:
        one.margins(x=0.04)
    if forest.is_change:
        # Intervals over few seeds would leave no room for the others: they reach out of the figure.
        ends = np.append(marks[["value", "low", "high"]].to_numpy(float), 0.0)
        low, high = np.nanmin(ends), np.nanmax(ends)
        room = 0.3 * (high - low) or 0.01
        figure.axes[0].set_xlim(low - room, high + room)
        for one in figure.axes:
            one.axvline(0, color=rcParams["axes.edgecolor"], linewidth=wide / 2, zorder=0)
    return figure


def _lines(
    names: Sequence[str], canvas: Canvas, looks: Mapping[str, Mapping[str, Any]], what: str
) -> tuple[Figure, dict[str, tuple[Axes, float]]]:
    """A figure with a line a name, and where each of them is."""
    most_columns = max(min(int(canvas.width / _COLUMN), len(names)), 1)
    for columns in range(1, most_columns + 1):
        letters = canvas.letters(0.45 / columns)
        texts = ["\n".join(textwrap.wrap(shortened(name, 110), letters) or [""]) for name in names]
        # In lines of text: what each finding takes.
        lines = np.array([max(text.count("\n") + 1, 1.6) + 0.4 for text in texts])
        parts = np.array_split(np.arange(len(names)), columns)
        most = max(lines[part].sum() for part in parts)
        n_keys = 1 if canvas.letters() > len("".join(looks)) + 20 else len(looks)
        height = 0.85 + (1.3 * most + 1.7 * n_keys) * small() / 72
        if height <= _PAGE_TALL or canvas.height is not None:
            break
    else:
        found = f"{len(names)} findings, {MILLIMETRES * height:.0f} mm high at this width."
        remedy = "Name fewer experiments or targets, or choose a larger width, or a height."
        raise ConfigError("width", found, f"up to {MILLIMETRES * _PAGE_TALL:.0f} mm, a page.", remedy)
    figure = canvas.figure(height)
    spots: dict[str, tuple[Axes, float]] = {}
    grid = figure.subplots(1, columns, sharex=True, squeeze=False)[0]
    for axes, part in zip(grid, parts, strict=True):
        places = np.cumsum(lines[part]) - lines[part] / 2
        spots |= {names[number]: (axes, place) for number, place in zip(part, places, strict=True)}
        axes.set_yticks(places, [texts[number] for number in part])
        axes.set_ylim(most, 0)
        axes.set_xlabel(what)
        axes.grid(axis="x")
    key = [
        Line2D([], [], **look, linestyle="" if sign in (UNTUNED, SEED) else "-")
        for sign, look in looks.items()
    ]
    figure.legend(key, list(looks), loc="outside lower left", ncols=len(key) // n_keys)
    return figure, spots
