"""By epoch, by hidden state, by delay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from brainwavlm.config import RunConfig, validated
from brainwavlm.errors import RunError
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.canvas import Canvas, dashes, legend_below, quiet
from brainwavlm.reporting.figures.data_findings import claim_rows, claims_at, records
from brainwavlm.reporting.figures.draw import Course, learning_curves
from brainwavlm.reporting.figures.draw_layers import layer_curves
from brainwavlm.reporting.figures.drawing import Drawing
from brainwavlm.reporting.figures.folders import Place, Scored, chosen_names, require_different, scored_runs
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.reporting.figures.study import layer_label, with_numbers
from brainwavlm.reporting.page.delays import delay_profile
from brainwavlm.reporting.page.wording import run_labels
from brainwavlm.runs.run import open_run

_MOST_TARGETS = 3
Row = Mapping[str, Any]


def learning_table(runs: Sequence[Row], labels: Mapping[str, str]) -> pd.DataFrame:
    """run, label, epoch, loss, validation_r, gradient_norm, kept: a row a run and epoch.

    Parameters
    ----------
    runs : sequence of mapping
        As in `runs` of summary.json: name, history, best.
    labels : mapping of str to str
        By the run's name.
    """
    numbers = ("loss", "validation_r", "gradient_norm")
    rows = [
        {"run": run["name"], "label": labels[run["name"]], "epoch": epoch["epoch"]}
        | {key: epoch.get(key) for key in numbers}
        | {"kept": run["best"] is not None and epoch["epoch"] == run["best"]["epoch"]}
        for run in runs
        for epoch in run["history"]
    ]
    table = pd.DataFrame(rows, columns=["run", "label", "epoch", *numbers, "kept"])
    return table.astype(dict.fromkeys(numbers, float))


def states_table(
    states: pd.DataFrame, run: Row, label: str = "", targets: Sequence[str] = (), about: str = "target"
) -> pd.DataFrame:
    """run, label, target, layer, r_frozen, r_tuned, difference, low, high: a row a target and hidden state of a run.

    Parameters
    ----------
    states : DataFrame
        layers.csv; or downstream.csv, with `task` for `target` and auc_ for r_.
    run : mapping
        An entry of `runs` in summary.json.
    label : str
        Of the run, before the target's name, where lines of several runs are to be told apart.
    targets : sequence of str
        None named: the one the run was tuned on, cortex and AC, as far as they are there; else the first three.
    about : str
        target or task.
    """
    rows = states[states["run"] == run["name"]]
    names = list(dict.fromkeys(rows[about]))
    usual = [name for name in dict.fromkeys([run["target"], "cortex", "AC"]) if name in names] or names
    rows = rows[rows[about].isin(targets or usual[:_MOST_TARGETS])]
    scores = [name for name in rows if name.endswith(("_frozen", "_tuned")) and name[:2] in ("r_", "au")]
    labels = [f"{label}: {name}" if label else name for name in rows[about]]
    table = rows.assign(label=labels)[["run", "label", about, "layer", *scores, "difference", "low", "high"]]
    return table.sort_values("layer", kind="stable").reset_index(drop=True)


def claim_states_table(rows: Sequence[Row], about: str = "target") -> pd.DataFrame:
    """run, label, group, listener, target, layer, r_frozen, r_tuned, difference, low, high: of a study's findings.

    Parameters
    ----------
    rows : sequence of mapping
        Of kind `layer` or `task` in a study's table of claims; the experiment stands for a run.
    about : str
        target or task, whose scores are AUC.
    """
    score = "r" if about == "target" else "auc"
    several = len({row["experiment"] for row in rows}) > 1
    table = pd.DataFrame(
        [
            {
                "run": row["experiment"],
                "label": f"{row['experiment']}: {layer_label(row)}" if several else layer_label(row),
                "group": row["group"],
                "listener": row["listener"],
                about: row["target"],
                "layer": int(row["layer"]),
                f"{score}_frozen": row["r_frozen"],
                f"{score}_tuned": row["r_tuned"],
                "difference": row["estimate"],
                "low": row["low"],
                "high": row["high"],
            }
            for row in map(with_numbers, rows)
        ]
    )
    return table.sort_values("layer", kind="stable", ignore_index=True) if len(table) else table


def delays_table(profiles: Mapping[str, tuple[str, Mapping[str, Sequence[float]]]]) -> pd.DataFrame:
    """run, label, seconds, median, low, high: share of each delay in the weights, quartiles over voxels.

    Parameters
    ----------
    profiles : mapping of a run's name to its label and its `delay_profile`
    """
    frames = [pd.DataFrame({"run": name, "label": label, **of}) for name, (label, of) in profiles.items()]
    columns = ["run", "label", "seconds", "median", "low", "high"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def epochs_table(epochs: pd.DataFrame, target: str) -> pd.DataFrame:
    """group, score, target, label, epoch, n_runs, mean, deviation, lowest, highest: a comparison by epoch.

    A run's own readout is scored on its own target alone, which need not be `target`: then it is that one.
    """
    frames = []
    for _, rows in epochs.groupby(["score", "group"], sort=False):
        shown = target if (rows["target"] == target).any() else rows["target"].iloc[0]
        frames.append(rows[rows["target"] == shown].sort_values("epoch"))
    table = pd.concat(frames, ignore_index=True) if frames else epochs
    return table.assign(label=[f"{row.group}, {row.target}" for row in table.itertuples()])


@dataclass(frozen=True)
class _ByState:
    """A table by hidden state: where it is, what a line is about, what is on the axis."""

    table: str  # attribute of Results
    file: str
    about: str  # column
    scores: tuple[str, str]  # columns, untuned and tuned
    axis: str
    claim: str  # kind of finding in a study
    asked: str  # in a study
    maker: str


_LAYERS = _ByState(
    "layers",
    "layers.csv",
    "target",
    ("r_frozen", "r_tuned"),
    "test r",
    "layer",
    "evaluate: {layers: all} in an experiment",
    "Evaluate with hidden states: brainwavlm evaluate RUN --layers all",
)
_TASKS = _ByState(
    "downstream",
    "downstream.csv",
    "task",
    ("auc_frozen", "auc_tuned"),
    "AUC",
    "task",
    "evaluate: {downstream: [phones, words]} in an experiment",
    "Evaluate with tasks: brainwavlm evaluate RUN --downstream phones,words --layers all",
)


def draw_learning(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """Loss and validation r of runs by epoch. values: run, epoch, loss, validation_r, kept."""
    entries: list[Mapping[str, Any]] = [_entry(place.path) for place in places if place.made == "run"]
    evaluated = [place for place in places if place.made == "evaluation"]
    if evaluated:
        entries += [one.entry for one in scored_runs(evaluated, Choice())]
    names = [str(entry["name"]) for entry in entries]
    require_different(names, places)
    chosen = chosen_names("--run", choice.run, names)
    entries = [entry for entry in entries if entry["name"] in chosen]
    labels = run_labels(entries)
    courses, rows = [], []
    for entry in entries:
        if not entry["history"]:
            remedy = "Leave it out, or go on with it: brainwavlm tune --resume --output RUN"
            raise RunError(entry["name"], "no epoch is finished.", "a run with epochs.", remedy)
        best = entry["best"]["epoch"] if entry["best"] else None
        courses.append(Course(capitalised(labels[entry["name"]]), entry["history"], best))
        rows += [
            {
                "run": entry["name"],
                "epoch": epoch["epoch"],
                "loss": epoch.get("loss"),
                "validation_r": epoch.get("validation_r"),
                "kept": epoch["epoch"] == best,
            }
            for epoch in entry["history"]
        ]
    simulated = any(entry["simulated"] for entry in entries)
    figure = learning_curves(courses, choice.title, simulated, canvas)
    return Drawing(figure, pd.DataFrame(rows), simulated)


def draw_layers(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """Scores and gains by hidden state. values: of each line, layer, r_frozen, r_tuned, difference, low, high."""
    return _draw_by_state(places, choice, canvas, _LAYERS)


def draw_tasks(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """What is said in clips. values: of each line, task, layer, auc_frozen, auc_tuned, difference, low, high."""
    return _draw_by_state(places, choice, canvas, _TASKS)


def _draw_by_state(places: Sequence[Place], choice: Choice, canvas: Canvas, of: _ByState) -> Drawing:
    rows: list[dict[str, Any]] = []
    simulated = False
    evaluated = [place for place in places if place.made == "evaluation"]
    if evaluated:
        runs = scored_runs(evaluated, choice)
        simulated = any(run.entry["simulated"] for run in runs)
        rows += [row for run in runs for row in _rows_by_state(run, choice, len(runs) > 1, of)]
    for place in places:
        if place.made == "study":
            claims = claim_rows(claims_at(place), place, choice, (of.claim,), of.asked)
            simulated |= any(row["simulated"] for row in claims)
            rows += [
                {
                    "label": f"{row['experiment']}: {layer_label(row)}"
                    if choice.experiment[1:]
                    else layer_label(row),
                    "run": row["experiment"],
                    **{
                        key: row[key]
                        for key in ("group", "listener", "target", "layer", "r_frozen", "r_tuned")
                    },
                    **{key: row[key] for key in ("estimate", "low", "high")},
                }
                for row in map(with_numbers, claims)
            ]
    figure = layer_curves(rows, choice.title, simulated, canvas, of.axis)
    columns = {
        "estimate": "difference",
        "target": of.about,
        "r_frozen": of.scores[0],
        "r_tuned": of.scores[1],
    }
    return Drawing(figure, pd.DataFrame(rows).drop(columns="label").rename(columns=columns), simulated)


def draw_delays(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """Share of each delay in the readout's weights. values: run, seconds, median, low, high (quartiles)."""
    runs = scored_runs(places, choice)
    rows = []
    for run in runs:
        config = validated(RunConfig, run.entry["config"], str(run.results.path / "summary.json"))
        profile, reason = delay_profile(_here(run), config)
        if not profile:
            raise RunError(
                run.results.path,
                f"no delays of run {run.name}: {reason}.",
                "a readout whose weights are kept by delay.",
                "Choose other runs with --run.",
            )
        rows += [
            {"label": capitalised(run.label), "run": run.name}
            | {key: profile[key][number] for key in ("seconds", "median", "low", "high")}
            for number in range(len(profile["seconds"]))
        ]
    simulated = any(run.entry["simulated"] for run in runs)
    figure = delay_curves(rows, choice.title, simulated, canvas)
    return Drawing(figure, pd.DataFrame(rows).drop(columns="label"), simulated)


def delay_curves(rows: Sequence[Mapping[str, Any]], title: str, simulated: bool, canvas: Canvas) -> Figure:
    """Median over voxels by delay, a line a run, with quartiles as a band.

    Parameters
    ----------
    rows : sequence of mapping
        `label`, `seconds`, `median`, `low`, `high`.
    title : str
    simulated : bool
    canvas : Canvas
    """
    style, colours = canvas.style, canvas.style.colours
    labels = list(dict.fromkeys(row["label"] for row in rows))
    figure = canvas.figure(
        min(0.6 * canvas.width, 3.0) + 0.15 * (len(labels) > 1) * len(labels), title, simulated
    )
    axes = figure.subplots()
    for number, label in enumerate(labels):
        own = [row for row in rows if row["label"] == label]
        seconds = [row["seconds"] for row in own]
        axes.plot(
            seconds,
            [row["median"] for row in own],
            dashes(number, colours.groups),
            color=colours.group(number),
            linewidth=style.line,
            marker="o",
            markersize=style.marker,
            label=label,
            gid=f"median:{number}",
        )
        axes.fill_between(
            seconds,
            [row["low"] for row in own],
            [row["high"] for row in own],
            color=colours.group(number),
            alpha=0.15,
            linewidth=0,
            gid=f"quartiles:{number}",
        )
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted({row["seconds"] for row in rows}))
    axes.set(xlabel="seconds after the sound", ylabel="share of the weights' norm")
    quiet(axes, style)
    if len(labels) > 1:
        legend_below(figure, axes, canvas)
    return figure


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


def _rows_by_state(run: Scored, choice: Choice, several: bool, of: _ByState) -> list[dict[str, Any]]:
    table, path = getattr(run.results, of.table), run.results.path / of.file
    if table.empty:
        raise RunError(path, "no such file.", "scores by hidden state.", of.maker)
    own = table[table["run"] == run.name].rename(
        columns={of.about: "target", of.scores[0]: "r_frozen", of.scores[1]: "r_tuned"}
    )
    there = list(dict.fromkeys(own["target"]))
    if not there:
        raise RunError(path, f"no row of run {run.name}.", "some.", of.maker)
    first = [name for name in dict.fromkeys([run.entry["target"], "cortex", "AC"]) if name in there] or there
    shown = choice.target or (first[:1] if several else first[:_MOST_TARGETS])
    rows = own[own["target"].isin(chosen_names("--target", shown, there))]
    return [
        {
            "label": f"{capitalised(run.label)}: {row['target']}" if several else row["target"],
            "run": run.name,
            **{key: row[key] for key in ("target", "layer", "r_frozen", "r_tuned")},
            "estimate": row["difference"],
            **{key: row[key] for key in ("low", "high")},
        }
        for row in records(rows, keep_nan=True)
    ]


def _here(run: Scored) -> Mapping[str, Any]:
    """The run's entry, with the folder that holds this evaluation where its own path leads nowhere any more."""
    folder = run.results.path.resolve().parent
    if not (Path(str(run.entry["path"])) / "run.json").is_file() and (folder / "run.json").is_file():
        return {**run.entry, "path": str(folder)}
    return run.entry
