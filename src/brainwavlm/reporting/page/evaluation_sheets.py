"""Tables of an evaluation besides its scores: tests against chance, and tasks."""

from collections.abc import Mapping
from typing import Any

from brainwavlm.reporting.page import wording
from brainwavlm.reporting.page.sheets import Sheet, chance, interval, score, sheet, text, whole
from brainwavlm.results.evaluation import Results

_TESTS = (
    "p_frozen",
    "p_tuned",
    "p_difference",
    "voxels_frozen",
    "voxels_tuned",
    "voxels_better",
    "voxels_worse",
)


def run_title(run: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Heading of a run: its label, and its name where the label lacks it."""
    label, named = labels[run["name"]], f"({run['name']})"
    return wording.capitalised(label if label.endswith(named) else f"{label} (run {run['name']})")


def tests_sheet(results: Results, rows: Mapping[str, list], labels: Mapping[str, str]) -> Sheet | None:
    """Tests against chance, by target; None for an evaluation of before them."""
    if not set(_TESTS) <= set(results.table):
        return None
    timed = "r_time_only" in results.table and bool(results.table["r_time_only"].notna().any())
    bounds = {"low_frozen", "high_frozen", "low_tuned", "high_tuned"} <= set(results.table)
    columns = ["Target", "p frozen", "p tuned", "p change"]
    columns += ["Frozen 95 %", "Tuned 95 %"] if bounds else []
    columns += ["Voxels frozen", "Voxels tuned", "Better", "Worse", *(["Time only r", "p"] if timed else [])]
    groups = []
    for run in results.runs:
        cells = []
        for row in rows[run["name"]]:
            some = [text(row["target"]), *(chance(row[key]) for key in _TESTS[:3])]
            if bounds:
                some += [
                    interval(row[f"low_{key}"], row[f"high_{key}"], sign=False) for key in ("frozen", "tuned")
                ]
            some += [whole(row[key]) for key in _TESTS[3:]]
            if timed:
                some += [score(row["r_time_only"]), chance(row.get("p_time_only", float("nan")))]
            cells.append(some)
        groups.append((run_title(run, labels), cells))
    return sheet(
        "Tests against chance",
        "p of each mean and of their difference; 95 % intervals of the means; voxels with q < .05 (false discovery "
        "rate): predicted by each model, better and worse after tuning. Time only: a model that knows only time; "
        "where it scores, so would a split that leaks.",
        columns,
        groups,
    )


def tasks_sheet(results: Results, labels: Mapping[str, str]) -> Sheet | None:
    """What is said in clips, by task and hidden state; None where no task was asked for."""
    table = results.downstream
    if not len(table):
        return None
    return sheet(
        "What is said",
        "Which phones or words are in a second of sound from the test stories, by a linear classifier on a hidden "
        "state: mean area under the receiver operating characteristic (AUC) over labels, .5 by chance. Where the "
        "whole interval of the change lies below 0, the tuned model has lost something; where it contains 0, no change "
        "is shown.",
        ("Task", "Hidden state", "Labels", "Frozen AUC", "Tuned AUC", "Change", "95 % interval"),
        [
            (
                run_title(run, labels),
                [
                    [
                        text(row["task"]),
                        whole(row["layer"]),
                        whole(row["n_labels"]),
                        *(score(row[key]) for key in ("auc_frozen", "auc_tuned")),
                        score(row["difference"], sign=True),
                        interval(row["low"], row["high"]),
                    ]
                    for row in table[table["run"] == run["name"]].to_dict("records")
                ],
            )
            for run in results.runs
        ],
    )
