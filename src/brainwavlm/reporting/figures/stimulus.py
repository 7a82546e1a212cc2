"""What of the stimulus hidden states hold, and what of a score it explains: as tables, and drawn by matplotlib."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.figure import Figure

from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.probes.tasks import LOW_LEVEL, PLAIN, RANDOM, RESIDUAL, SHUFFLED, UNSEEN
from brainwavlm.reporting.figures.folders import Choice, Place, Shown, chosen_names, one_name
from brainwavlm.reporting.figures.lines import STATE, Lines, Look, draw_panel, legend, thin, whole_numbers
from brainwavlm.reporting.figures.style import GROUPS, Canvas, shortened
from brainwavlm.results.probes import Probes
from brainwavlm.study.claims.sentences import score_name

NAMES = {SHUFFLED: "shuffled labels", UNSEEN: "words never fitted", RESIDUAL: "beyond low level"}
NAMES |= {RANDOM: "random weights", LOW_LEVEL: "low level alone"}
# Where both models are equal, the untuned one shows behind the tuned one.
LOOKS = {"untuned": Look("frozen", "o", 1.6), "tuned": Look("tuned", "o", 0.9)}
LOOKS |= {NAMES[SHUFFLED]: Look("C0", "x", 0.6), NAMES[UNSEEN]: Look("C3", "^", 0.6)}
LOOKS |= {NAMES[RESIDUAL]: Look("C2", "s", 0.6), NAMES[RANDOM]: Look("C5", "v", 0.6)}
LOOKS |= {NAMES[LOW_LEVEL]: Look("C4", "D", 0.6)}
_OF_ONE_MODEL = (SHUFFLED, RANDOM, LOW_LEVEL)  # what tuning changes little, or not at all
_ABOUT = ["run", "feature", "score", "layer", "is_own", "control"]
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
    rows = rows[rows["control"].isin([PLAIN, *NAMES])]
    for model in ("frozen", "tuned"):
        names = {f"score_{model}": "value", f"low_{model}": "low", f"high_{model}": "high"}
        models.append(rows[[*_ABOUT, *names]].rename(columns=names).assign(model=model))
    long = pd.concat(models, ignore_index=True)
    long = long[(long["model"] == "tuned") | ~long["control"].isin(_OF_ONE_MODEL)]
    return long.sort_values("layer", kind="stable", ignore_index=True)


def probes_lines(rows: pd.DataFrame, number: int = 0) -> Lines:
    """Of rows of one feature in a `probes_table`: its scores with their intervals, and its controls.

    Scores of a single hidden state stand beside each other, where they would hide each other.
    """
    plain, untuned = rows["control"] == PLAIN, rows["model"] == "frozen"
    name = rows["model"].replace({"frozen": "untuned"}).where(plain, rows["control"].map(NAMES))
    rows = rows.assign(
        label=name,
        column=rows["control"],
        panel=panel_name(rows),
        gid=rows["control"] + ":" + rows["model"] + f":{number}",
        model=np.where(untuned & ~plain, "frozen", "tuned"),
        x=rows["layer"],
        low=rows["low"].where(plain),
        high=rows["high"].where(plain),
        kept=rows["is_own"] & plain,
    )
    rows = rows.sort_values("label", key=lambda labels: labels.map([*LOOKS].index), kind="stable")
    if rows["layer"].nunique() == 1:
        rows = rows.assign(x=rows["x"] + 0.1 * (np.arange(len(rows)) - (len(rows) - 1) / 2), kept=False)
    return Lines(rows, STATE, LOOKS)


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
    values = values.sort_values(
        "feature", key=lambda names: names.map(chosen.index), kind="stable", ignore_index=True
    )
    return Shown(values, any(one.simulated for one in results), partial(draw_probes, values))


def draw_probes(values: pd.DataFrame, canvas: Canvas) -> Figure:
    """A panel a feature: untuned and tuned score with their intervals, controls as thin lines (untuned dotted)."""
    panels = [rows for _, rows in values.groupby("feature", sort=False)]
    figure, grid, room = canvas.panels(len(panels), _NARROWEST, 1.35, 0.8)
    for number, (axes, rows) in enumerate(zip(grid, panels, strict=True)):
        draw_panel(axes, probes_lines(rows, number), list(LOOKS), canvas)
        axes.set(title=shortened(panel_name(rows), room), xlabel="hidden state")
        axes.xaxis.set_major_locator(whole_numbers(5))
    if values["is_own"].any() and values["layer"].nunique() > 1:
        star = {"marker": "*", "linestyle": "", "color": rcParams["axes.labelcolor"]}
        grid[-1].plot([], [], **star, label="hidden state of the run")
    legend(figure, canvas)
    return figure


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


def colours_of_spaces(spaces: Iterable[str], groups: Sequence[str], other: str) -> dict[str, str]:
    """A colour for each space, the model itself in that of the others."""
    colours = {space: groups[place % len(groups)] for place, space in enumerate(dict.fromkeys(spaces))}
    return colours | {"model": other}


def draw_partition(values: pd.DataFrame, canvas: Canvas) -> Figure:
    """Three bars a target, frozen, tuned and the gain: parts above 0 upwards, parts below 0 downwards."""
    targets, spaces = (list(dict.fromkeys(values[column])) for column in ("target", "space"))
    colours = colours_of_spaces(
        spaces, [f"C{place}" for place in range(len(GROUPS))], canvas.colours["other"]
    )
    figure = canvas.figure(0.62 * canvas.width)
    axes = figure.subplots()
    wide = values.pivot(index=["target", "model"], columns="space", values="r2")
    # A bar without height between targets.
    bars = wide.reindex(pd.MultiIndex.from_product([targets, [*MODELS, ""]]))[spaces][:-1]
    bars.plot.bar(stacked=True, ax=axes, color=[colours[space] for space in spaces], width=0.9, legend=False)
    for space, container in zip(spaces, axes.containers, strict=True):
        for (target, model), bar in zip(bars.index, container, strict=True):
            bar.set_gid(f"{target}:{model}:{space}")
    ticks = [place for place, (_, model) in enumerate(bars.index) if model]
    axes.set_xticks(ticks, list(MODELS) * len(targets), rotation=90)
    names = axes.secondary_xaxis("top")
    slanted = max(map(len, targets)) > canvas.letters(0.8 / len(targets))
    slant: dict[str, Any] = {"rotation": 30, "ha": "left"} if slanted else {}
    names.set_xticks(
        range(1, len(bars), 4), [shortened(one, canvas.letters(0.3)) for one in targets], **slant
    )
    names.tick_params(length=0)
    axes.axhline(0, color=rcParams["axes.edgecolor"], linewidth=thin())
    axes.set(xlabel="", ylabel="part of R2 on test stories")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
