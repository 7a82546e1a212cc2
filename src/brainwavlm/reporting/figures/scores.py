"""Scores of voxels and targets: a scatter, a histogram, bars, a table for LaTeX; as tidy tables, and drawn."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.folders import (
    Choice,
    Place,
    Shown,
    any_simulated,
    chosen_names,
    one_name,
    scored_runs,
)
from brainwavlm.reporting.figures.lines import thin, whole_numbers
from brainwavlm.reporting.figures.style import Canvas, shortened
from brainwavlm.reporting.page.tables import headed, texts
from brainwavlm.results.run_voxels import MOST_GROUPS, REMAINDER, RunVoxels
from brainwavlm.results.schemas import AGAIN

_BINS = 60
_NARROWEST = 2.2  # inches of a panel
_TALL, _TALLEST = 0.95, 4.0  # height by width, and in inches
_MOST_BARS = 30


def scatter_table(scores: RunVoxels, run: str, label: str, targets: Sequence[str] = ()) -> pd.DataFrame:
    """run, label, voxel, group, r_frozen, r_tuned: a row a voxel with both scores.

    A group is the smallest of these targets that holds the voxel; no targets: its region, as `RunVoxels.groups` has it.
    """
    group = np.full(len(scores.voxel), "", dtype=object)
    for name, members in (scores.disjoint(targets) if targets else scores.groups()).items():
        group[members] = name
    columns = {"voxel": scores.voxel, "group": group, "r_frozen": scores.frozen, "r_tuned": scores.tuned}
    return pd.DataFrame({"run": run, "label": label, **columns}).dropna(ignore_index=True)


def histogram_table(scores: RunVoxels, run: str, target: str = "") -> pd.DataFrame:
    """run, target, from, to, voxels, gained, unchanged: how many voxels changed by how much, in bins of equal width.

    One edge is zero, so that no bin holds gains and losses alike: `gained` is true from there on; `unchanged` counts
    the voxels of a bin whose change is exactly zero.
    """
    members = scores.masks[target] if target else slice(None)
    difference = (scores.tuned - scores.frozen)[members]
    difference = difference[np.isfinite(difference)]
    if not difference.size:
        return pd.DataFrame(columns=["run", "target", "from", "to", "voxels", "gained", "unchanged"])
    step = max(float(np.ptp(difference)) / _BINS, 1e-6)
    first, last = np.floor(difference.min() / step), np.ceil(difference.max() / step)
    places = np.arange(first, max(last, first + 1) + 1)
    counts, edges = np.histogram(difference, bins=step * places)
    bins = {"from": edges[:-1], "to": edges[1:], "voxels": counts, "gained": places[:-1] >= 0}
    bins["unchanged"] = (places[:-1] == 0) * (difference == 0).sum()
    return pd.DataFrame({"run": run, "target": target or "all voxels", **bins})


def bars_table(scores: RunVoxels, run: str, label: str, regions: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """run, label, name, r_frozen, r_tuned: a row a voxel where there are few, else a target.

    A voxel has the name of the region that it alone is (recordings averaged over regions have a column each), else its
    number; `regions` are bool arrays over the columns of the responses.
    """
    if len(scores.voxel) <= _MOST_BARS:
        names = {int(np.flatnonzero(mask)[0]): name for name, mask in regions.items() if mask.sum() == 1}
        rows = [names.get(int(voxel), f"voxel {voxel}") for voxel in scores.voxel]
        frozen, tuned = scores.frozen, scores.tuned
    else:
        rows = list(scores.masks)[:_MOST_BARS]
        members = [scores.masks[name] for name in rows]
        frozen, tuned = (
            np.array([pd.Series(values[mask]).mean() for mask in members])
            for values in (scores.frozen, scores.tuned)
        )
    return pd.DataFrame({"run": run, "label": label, "name": rows, "r_frozen": frozen, "r_tuned": tuned})


def scatter(places: Sequence[Place], choice: Choice) -> Shown:
    """Tuned against frozen of every voxel with both."""
    runs = scored_runs(places, choice)
    tables = []
    for run in runs:
        targets = chosen_names("target", choice.target, run.voxels.masks) if choice.target else []
        if len(targets) > MOST_GROUPS:
            most = f"up to {MOST_GROUPS} colours."
            raise ConfigError("target", f"{len(targets)} targets.", most, "Name fewer.")
        tables.append(scatter_table(run.voxels, run.name, capitalised(run.label), targets))
    table = pd.concat(tables, ignore_index=True)
    if table.empty:
        raise RunError(runs[0].results.voxels_path, "no voxel with both scores.", "some.", AGAIN)
    return Shown(table, any_simulated(runs), partial(draw_scatter, table))


def histogram(places: Sequence[Place], choice: Choice) -> Shown:
    """Voxels by change in one run."""
    runs = scored_runs(places, choice)
    one_name("run", (), [run.name for run in runs])
    (run,) = runs
    names = chosen_names("target", choice.target, list(run.voxels.masks)) if choice.target else [""]
    table = histogram_table(run.voxels, run.name, names[0])
    if table.empty:
        raise RunError(run.results.voxels_path, "no voxel with both scores.", "some.", AGAIN)
    values = table.drop(columns=["gained", "unchanged"])
    return Shown(values, any_simulated(runs), partial(draw_histogram, table))


def draw_scatter(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """One dot a voxel; above the diagonal, tuning helped. Axes of their own for each run, in the same range."""
    runs = list(table.groupby(["run", "label"], sort=False))
    tall = min(_TALL * canvas.width / min(len(runs), max(int(canvas.width / _NARROWEST), 1)), _TALLEST)
    figure, grid, room = canvas.panels(len(runs), _NARROWEST, tall, 0.3 * (len(runs) > 1))
    ends = table[["r_frozen", "r_tuned"]].to_numpy()
    margin = 0.04 * max(float(np.ptp(ends)), 0.05)
    limits = (float(ends.min()) - margin, float(ends.max()) + margin)
    sizes = table["group"].value_counts(ascending=True)
    names = [name for name in sizes.index if name != REMAINDER]
    colours = {name: f"C{place}" for place, name in enumerate(names)} | {REMAINDER: canvas.colours["other"]}
    colours = {name: colour for name, colour in colours.items() if name in sizes.index}
    for number, (axes, ((_, label), voxels)) in enumerate(zip(grid, runs, strict=True)):
        grey = rcParams["axes.labelcolor"]
        axes.plot(limits, limits, "-", color=grey, linewidth=thin(), zorder=3, gid=f"diagonal:{number}")
        square_pt = float(np.clip(4000 / len(voxels), 4, 40)) * (rcParams["lines.markersize"] / 4) ** 2
        for name, colour in colours.items():
            dots = voxels[voxels["group"] == name]
            about: dict[str, Any] = {"label": f"{name} ({len(dots):,})", "gid": f"voxels:{number}:{name}"}
            about |= {"zorder": 1 if name == REMAINDER else 2, "alpha": 0.55, "linewidths": 0}
            if len(dots):
                axes.scatter(dots["r_frozen"], dots["r_tuned"], s=square_pt, color=colour, **about)
        axes.set(xlim=limits, ylim=limits, xlabel="frozen model, test r", ylabel="tuned model, test r")
        axes.set_aspect("equal")
        if len(runs) > 1:
            axes.set_title(shortened(str(label), room))
        else:
            legend = axes.legend(loc="upper left", handletextpad=0.2, markerscale=(20 / square_pt) ** 0.5)
            for handle in filter(None, legend.legend_handles):
                handle.set(alpha=1)
    if len(runs) > 1:
        dots = [Line2D([], [], color=one, marker="o", linestyle="", markersize=4) for one in colours.values()]
        figure.legend(dots, list(colours), loc="outside lower left", ncols=4)
    return figure


def draw_histogram(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """How many voxels gained and how many lost."""
    figure = canvas.figure(min(_TALL * canvas.width, _TALLEST))
    axes = figure.subplots()
    gained = table["gained"].to_numpy(bool)
    up, down = (canvas.colours[name] for name in ("gained", "lost"))
    bars: dict[str, Any] = {"width": table["to"] - table["from"], "color": np.where(gained, up, down)}
    axes.bar(table["from"], table["voxels"], align="edge", **bars)
    axes.axvline(0, color=rcParams["text.color"], linewidth=thin())
    axes.set_ylim(0, table["voxels"].max() * 1.05)
    n_voxels = table["voxels"].sum()
    better = (table["voxels"] - table["unchanged"])[gained].sum() / n_voxels
    worse = table["voxels"][~gained].sum() / n_voxels
    above: dict[str, Any] = {"transform": axes.transAxes, "va": "bottom"}
    axes.text(1.0, 1.01, f"{better:.0%} of voxels up", ha="right", color=up, **above)
    axes.text(0.0, 1.01, f"{worse:.0%} down", ha="left", color=down, **above)
    axes.set(xlabel="difference in test r (tuned − frozen)", ylabel="voxels")
    axes.yaxis.set_major_locator(whole_numbers(5))
    return figure


_TUNED = ["n_voxels", "r_frozen", "r_tuned", "difference", "low", "high"]
_UNTUNED = ["n_voxels", "r_frozen", "low_frozen", "high_frozen"]
_UNTUNED += ["shared_frozen", "shared_low_frozen", "shared_high_frozen"]
_SHORTER = {"Difference": "Change", "Frozen 95 %": "95 % interval", "Shared map 95 %": "Its 95 % interval"}
_SPECIAL = str.maketrans(
    {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "−": "$-$"}
)


def table(places: Sequence[Place], choice: Choice) -> Shown:
    """Mean test r of both models by target, with the paired difference and its interval.

    Of a model that was not tuned its mean under both readouts, with intervals.
    """
    runs = scored_runs(places, choice)
    tables = [
        pd.DataFrame(run.results.rows_of(run.name)).assign(label=capitalised(run.label)) for run in runs
    ]
    targets = chosen_names("target", choice.target, pd.concat(tables)["target"])
    rows = [table[table["target"] == target] for table in tables for target in targets]
    numbers = _TUNED if runs[0].results.tuned else _UNTUNED
    values = pd.concat(rows, ignore_index=True)[["run", "label", "target", *numbers]]
    simulated = any_simulated(runs)
    return Shown(values, simulated, tex=latex(values, choice.title, simulated))


def latex(table: pd.DataFrame, title: str, simulated: bool) -> str:
    """The table for LaTeX with booktabs, title and the word SIMULATED as its caption."""
    first = {"Run": table["label"].mask(table["run"].duplicated(), ""), "Target": table["target"]}
    columns = ["r_frozen", "r_tuned", "difference", "interval"]
    if "r_tuned" not in table:
        columns = ["r_frozen", "interval_frozen", "shared_frozen", "shared_interval_frozen"]
    shown = texts(headed(table, first, "n_voxels", *columns)).rename(columns=_SHORTER)
    if table["run"].nunique() == 1:
        shown = shown.drop(columns="Run")
    caption = ". ".join(part for part in (title, "SIMULATED responses" if simulated else "") if part)
    styler = shown.style.hide(axis="index").format(escaped).format_index(escaped, axis=1)
    body = styler.to_latex(
        hrules=True,
        column_format="l" * (shown.shape[1] - 5) + "r" * 5,
        caption=escaped(caption) or None,
        position_float="centering" if caption else None,
    )
    return f"% \\usepackage{{booktabs}}\n{body}"


def escaped(text: object) -> str:
    """Text that LaTeX prints as it is."""
    return str(text).translate(_SPECIAL)
