"""What `compare`, `transfer` and `evaluate --layers --downstream` print, for people. No science, no files."""

import math
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape

from brainwavlm.cli import console as terminal
from brainwavlm.cli.console import labelled, show_ridge, show_scores, show_table
from brainwavlm.cli.options import print_json
from brainwavlm.files import read_json
from brainwavlm.formatting.numbers import plus_minus, shared_change
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.open import open_result
from brainwavlm.results.partition import Partition
from brainwavlm.results.probes import Probes
from brainwavlm.results.speech_task import SpeechTask
from brainwavlm.results.transfer import Transfer


def show_written(folder: Path, json: bool) -> None:
    """The result that a command wrote into a folder, as that command showed it."""
    if json:
        print_json(read_json(folder / "summary.json"))
        return
    result = open_result(folder)
    if isinstance(result, Comparison):
        show_comparison(result, folder)
    elif isinstance(result, Transfer):
        show_transfer(result, folder)
    elif isinstance(result, Probes):
        show_probes(result, folder)
    elif isinstance(result, Partition):
        show_partition(result, folder)
    elif isinstance(result, SpeechTask):
        show_speech_task(result, folder)
    elif not result.tuned:
        show_ridge(result.runs[0]["frozen"], folder)
    else:
        show_scores(result, folder)
        show_layers(result)
        show_downstream(result)


def show_comparison(comparison: Any, folder: Path) -> None:
    """The result of `compare`."""
    letters = {row["group"]: _letter(number) for number, row in enumerate(comparison.summary["groups"])}
    for row in comparison.summary["groups"]:
        seeds = ", ".join(map(str, row["seeds"]))
        terminal.console.print(
            f"{letters[row['group']]}: {escape(row['group'])} (subject {escape(row['subject'])}, seeds {seeds})",
            soft_wrap=True,
        )
    groups = [
        {
            "group": letters[row["group"]],
            "target": row["target"],
            "runs": int(row["n_runs"]),
            "frozen": row["r_frozen"],
            "tuned": row["mean"],
            "deviation": row["deviation"],
            "gain, 95 %": plus_minus(row["gain"], row["low"], row["high"]),
            "shared map": shared_change(row, "gain"),
        }
        for row in comparison.groups.to_dict("records")
    ]
    show_table(groups, title=labelled("Mean test correlation over seeds", comparison.summary))
    epochs = [
        {
            "group": letters[row["group"]],
            "score": row["score"],
            "target": row["target"],
            "epoch": int(row["epoch"]),
            "runs": int(row["n_runs"]),
            "mean": row["mean"],
            "deviation": row["deviation"],
        }
        for row in comparison.epochs.to_dict("records")
        if row["score"] == "validation" or row["target"] in _shown(comparison.groups, ())
    ]
    show_table(epochs, title=labelled("Over seeds, by epoch", comparison.summary))
    differences = [
        {
            "groups": f"{letters[row['second']]} - {letters[row['first']]}",
            "target": row["target"],
            "difference, 95 %": plus_minus(row["difference"], row["low"], row["high"]),
            "shared map": shared_change(row),
            "deviation over seeds": row["deviation_over_seeds"],
        }
        for row in comparison.differences.to_dict("records")
    ]
    show_table(
        differences, title=labelled("Differences between groups, the same test stories", comparison.summary)
    )
    _show_notes(comparison.summary, folder)


def show_transfer(scores: Any, folder: Path) -> None:
    """The result of `transfer`."""
    table = scores.matrix.to_dict("records")
    targets = _shown(scores.matrix, [cell["target"] for cell in scores.summary["cells"]])
    for target in targets:
        rows = [
            {
                "run": row["run"],
                "tuned on": row["tuned_on"],
                "scored on": row["scored_on"],
                "stories": row["stories"],
                "frozen": row["r_frozen"],
                "tuned": row["r_tuned"],
                "change, 95 %": plus_minus(row["difference"], row["low"], row["high"]),
                "shared map": shared_change(row),
                "own readout": row["r_readout"],
            }
            for row in table
            if row["target"] == target
        ]
        show_table(rows, title=labelled(f"Mean test correlation, {target}", scores.summary))
    needed = [
        {
            "run": row["run"],
            "scored on": row["scored_on"],
            "target": row["target"],
            "frozen": row["r_frozen"],
            "with minutes": round(row["full_minutes"], 1),
            "tuned needs": "-" if math.isnan(row["minutes_needed"]) else f"{row['minutes_needed']:.1f}",
        }
        for row in scores.needed.to_dict("records")
        if row["target"] in targets
    ]
    if needed:
        show_table(needed, title=labelled("Minutes to reach the untuned model's score", scores.summary))
    _show_notes(scores.summary, folder)


def show_layers(scores: Any) -> None:
    """Scores by hidden state, where `evaluate` was asked for them."""
    for described in scores.summary["runs"] if len(scores.layers) else ():
        table = scores.layers[scores.layers["run"] == described["name"]]
        for target in _shown(table, [described["target"]]):
            rows = [
                {
                    "layer": int(row["layer"]),
                    "frozen": row["r_frozen"],
                    "tuned": row["r_tuned"],
                    "change, 95 %": plus_minus(row["difference"], row["low"], row["high"]),
                    "shared map": shared_change(row),
                    "adapted": row["adapted"],
                }
                for row in table[table["target"] == target].to_dict("records")
            ]
            title = f"{described['name']}: mean test correlation by hidden state, {target}"
            show_table(rows, title=labelled(title, scores.summary))
    if len(scores.layers):
        terminal.console.print(
            "adapted: a block up to that state was tuned; layers.csv has all targets", soft_wrap=True
        )


def show_downstream(scores: Any) -> None:
    """Scores of tasks, where `evaluate` was asked for them."""
    for described in scores.summary["runs"] if len(scores.downstream) else ():
        table = scores.downstream[scores.downstream["run"] == described["name"]]
        rows = [
            {
                "said": row["task"],
                "labels": int(row["n_labels"]),
                "layer": int(row["layer"]),
                "frozen": row["auc_frozen"],
                "tuned": row["auc_tuned"],
                "change, 95 %": plus_minus(row["difference"], row["low"], row["high"]),
            }
            for row in table.to_dict("records")
        ]
        show_table(
            rows, title=f"{described['name']}: what is said in clips, mean AUC over labels (chance .5)"
        )


def show_probes(probes: Probes, folder: Path) -> None:
    """The result of `probe`: the first score of each feature, and the tuned model's under each control."""
    rows = probes.rows()
    for run in dict.fromkeys(row["run"] for row in rows):
        some = [
            {key: value for key, value in row.items() if key != "run"} for row in rows if row["run"] == run
        ]
        show_table(some, title=labelled(f"{run}: features read off hidden states", probes.summary))
    names = ",".join(
        f"{one['name']}={one['source']}" if Path(one["source"]).is_file() else one["name"]
        for one in probes.summary["features"]
        if "source" in one  # which what is none of the stimulus lacks
    )
    run = shlex.quote(probes.summary["runs"][0]["path"])
    what_next = f"brainwavlm partition {run} --features {shlex.quote(names)}" if names else ""
    _show_notes(probes.summary, folder, "scores and controls", what_next)


def show_partition(partition: Partition, folder: Path) -> None:
    """The result of `partition`: the first target and those that runs were tuned on."""
    targets = _shown(partition.table, {run["target"] for run in partition.summary["runs"]})
    rows = [row for row in partition.rows() if row["target"] in targets]
    show_table(rows, title=labelled("R2 by region, measure and space", partition.summary))
    drawn = f"brainwavlm figure partition {shlex.quote(str(folder))} --output partition.pdf"
    _show_notes(partition.summary, folder, "targets", drawn)


def show_speech_task(result: SpeechTask, folder: Path) -> None:
    """The result of `downstream`."""
    show_table(result.rows(), title=labelled(f"Speech task: {result.summary['task']}", result.summary))
    run = shlex.quote(result.summary["runs"][0]["path"])
    _show_notes(
        result.summary,
        folder,
        "scores",
        f"brainwavlm probe {run} --features mel,phones,word-rate --layers all",
    )


def _shown(table: Any, tuned_on: Collection[str]) -> list[str]:
    """The first target and those that runs were tuned on; the files have all."""
    targets = list(dict.fromkeys(table["target"]))
    return [target for target in targets if target == targets[0] or target in tuned_on]


def _show_notes(
    summary: Mapping[str, Any], folder: Path, what: str = "targets", command: str | None = None
) -> None:
    for note in summary["notes"]:
        terminal.console.print(f"  {escape(note)}", soft_wrap=True)
    terminal.console.print(f"Written, with all {what}: {escape(str(folder))}", soft_wrap=True)
    command = f"brainwavlm report {shlex.quote(str(folder))}" if command is None else command
    if command:
        terminal.console.print(f"Next:  {escape(command)}", soft_wrap=True)


def _letter(number: int) -> str:
    """A, B, ... Z, A1, B1, ..."""
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")
