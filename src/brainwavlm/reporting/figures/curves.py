"""By epoch, by hidden state, by delay: as tables, and the lines in them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from brainwavlm.errors import RunError
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures import folders
from brainwavlm.reporting.figures.choice import Choice
from brainwavlm.reporting.figures.findings import Row, Rows, claim_rows, line_labels
from brainwavlm.reporting.figures.folders import Place, Scored, Shown
from brainwavlm.reporting.figures.lines import draw_lines, lines_of
from brainwavlm.reporting.figures.style import Canvas
from brainwavlm.reporting.page.wording import run_labels
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.schemas import AGAIN
from brainwavlm.runs.run import open_run

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


def states_table(
    states: pd.DataFrame, run: Row, label: str = "", targets: Sequence[str] = ()
) -> pd.DataFrame:
    """run, label, target, layer, r_frozen, r_tuned, difference, low, high: a row a target and hidden state of a run.

    `states` is layers.csv, or has its columns; `run` is an entry of `runs` in summary.json, and `label` stands
    before the target's name, where runs are to be told apart. No `targets` named: the one the run was tuned on, cortex
    and AC, as far as they are there; else the first three.
    """
    rows = states[states["run"] == run["name"]]
    rows = rows[rows["target"].isin(targets or _usual(run, rows["target"]))]
    rows = rows.assign(label=f"{label}: " * bool(label) + rows["target"])
    rows = rows[["run", "label", "target", "layer", *_SCORES]]
    return rows.sort_values("layer", kind="stable", ignore_index=True)


def claim_states_table(rows: Rows) -> pd.DataFrame:
    """run, label, group, listener, target, layer, r_frozen, r_tuned, difference, low, high: of a study's findings.

    `rows` are of kind `layer` or `task` in its table of claims; an experiment stands for a run.
    """
    table = pd.DataFrame(rows)
    columns = ["run", "label", "group", "listener", "target", "layer", *_SCORES]
    if table.empty:
        return pd.DataFrame(columns=columns)
    table = table.assign(run=table["experiment"], label=line_labels(table), difference=table["estimate"])
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
    runs: list[Row] = [_entry(place.path) for place in places if place.made == "run"]
    evaluated = [place for place in places if place.made == "evaluation"]
    if evaluated:
        runs += [one.entry for one in folders.scored_runs(evaluated, Choice())]
    names = [str(run["name"]) for run in runs]
    folders.require_different(names, places)
    chosen = folders.chosen_names("run", choice.run, names)
    runs = [run for run in runs if run["name"] in chosen]
    for name in (run["name"] for run in runs if not run["history"]):
        raise RunError(name, "no epoch is finished.", "a run with epochs.", "Leave it out, or resume it.")
    labels = {name: capitalised(label) for name, label in run_labels(runs).items()}
    table = learning_table(runs, labels).drop(columns="gradient_norm")

    def draw(canvas: Canvas) -> Figure:
        figure, kept = draw_lines(lines_of(table), canvas), table[table["kept"]]
        if len(runs) == 1 and len(kept):
            epoch, r = kept[["epoch", "validation_r"]].iloc[0]
            figure.axes[0].set_title(f"star: epoch {epoch:.0f}, kept (validation r {r:.3f})", loc="left")
        return figure

    return Shown(table, any(run["simulated"] for run in runs), draw)


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
    # Of several runs one line each, unless more are asked for.
    targets = choice.target or _usual(run.entry, names)[: 1 if several else None]
    targets = folders.chosen_names("target", targets, names)
    return states_table(states, run.entry, capitalised(run.label) if several else "", targets)


def _usual(run: Row, names: Iterable[str]) -> list[str]:
    """What is shown where nothing is asked for, of the names that are there."""
    there = list(dict.fromkeys(names))
    usual = [name for name in dict.fromkeys([run["target"], "cortex", "AC"]) if name in there]
    return (usual or there)[:_MOST_TARGETS]


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


def _entry(path: Path) -> dict[str, Any]:
    """What summary.json of an evaluation would say of a run, as far as its course needs it."""
    run = open_run(path)
    return {
        "name": path.resolve().name,
        "subject": "+".join(run.listeners),
        "target": run.config.target,
        "method": run.config.adapter.method,
        "control": run.config.control.kind,
        "seed": run.config.seed,
        "simulated": bool(run.manifest["data"]["simulated"]),
        "best": run.best,
        "history": run.history,
    }
