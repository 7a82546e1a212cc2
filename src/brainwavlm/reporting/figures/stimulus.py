"""What of the stimulus hidden states hold, and what of a score it explains: as tables, and drawn by matplotlib."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.probes.tasks import LOW_LEVEL, PLAIN, RANDOM, RESIDUAL, SHUFFLED, UNSEEN
from brainwavlm.reporting.figures.choice import Choice
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names, one_name
from brainwavlm.reporting.figures.lines import legend, thin, whole_numbers
from brainwavlm.reporting.figures.style import Canvas, shortened
from brainwavlm.results.probes import Probes
from brainwavlm.study.claims.sentences import score_name

# By control: what it is called, the place of its colour among those of lines, and its sign.
CONTROLS = {
    SHUFFLED: ("shuffled labels", 0, "x"),
    UNSEEN: ("words never fitted", 3, "^"),
    RESIDUAL: ("beyond low level", 2, "s"),
    RANDOM: ("random weights", 5, "v"),
    LOW_LEVEL: ("low level alone", 4, "D"),
}
_OF_ONE_MODEL = (SHUFFLED, RANDOM, LOW_LEVEL)  # what tuning changes little, or not at all
_ABOUT = ["run", "feature", "score", "layer", "is_own", "control"]
_OWN = "hidden state of the run"
_NARROWEST = 1.5  # inches of a panel
MOST_TARGETS = 8
MODELS = ("frozen", "tuned", "gain")
_PART = ["run", "target", "measure", "space"]


def first_scores(probes: Probes) -> pd.DataFrame:
    """The table's rows of the first score of each feature; `is_own`: of the hidden state that the run was tuned at."""
    rows = probes.table
    own = {run["name"]: run["config"]["backbone"]["layer"] for run in probes.summary["runs"]}
    first = rows.groupby(["run", "feature"])["score"].transform("first")
    return rows[rows["score"] == first].assign(is_own=rows["layer"] == rows["run"].map(own))


def probes_table(probes: Probes) -> pd.DataFrame:
    """run, feature, score, layer, is_own, control, model, value, low, high: `first_scores`, a row a model.

    `control` is `none` for the score itself. Controls that tuning does not touch, and shuffled labels, have the row of
    the tuned model alone.
    """
    rows, models = first_scores(probes), []
    rows = rows[rows["control"].isin([PLAIN, *CONTROLS])]
    for model in ("frozen", "tuned"):
        names = {f"score_{model}": "value", f"low_{model}": "low", f"high_{model}": "high"}
        models.append(rows[[*_ABOUT, *names]].rename(columns=names).assign(model=model))
    long = pd.concat(models, ignore_index=True)
    long = long[(long["model"] == "tuned") | ~long["control"].isin(_OF_ONE_MODEL)]
    return long.sort_values("layer", kind="stable", ignore_index=True)


def lines_of(rows: pd.DataFrame) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Control, model, name and rows of each line of a feature: the scores themselves, then the controls."""
    for control in (PLAIN, *CONTROLS):
        for model, line in rows[rows["control"] == control].groupby("model"):
            both = "untuned" if model == "frozen" else "tuned"
            yield control, str(model), both if control == PLAIN else CONTROLS[control][0], line


def panel_name(rows: pd.DataFrame) -> str:
    """A feature and its score: `meaning, r`."""
    first = rows.iloc[0]
    return f"{first['feature']}, {score_name(first['score'])}"


def probes(places: Sequence[Place], choice: Choice) -> Shown:
    """Scores of one run by feature and hidden state."""
    results = [place.result for place in places]
    table = pd.concat([probes_table(one) for one in results], ignore_index=True)
    values = table[table["run"] == one_name("run", choice.run, table["run"])]
    # In the order of the results, not of hidden states.
    features = [name for one in results for name in dict.fromkeys(one.table["feature"])]
    chosen = chosen_names("target", choice.target, features)
    values = values[values["feature"].isin(chosen)]
    order = values["feature"].map(chosen.index)
    values = values.loc[order.sort_values(kind="stable").index].reset_index(drop=True)
    return Shown(values, any(one.simulated for one in results), partial(draw_probes, values))


def draw_probes(values: pd.DataFrame, canvas: Canvas) -> Figure:
    """A panel a feature: untuned and tuned score with their intervals, controls as thin lines (untuned dotted)."""
    panels = [rows for _, rows in values.groupby("feature", sort=False)]
    columns = min(max(int(canvas.width / _NARROWEST), 1), len(panels))
    n_rows = -(-len(panels) // columns)
    figure = canvas.figure(1.35 * n_rows + 0.8)
    grid = figure.subplots(n_rows, columns, sharex=True, squeeze=False).ravel()
    for number, (axes, rows) in enumerate(zip(grid, panels, strict=False)):
        _panel(axes, rows, number, canvas)
        axes.set_title(shortened(panel_name(rows), canvas.letters(0.9 / columns)))
        if number >= len(panels) - columns:
            axes.set_xlabel("hidden state")
            axes.tick_params(labelbottom=True)
    for axes in grid[len(panels) :]:
        axes.remove()
    controls = values.loc[(values["control"] != PLAIN) & (values["model"] == "frozen"), "control"]
    if len(controls):
        hollow = _look(controls.iloc[0], "frozen", "controls, untuned", canvas)
        grid[len(panels) - 1].plot([], [], **hollow | {"color": rcParams["axes.labelcolor"]})
    legend(figure, canvas)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, number: int, canvas: Canvas) -> None:
    several = rows["layer"].nunique() > 1
    lines = list(lines_of(rows))
    for place, (control, model, name, line) in enumerate(lines):
        hidden = control != PLAIN and model == "frozen"
        about = _look(control, model, "_" if hidden else name, canvas)
        # Dots of a single hidden state would hide each other.
        state = line["layer"] + (0 if several else 0.1 * (place - (len(lines) - 1) / 2))
        axes.plot(state, line["value"], gid=f"{control}:{model}:{number}", **about)
        if control == PLAIN:
            interval = {"color": about["color"], "gid": f"interval:{model}:{number}"}
            if several:
                axes.fill_between(state, line["low"], line["high"], alpha=0.18, linewidth=0, **interval)
            else:
                axes.vlines(state, line["low"], line["high"], **interval)
    if several and rows["is_own"].any():
        own = rows.loc[rows["is_own"], "layer"].iloc[0]
        dashed: dict[str, Any] = {"color": rcParams["text.color"], "linestyle": (0, (4, 3))}
        axes.axvline(own, linewidth=thin(), label=_OWN, zorder=0, gid=f"own:{number}", **dashed)
    axes.xaxis.set_major_locator(whole_numbers(5))


def _look(control: str, model: str, name: str, canvas: Canvas) -> dict[str, Any]:
    """Of a line; controls of the untuned model are dotted and hollow."""
    size = rcParams["lines.markersize"]
    if control == PLAIN:
        # Where both are equal, the untuned model shows behind the tuned one.
        wide = 1.6 if model == "frozen" else 0.9
        look = {"color": canvas.colours[model], "marker": "o", "markersize": 0.8 * wide * size, "zorder": 3}
        return look | {"linestyle": "-", "linewidth": wide * rcParams["lines.linewidth"], "label": name}
    _, colour, marker = CONTROLS[control]
    look = {"color": f"C{colour}", "marker": marker, "markersize": 0.65 * size, "markeredgewidth": thin()}
    look |= {"linestyle": "-", "linewidth": 0.6 * rcParams["lines.linewidth"], "label": name}
    return look | ({"linestyle": ":", "markerfacecolor": "white"} if model == "frozen" else {})


def partition_table(table: pd.DataFrame) -> pd.DataFrame:
    """run, target, measure, space, model (frozen, tuned, gain), r2, low, high, of the table of a `Partition`."""
    models = []
    for model in MODELS:
        ending = "" if model == "gain" else f"_{model}"
        names = {"difference" if model == "gain" else f"r2{ending}": "r2"}
        names |= {f"{end}{ending}": end for end in ("low", "high")}
        models.append(table[[*_PART, *names]].rename(columns=names).assign(model=model))
    return pd.concat(models, ignore_index=True)[[*_PART, "model", "r2", "low", "high"]]


def partition(places: Sequence[Place], choice: Choice) -> Shown:
    """Product measures of one run by target, model and space: they sum to R2 of all together."""
    results = [place.result for place in places]
    table = pd.concat([one.table[one.table["measure"] == "product"] for one in results], ignore_index=True)
    table = table[table["run"] == one_name("run", choice.run, table["run"])]
    targets = chosen_names("target", choice.target, table["target"])
    if choice.target and len(targets) > MOST_TARGETS:
        raise ConfigError("target", f"{len(targets)} targets.", f"up to {MOST_TARGETS}.", "Name fewer.")
    values = partition_table(table[table["target"].isin(targets[:MOST_TARGETS])])
    return Shown(values, any(one.simulated for one in results), partial(draw_partition, values))


def draw_partition(values: pd.DataFrame, canvas: Canvas) -> Figure:
    """Three bars a target, frozen, tuned and the gain: parts above 0 upwards, parts below 0 downwards."""
    targets, spaces = (list(dict.fromkeys(values[column])) for column in ("target", "space"))
    colours = {space: f"C{place % 6}" for place, space in enumerate(spaces) if space != "model"}
    colours["model"] = canvas.colours["other"]
    figure = canvas.figure(0.62 * canvas.width)
    axes = figure.subplots()
    places = np.arange(len(targets))
    ticks = {model: places + offset for model, offset in zip(MODELS, (-0.28, 0, 0.28), strict=True)}
    for model, at in ticks.items():
        up, down = np.zeros(len(targets)), np.zeros(len(targets))
        for space in spaces:
            rows = values[(values["model"] == model) & (values["space"] == space)].set_index("target")
            r2 = rows["r2"].reindex(targets).to_numpy()
            bars = axes.bar(at, r2, 0.25, np.where(r2 >= 0, up, down), color=colours[space])
            for target, bar in zip(targets, bars, strict=True):
                bar.set_gid(f"{target}:{model}:{space}")
            up, down = up + np.maximum(r2, 0), down + np.minimum(r2, 0)
    axes.set_xticks(np.concatenate(list(ticks.values())), np.repeat(MODELS, len(targets)), rotation=90)
    names = axes.secondary_xaxis("top")
    slanted = max(map(len, targets)) > canvas.letters(0.8 / len(targets))
    slant: dict[str, Any] = {"rotation": 30, "ha": "left"} if slanted else {}
    names.set_xticks(places, [shortened(one, canvas.letters(0.3)) for one in targets], **slant)
    names.tick_params(length=0)
    axes.axhline(0, color=rcParams["axes.edgecolor"], linewidth=thin())
    axes.set_ylabel("part of R2 on test stories")
    patches = [Patch(color=colours[space]) for space in spaces]
    figure.legend(patches, spaces, loc="outside lower center", ncols=4)
    return figure
