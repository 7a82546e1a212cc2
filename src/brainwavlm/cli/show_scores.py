"""What commands that score print, for people. No science, no files but what they save."""

import math
import shlex
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from rich.markup import escape

from brainwavlm.cli import console as terminal
from brainwavlm.cli.console import (
    labelled,
    show_by_run,
    show_end,
    show_ridge,
    show_scores,
    show_sentences,
    show_table,
)
from brainwavlm.cli.options import print_json
from brainwavlm.files import read_json
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.open import open_result
from brainwavlm.results.partition import Partition
from brainwavlm.results.probes import Probes
from brainwavlm.results.result import Result
from brainwavlm.results.speech_task import SpeechTask
from brainwavlm.results.tables import told
from brainwavlm.results.transfer import Transfer


def save_and_show(result: Result, folder: Path, json: bool) -> None:
    """The end of a command: its result goes into a folder and is printed, for machines or for people."""
    result.save(folder)
    if json:
        print_json(result.as_dict())
    else:
        _SHOWN[type(result)](result, folder)


def show_written(folder: Path, json: bool) -> None:
    """The result that a command wrote into a folder, as that command showed it."""
    if json:
        print_json(read_json(folder / "summary.json"))
    else:
        result = open_result(folder)
        _SHOWN[type(result)](result, folder)


def _show_evaluation(scores: Evaluation, folder: Path) -> None:
    if not scores.tuned:
        show_ridge(scores.runs[0]["frozen"], folder)
        return
    show_scores(scores)
    _show_layers(scores)
    for run in scores.runs if len(scores.downstream) else ():
        rows = scores.downstream[scores.downstream["run"] == run["name"]]
        title = f"{run['name']}: what is said in clips, mean AUC over labels (chance .5)"
        columns = ("task", "n_labels", "layer", "auc_frozen", "auc_tuned", "change, 95 %")
        show_table(told(rows, *columns), title=title)
    step = f"brainwavlm report {shlex.quote(str(folder))}"
    show_end(scores.summary.get("notes", []), f"Written: {folder}", step)


def _show_comparison(comparison: Comparison, folder: Path) -> None:
    summary = comparison.summary
    letters = {row["group"]: _letter(number) for number, row in enumerate(summary["groups"])}
    for row in summary["groups"]:
        seeds = ", ".join(map(str, row["seeds"]))
        about = f"{escape(row['group'])} (subject {escape(row['subject'])}, seeds {seeds})"
        terminal.console.print(f"{letters[row['group']]}: {about}", soft_wrap=True)
    groups, epochs = (
        table.assign(group=[letters[name] for name in table["group"]])
        for table in (comparison.groups, comparison.epochs)
    )
    columns: tuple[str, ...]
    columns = ("group", "target", "n_runs", "r_frozen", "r_tuned", "deviation", "gain, 95 %", "shared map")
    rows = told(groups.rename(columns={"mean": "r_tuned"}), *columns)
    show_table(rows, title=labelled("Mean test correlation over seeds", summary))
    first = epochs["target"].isin(_shown(comparison.groups, ()))
    columns = ("group", "score", "target", "epoch", "n_runs", "mean", "deviation")
    rows = told(epochs[first | (epochs["score"] == "validation")], *columns)
    show_table(rows, title=labelled("Over seeds, by epoch", summary))
    pairs = zip(comparison.differences["second"], comparison.differences["first"], strict=True)
    names = [f"{letters[second]} - {letters[first]}" for second, first in pairs]
    columns = ("groups", "target", "difference, 95 %", "shared map", "deviation_over_seeds")
    rows = told(comparison.differences.assign(groups=names), *columns)
    show_table(rows, title=labelled("Differences between groups, the same test stories", summary))
    _show_notes(comparison, folder)


def _show_transfer(scores: Transfer, folder: Path) -> None:
    targets = _shown(scores.matrix, [cell["target"] for cell in scores.summary["cells"]])
    columns = ("run", "tuned_on", "scored_on", "stories", "r_frozen", "r_tuned", "change, 95 %", "shared map")
    for target in targets:
        rows = told(scores.matrix[scores.matrix["target"] == target], *columns, "r_readout")
        show_table(rows, title=labelled(f"Mean test correlation, {target}", scores.summary))
    needed = [
        {
            **{name: row[name] for name in ("run", "scored_on", "target")},
            "frozen": row["r_frozen"],
            "with minutes": f"{row['full_minutes']:.1f}",
            "tuned needs": "-" if math.isnan(row["minutes_needed"]) else f"{row['minutes_needed']:.1f}",
        }
        for row in scores.needed.to_dict("records")
        if row["target"] in targets
    ]
    if needed:
        show_table(needed, title=labelled("Minutes to reach the untuned model's score", scores.summary))
    _show_notes(scores, folder)


def _show_layers(scores: Evaluation) -> None:
    for run in scores.runs if len(scores.layers) else ():
        table = scores.layers[scores.layers["run"] == run["name"]]
        for target in _shown(table, [run["target"]]):
            columns = ("layer", "r_frozen", "r_tuned", "change, 95 %", "shared map", "adapted")
            title = f"{run['name']}: mean test correlation by hidden state, {target}"
            rows = told(table[table["target"] == target], *columns)
            show_table(rows, title=labelled(title, scores.summary))
    if len(scores.layers):
        show_sentences("adapted: a block up to that state was tuned; layers.csv has all targets")


def _show_probes(probes: Probes, folder: Path) -> None:
    show_by_run(probes.rows(), "features read off hidden states", probes.summary)
    names = ",".join(
        f"{one['name']}={one['source']}" if Path(one["source"]).is_file() else one["name"]
        for one in probes.summary["features"]
        if "source" in one  # which what is none of the stimulus lacks
    )
    run = shlex.quote(probes.summary["runs"][0]["path"])
    what_next = f"brainwavlm partition {run} --features {shlex.quote(names)}" if names else ""
    _show_notes(probes, folder, "scores and controls", what_next)


def _show_partition(partition: Partition, folder: Path) -> None:
    """The first target and those that runs were tuned on."""
    targets = _shown(partition.table, {run["target"] for run in partition.runs})
    rows = [row for row in partition.rows() if row["target"] in targets]
    show_table(rows, title=labelled(partition.title, partition.summary))
    drawn = f"brainwavlm figure partition {shlex.quote(str(folder))} --output partition.pdf"
    _show_notes(partition, folder, "targets", drawn)


def _show_speech_task(result: SpeechTask, folder: Path) -> None:
    show_table(result.rows(), title=labelled(result.title, result.summary))
    run = shlex.quote(result.summary["runs"][0]["path"])
    step = f"brainwavlm probe {run} --features mel,phones,word-rate --layers all"
    _show_notes(result, folder, "scores", step)


_SHOWN: dict[type, Callable[[Any, Path], None]] = {
    Evaluation: _show_evaluation,
    Comparison: _show_comparison,
    Transfer: _show_transfer,
    Probes: _show_probes,
    Partition: _show_partition,
    SpeechTask: _show_speech_task,
}


def _shown(table: Any, tuned_on: Collection[str]) -> list[str]:
    """The first target and those that runs were tuned on; the files have all."""
    targets = list(dict.fromkeys(table["target"]))
    return [target for target in targets if target == targets[0] or target in tuned_on]


def _show_notes(result: Result, folder: Path, what: str = "targets", command: str | None = None) -> None:
    step = f"brainwavlm report {shlex.quote(str(folder))}" if command is None else command
    show_end(result.summary["notes"], f"Written, with all {what}: {folder}", step)


def _letter(number: int) -> str:
    """A, B, ... Z, A1, B1, ..."""
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")
