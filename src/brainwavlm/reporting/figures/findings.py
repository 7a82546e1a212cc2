"""A line a finding: configurations over their seeds, and findings of a study; as tables, and drawn by matplotlib."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.figures.draw_curves import small, thin
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names, main_target
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.reporting.figures.style import MILLIMETRES, Canvas, counted, shortened
from brainwavlm.results.comparison import Comparison

_NUMBERS = ["r_frozen", "r_tuned", "low", "high"]
ABOUT = ["experiment", "group", "tuned_on", "listener", "target", "stories", "readout"]
SHARED = {"shared": ", shared readout"}  # what a label says of the readout
_PAGE_TALL = 9.4  # inches of a page that a figure can take
_COLUMN = 3.3  # inches that findings need
Row = Mapping[str, Any]
Rows = Sequence[Row] | pd.DataFrame


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
    return _sorted(tables, ["part", "label", "group", "target", "run", "seed", *_NUMBERS])


def findings_table(rows: Rows, seeds: pd.DataFrame) -> pd.DataFrame:
    """part, label, experiment, group, tuned_on, listener, target, stories, readout, run, seed, numbers, sentence.

    A row of part `mean` a finding, with r_frozen, r_tuned and the interval of the gain; of part `seed` a cell. A label
    stands for one finding: where two would share one they are counted. `rows` are gains of a study's table of claims,
    `seeds` its table of seeds.
    """
    means = pd.DataFrame(rows)
    means = means[means["r_tuned"].notna()] if len(means) else means
    if means.empty:
        return pd.DataFrame()
    several = means["experiment"].nunique() > 1
    names = [f"{row['experiment']}: " * several + _label(row) for row in means.to_dict("records")]
    means = means.assign(part="mean", label=counted(names))
    cells = means[["label", "kind", *ABOUT]].merge(seeds, on=["kind", *ABOUT])
    cells = cells.rename(columns={"cell": "run"}).assign(part="seed")
    return _sorted([means, cells], ["part", "label", *ABOUT, "run", "seed", *_NUMBERS, "sentence"])


def layer_label(row: Mapping[Any, Any]) -> str:
    """Which line a gain by hidden state belongs to."""
    group = "" if row["group"] == "all cells" else f"{row['group']}, "
    return f"{group}{row['target']} of {row['listener']}{SHARED.get(row['readout'], '')}"


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
    return _forest(tables, simulated)


def claim_rows(place: Place, choice: Choice, kinds: Sequence[str], needed: str) -> pd.DataFrame:
    """Rows of a study's table of claims, of some kinds and of the experiments that were asked for.

    RunError where the study has no such rows, ConfigError where it has no such experiment.
    """
    table = place.result.table
    rows = table[table["kind"].isin(kinds)]
    if rows.empty:
        nothing = f"a study without findings of kind {' or '.join(kinds)}."
        raise RunError(place.path, nothing, f"{needed}.", "See brainwavlm study status.")
    return rows[rows["experiment"].isin(chosen_names("experiment", choice.experiment, rows["experiment"]))]


def _label(row: Mapping[Any, Any]) -> str:
    """In whom and where, and in which group of cells."""
    group = "" if row["group"] == "all cells" else f": {row['group']}"
    who = f"{row['tuned_on']} → " if row["kind"] == "transfer" else ""
    return f"{who}{row['listener']}, {row['target']}{group}{SHARED.get(row['readout'], '')}"


def _sorted(tables: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Means, each with its seeds below it."""
    order = {label: place for place, label in enumerate(dict.fromkeys(tables[0]["label"]))}
    table = pd.concat(tables, ignore_index=True).reindex(columns=columns)
    table = table.sort_values("label", key=lambda label: label.map(order), kind="stable", ignore_index=True)
    return table.astype({**dict.fromkeys(_NUMBERS, float), "seed": "Int64"})


def _forest(tables: Sequence[pd.DataFrame], simulated: bool) -> Shown:
    table = pd.concat(tables, ignore_index=True)
    values = table.assign(r_frozen=table["r_frozen"].where(table["part"] == "mean"))
    return Shown(values, simulated, partial(draw_findings, table))


def draw_findings(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """A line a finding: tuned r of each seed, their mean with the interval of the gain, and the untuned model."""
    names = list(dict.fromkeys(table["label"]))

    def draw(axes: Axes, number: int, place: float) -> None:
        _finding(axes, table[table["label"] == names[number]], place, number, canvas)

    sign, wide, dot = partial(Line2D, [], []), rcParams["lines.linewidth"], rcParams["lines.markersize"]
    grey, colour, ink = canvas.colours["frozen"], canvas.colours["tuned"], rcParams["text.color"]
    mean = sign(color=colour, marker="D", linewidth=1.4 * wide, markersize=1.1 * dot)
    seed = sign(color=ink, marker="o", linestyle="", markerfacecolor="white", markeredgewidth=thin())
    untuned = sign(color=grey, marker="|", linestyle="", markersize=8, markeredgewidth=wide)
    key = {"untuned": untuned, "tuned: mean, 95 % interval of the gain": mean, "one seed": seed}
    return draw_lines(names, canvas, draw, key, "mean test correlation r")


def draw_lines(
    names: Sequence[str],
    canvas: Canvas,
    draw: Callable[[Axes, int, float], None],
    key: Mapping[str, Line2D],
    what: str,
) -> Figure:
    """A line a name, in columns where they do not fit a page; `draw` gets axes, number of the line, and its place.

    ConfigError where there are more lines than a page has room for.
    """
    columns = 1
    while True:
        letters = canvas.letters(0.45 / columns)
        texts = ["\n".join(textwrap.wrap(shortened(name, 110), letters) or [""]) for name in names]
        # In lines of text: what each finding takes.
        lines = np.array([max(text.count("\n") + 1, 1.6) + 0.4 for text in texts])
        parts = np.array_split(np.arange(len(names)), columns)
        most = max(lines[part].sum() for part in parts)
        n_keys = 1 if canvas.letters() > len("".join(key)) + 20 else len(key)
        height = 0.85 + (1.3 * most + 1.7 * n_keys) * small() / 72
        if height <= _PAGE_TALL or canvas.height is not None:
            break
        columns += 1
        if canvas.width / columns < _COLUMN or columns > len(names):
            found = f"{len(names)} findings, {MILLIMETRES * height:.0f} mm high at this width."
            remedy = "Name fewer experiments or targets, or choose a larger width, or a height."
            raise ConfigError("width", found, f"up to {MILLIMETRES * _PAGE_TALL:.0f} mm, a page.", remedy)
    figure = canvas.figure(height)
    grid = figure.subplots(1, columns, sharex=True, squeeze=False)[0]
    for axes, part in zip(grid, parts, strict=True):
        places = np.cumsum(lines[part]) - lines[part] / 2
        for number, place in zip(part, places, strict=True):
            draw(axes, int(number), place)
        axes.set_yticks(places, [texts[number] for number in part])
        axes.set_ylim(most if columns > 1 else lines.sum(), 0)
        axes.set_xlabel(what)
        axes.grid(axis="x")
        axes.margins(x=0.04)
    figure.legend(list(key.values()), list(key), loc="outside lower left", ncols=len(key) // n_keys)
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
