"""Transfer: who tuned by who is scored, how much of a subject's data it takes; as tables, and drawn by matplotlib."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.formatting.numbers import signed
from brainwavlm.reporting.figures.findings import claim_rows
from brainwavlm.reporting.figures.folders import Choice, Place, Shown, chosen_names, main_target, paths_of
from brainwavlm.reporting.figures.lines import draw_panel, legend, line_of, lines_of, small, thin
from brainwavlm.reporting.figures.style import Canvas, shortened
from brainwavlm.reporting.surface_maps import difference_scale

_CELL = ("run", "tuned_on", "scored_on", "stories", "target")
_SCORES = ("r_frozen", "r_tuned", "difference", "low", "high")
_CURVE = ("run", "tuned_on", "scored_on", "target", "asked", "draw", "minutes", "r_frozen", "r_tuned")
_BOTH = 14  # letters that a gain and its interval need
_WIDE = 5.0  # inches; from here on the curve stands beside the matrix


def matrix_table(matrix: pd.DataFrame) -> pd.DataFrame:
    """run, label, tuned_on, scored_on, stories, target, r_frozen, r_tuned, difference, low, high of a `Transfer`.

    The rows of stories that tuning did not use, where there are some of a run and subject, else those of all. `label`
    says who a run was tuned on; with its seed, or its name, where that tells no rows apart.
    """
    unheard = matrix["stories"] == "unheard"
    cell = [matrix[key] for key in ("run", "tuned_on", "scored_on", "target")]
    fair = matrix[unheard | ~unheard.groupby(cell).transform("any")].reset_index(drop=True)
    labels = _labels(fair)
    return fair.assign(label=[labels[row] for row in zip(fair["run"], fair["tuned_on"], strict=True)])


def minutes_table(curve: pd.DataFrame, target: str, matrix: pd.DataFrame | None = None) -> pd.DataFrame:
    """part, label, run, tuned_on, scored_on, target, asked, draw, minutes, r_frozen, r_tuned: a `Transfer`'s curve.

    Rows of part `draw` are draws of stories; of part `mean` their means, a row an amount that was asked for. The labels
    of a `matrix_table` name the runs.
    """
    line = ["run", "tuned_on", "scored_on"]
    labels = {} if matrix is None else _labels(matrix)
    draws = curve[curve["target"] == target].reset_index(drop=True)
    names = [
        f"{labels.get((run, tuned_on), run)} in {who}"
        for run, tuned_on, who in draws[line].itertuples(index=False)
    ]
    draws = draws.assign(part="draw", label=names)
    amounts = draws.groupby(["label", *line, "target", "asked"], dropna=False, sort=False)
    means = amounts[["minutes", "r_frozen", "r_tuned"]].mean().reset_index().assign(part="mean")
    return pd.concat([draws, means.sort_values("minutes", kind="stable")], ignore_index=True)


def _labels(matrix: pd.DataFrame) -> dict[tuple[str, str], str]:
    """By run and who it was tuned on."""
    rows = matrix.drop_duplicates(["run", "tuned_on"]).to_dict("records")
    options = [[row["tuned_on"] for row in rows]]
    if "seed" in matrix:
        options.append([f"{row['tuned_on']}, seed {row['seed']}" for row in rows])
    options.append([f"{row['tuned_on']} ({row['run']})" for row in rows])
    labels = next((some for some in options if len(set(some)) == len(rows)), options[-1])
    return {(row["run"], row["tuned_on"]): label for row, label in zip(rows, labels, strict=True)}


def transfer(places: Sequence[Place], choice: Choice) -> Shown:
    """Rows of part `matrix`; and of parts `draw` and `mean`, the learning curve over minutes where there is one."""
    matrices, curves, simulated = [], [], False
    for place in places:
        if place.made == "study":
            matrix, is_simulated = _study_matrix(place, choice)
        else:
            result, is_simulated = place.result, place.result.simulated
            matrix = result.matrix[[*_CELL, *_SCORES, *(["seed"] if "seed" in result.matrix else [])]]
            curves.append(result.curve)
        matrices.append(matrix)
        simulated |= is_simulated
    matrix = pd.concat(matrices, ignore_index=True)
    twice = matrix[matrix.duplicated(list(_CELL))]
    for run, who in zip(twice["run"], twice["scored_on"], strict=True):
        found = f"run {run} in {who} more than once."
        raise RunError(paths_of(places), found, "each once.", "Draw them one by one.")
    names = list(dict.fromkeys(matrix["target"]))
    targets = chosen_names("target", choice.target or [main_target(names)], names)
    if len(targets) > 1:
        raise ConfigError("target", f"{len(targets)} targets.", "one a matrix.", "Draw one figure for each.")
    runs = chosen_names("run", choice.run, matrix["run"].tolist())
    matrix = matrix_table(matrix[(matrix["target"] == targets[0]) & matrix["run"].isin(runs)])
    tables = [matrix.assign(part="matrix")]
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()
    if len(curve):
        columns = [key for key in _CURVE if key in curve]
        tables.append(minutes_table(curve.loc[curve["run"].isin(runs), columns], targets[0], matrix))
    values = pd.concat(tables, ignore_index=True)
    values = values.astype({key: "Int64" for key in ("seed", "draw") if key in values})
    return Shown(values[["part", *values.columns.drop("part")]], simulated, partial(draw_transfer, values))


def _study_matrix(place: Place, choice: Choice) -> tuple[pd.DataFrame, bool]:
    """Means over seeds as a matrix, and whether any is simulated: a group of cells takes the place of a run."""
    needed = "transfer: {} in an experiment"
    others = claim_rows(place, choice, ("transfer",), needed)
    # And of the same experiments the gains in those that tuned: the diagonal.
    same = choice.model_copy(update={"experiment": tuple(others["experiment"].unique())})
    gains = claim_rows(place, same, ("gain",), needed)
    # Other listeners are scored voxel by voxel alone.
    rows = pd.concat([gains[gains["readout"] == "voxelwise"], others], ignore_index=True)
    several = rows["experiment"].nunique() > 1
    runs = rows["experiment"] + ": " + rows["group"] if several else rows["group"]
    cells = rows.assign(run=runs).rename(columns={"listener": "scored_on", "estimate": "difference"})
    cells = cells[cells["difference"].notna()][[*_CELL, *_SCORES]]
    return cells.astype(dict.fromkeys(_SCORES, float)), bool(rows["simulated"].any())


def draw_transfer(table: pd.DataFrame, canvas: Canvas) -> Figure:
    """The matrix of gains, and test r by minutes of the subject's data where the table has rows of `minutes_table`."""
    matrix, minutes = table[table["part"] == "matrix"], table[table["part"] != "matrix"]
    lines = minutes["label"].nunique()
    tall = 0.75 + 0.42 * matrix["label"].nunique()
    beside = canvas.width >= _WIDE and lines > 0
    below = tall + (lines > 0) * (2.0 + 0.26 * lines)
    figure = canvas.figure(max(tall, 2.4 + 0.13 * lines) if beside else below)
    if beside:
        first, second = figure.subplots(1, 2)
    elif lines:
        first, second = figure.subplots(2, 1, gridspec_kw={"height_ratios": [tall, 2.4]})
    else:
        first, second = figure.subplots(), None
    _draw_matrix(figure, first, matrix, canvas)
    if second is not None:
        _draw_minutes(second, minutes, canvas)
        legend(figure, canvas)
    return figure


def _draw_matrix(figure: Figure, axes: Axes, matrix: pd.DataFrame, canvas: Canvas) -> None:
    labels, subjects = list(matrix["label"].unique()), list(matrix["scored_on"].unique())
    wide = matrix.pivot(index="label", columns="scored_on", values="difference")
    gains = wide.loc[labels, subjects].to_numpy(float)
    scale = difference_scale([gains], "gain in test r", canvas.colours["difference"])
    about: dict[str, Any] = {"cmap": scale.colours, "vmin": scale.low, "vmax": scale.high}
    cells = axes.pcolormesh(gains, edgecolors="white", gid="cells", **about)
    axes.set_facecolor(rcParams["grid.color"])
    room = canvas.letters(0.3 if canvas.width >= _WIDE else 0.55) // len(subjects)
    axes.set_xticks([n + 0.5 for n in range(len(subjects))], [shortened(name, room) for name in subjects])
    names = [shortened(label, canvas.letters(0.28)) for label in labels]
    axes.set_yticks([n + 0.5 for n in range(len(labels))], names)
    axes.set(xlabel="scored on", ylabel="tuned on")
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(cells, ax=axes, fraction=0.06, pad=0.03)
    bar.outline.set_visible(False)
    bar.set_ticks([scale.low, 0, scale.high], labels=[signed(scale.low, 2), "0", signed(scale.high, 2)])
    bar.set_label(scale.label, fontsize=small())
    # The gain with its interval in each cell, or the gain alone, or nothing, as there is room.
    for row in matrix.to_dict("records"):
        x, y = subjects.index(row["scored_on"]), labels.index(row["label"])
        shade = row["difference"] if np.isfinite(row["difference"]) else 0.0
        light = np.array(cells.to_rgba(np.array(shade)))[:3] ** 2.2 @ [0.2126, 0.7152, 0.0722]
        ink = "black" if light > 0.18 else "white"  # equal contrast of both
        gain = signed(row["difference"])
        both = f"{gain}\n{signed(row['low'])} to {signed(row['high'])}" if row["high"] > row["low"] else gain
        words = both if room >= _BOTH else gain if room >= len(gain) else ""
        text: dict[str, Any] = {"ha": "center", "va": "center", "color": ink, "fontsize": small()}
        axes.text(x + 0.5, y + 0.5, words, gid=f"gain:{y}:{x}", in_layout=False, **text)


def _draw_minutes(axes: Axes, minutes: pd.DataFrame, canvas: Canvas) -> None:
    lines, labels = lines_of(minutes[minutes["part"] == "mean"]), list(dict.fromkeys(minutes["label"]))
    draw_panel(axes, lines, labels, canvas)
    axes.set(xlabel=lines.x, ylabel=lines.table["panel"].iloc[0])
    draws = minutes[minutes["part"] == "draw"]
    for (label, column), dots in lines_of(draws).table.groupby(["label", "column"], sort=False):
        number = labels.index(label)
        colour = line_of(number)["color"] if len(labels) > 1 else canvas.colours["tuned"]
        face = "white" if column == "r_frozen" else colour
        about: dict[str, Any] = {"facecolor": face, "edgecolor": colour, "linewidth": thin()}
        about |= {"s": (0.7 * rcParams["lines.markersize"]) ** 2, "gid": f"draws:{column}:{number}"}
        axes.scatter(dots["x"], dots["value"], **about)
