"""By epoch, by hidden state, by delay: as tables, and the lines in them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from brainwavlm.errors import RunError
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures import folders
from brainwavlm.reporting.figures.findings import Row, claim_rows, line_labels
from brainwavlm.reporting.figures.folders import Choice, Place, Scored, Shown
from brainwavlm.reporting.figures.lines import draw_lines, lines_of
from brainwavlm.reporting.figures.style import Canvas
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.schemas import AGAIN

_MOST_TARGETS = 3
_SCORES = ["r_frozen", "r_tuned", "difference", "low", "high"]
_OF_TASKS = {"task": "target", "auc_frozen": "r_frozen", "auc_tuned": "r_tuned"}


def learning_table(runs: Sequence[Row], labels: Mapping[str, str]) -> pd.DataFrame:
    """run, label, epoch, loss, validation_r, gradient_norm, kept: a row a run and epoch.

    `runs` have name, history and best, as `runs` of summary.json; `labels` are by name.
    """
    numbers = ["loss", "validation_r", "gradient_norm"]
    rows = [
        {"run": run["name"], "label": labels[run["name"]], **epoch}
        | {"kept": run["best"] is not None and epoch["epoch"] == run["best"]["epoch"]}
        for run in runs
        for epoch in run["history"]
    ]
    table = pd.DataFrame(rows, columns=["run", "label", "epoch", *numbers, "kept"])
    return table.astype(dict.fromkeys(numbers, float))


def states_table(states: pd.DataFrame, run: str, targets: Sequence[str], label: str = "") -> pd.DataFrame:
    """run, label, target, layer, r_frozen, r_tuned, difference, low, high: a row a target and hidden state of a run.

    `states` is layers.csv, or has its columns; `label` stands before the name of a target, to tell runs apart.
    """
    rows = states[(states["run"] == run) & states["target"].isin(targets)]
    rows = rows.assign(label=f"{label}: " * bool(label) + rows["target"])
    rows = rows[["run", "label", "target", "layer", *_SCORES]]
    return rows.sort_values("layer", kind="stable", ignore_index=True)


def claim_states_table(rows: pd.DataFrame) -> pd.DataFrame:
    """run, label, group, listener, target, layer, r_frozen, r_tuned, difference, low, high: of a study's findings.

    `rows` are of kind `layer` or `task` in its table of claims; an experiment stands for a run.
    """
    columns = ["run", "label", "group", "listener", "target", "layer", *_SCORES]
    table = rows.assign(run=rows["experiment"], label=line_labels(rows), difference=rows["estimate"])
    table = table.sort_values("layer", kind="stable", ignore_index=True)[columns]
    return table.astype({**dict.fromkeys(_SCORES, float), "layer": int})


def delays_table(evaluation: Evaluation, labels: Mapping[str, str]) -> pd.DataFrame:
    """run, label, seconds, median, low, high: share of each delay in the weights, quartiles over voxels.

    `labels` are by run; others are left out.
    """
    columns = ["run", "label", "seconds", "median", "low", "high"]
    if evaluation.delays.empty:
        return pd.DataFrame(columns=columns)
    table = evaluation.delays[evaluation.delays["run"].isin(labels)]
    return table.assign(label=table["run"].map(labels))[columns].reset_index(drop=True)


def no_delays(run: Mapping[str, Any]) -> str:
    """Why an evaluation has no delays of a run, as part of a sentence; `run` is what its summary says."""
    return str(run.get("no_delays", "it was evaluated by a version that left them out"))


def epochs_table(epochs: pd.DataFrame, target: str) -> pd.DataFrame:
    """group, score, target, label, epoch, n_runs, mean, deviation, low, high: a comparison by epoch, from seed to seed.

    A run's own readout is scored on its own target alone, which need not be `target`: then it is that one.
    """
    lines = ["score", "group"]
    place = epochs.groupby(lines, sort=False).ngroup()
    has_target = (epochs["target"] == target).groupby(place).transform("any")
    shown = epochs["target"].groupby(place).transform("first").where(~has_target, target)
    table = epochs.assign(place=place)[epochs["target"] == shown]
    table = table.sort_values(["place", "epoch"], kind="stable", ignore_index=True).drop(columns="place")
    table = table.rename(columns={"lowest": "low", "highest": "high"})
    return table.assign(label=table["group"] + ", " + table["target"])


def learning(places: Sequence[Place], choice: Choice) -> Shown:
    """Loss and validation r of runs by epoch."""
    runs = folders.scored_runs(places, choice)
    for name in (run.name for run in runs if not run.entry["history"]):
        raise RunError(name, "no epoch is finished.", "a run with epochs.", "Leave it out, or resume it.")
    labels = {run.name: capitalised(run.label) for run in runs}
    table = learning_table([run.entry for run in runs], labels).drop(columns="gradient_norm")

    def draw(canvas: Canvas) -> Figure:
        figure, kept = draw_lines(lines_of(table), canvas), table[table["kept"]]
        if len(runs) == 1 and len(kept):
            epoch, r = kept[["epoch", "validation_r"]].iloc[0]
            figure.axes[0].set_title(f"star: epoch {epoch:.0f}, kept (validation r {r:.3f})", loc="left")
        return figure

    return Shown(table, folders.any_simulated(runs), draw)


def layers(places: Sequence[Place], choice: Choice) -> Shown:
    """Scores and gains by hidden state."""
    needed = "evaluate: {layers: all} in an experiment"
    table, simulated = _states(places, choice, "layers", "layer", needed)
    return Shown(table, simulated, partial(draw_lines, lines_of(table)))


def tasks(places: Sequence[Place], choice: Choice) -> Shown:
    """What is said in clips, by hidden state."""
    needed = "evaluate: {downstream: [phones, words]} in an experiment"
    table, simulated = _states(places, choice, "downstream", "task", needed)
    values = table.rename(columns={name: column for column, name in _OF_TASKS.items()})
    return Shown(values, simulated, partial(draw_lines, lines_of(table, "AUC")))


def _states(
    places: Sequence[Place], choice: Choice, file: str, kind: str, needed: str
) -> tuple[pd.DataFrame, bool]:
    """Rows of evaluations' files and of studies' findings of a kind, and whether any is simulated."""
    tables, simulated = [], False
    evaluated = [place for place in places if place.made == "evaluation"]
    if evaluated:
        runs = folders.scored_runs(evaluated, choice)
        simulated = folders.any_simulated(runs)
        tables += [_states_of(run, choice, len(runs) > 1, file) for run in runs]
    for rows in (claim_rows(place, choice, (kind,), needed) for place in places if place.made == "study"):
        simulated |= bool(rows["simulated"].any())
        tables.append(claim_states_table(rows))
    return pd.concat(tables, ignore_index=True), simulated


def _states_of(run: Scored, choice: Choice, several: bool, file: str) -> pd.DataFrame:
    states, path = getattr(run.results, file), run.results.path / f"{file}.csv"
    if file == "downstream":
        states = states.rename(columns=_OF_TASKS)
    remedy = f"Evaluate with {file}."
    if states.empty:
        raise RunError(path, "no such file.", "scores by hidden state.", remedy)
    names = list(dict.fromkeys(states.loc[states["run"] == run.name, "target"]))
    if not names:
        raise RunError(path, f"no row of run {run.name}.", "some.", remedy)
    usual = [name for name in dict.fromkeys([run.entry["target"], "cortex", "AC"]) if name in names]
    # Of several runs one line each, unless more are asked for.
    targets = choice.target or (usual or names)[: 1 if several else _MOST_TARGETS]
    targets = folders.chosen_names("target", targets, names)
    return states_table(states, run.name, targets, capitalised(run.label) if several else "")


def delays(places: Sequence[Place], choice: Choice) -> Shown:
    """Share of each delay in the readout's weights."""
    runs = folders.scored_runs(places, choice)
    tables = []
    for run in runs:
        tables.append(delays_table(run.results, {run.name: capitalised(run.label)}))
        if tables[-1].empty:
            found = f"no delays of run {run.name}: {no_delays(run.entry)}."
            remedy = f"Choose other runs, or {AGAIN[0].lower()}{AGAIN[1:]}"
            raise RunError(run.results.path, found, "a readout of its own with weights.", remedy)
    table = pd.concat(tables, ignore_index=True)
    return Shown(table, folders.any_simulated(runs), partial(draw_lines, lines_of(table)))
