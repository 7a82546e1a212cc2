"""The part of a page that tells which features explain a score, and its gain."""

from typing import Any

import pandas as pd

from brainwavlm.evaluation.variance_shares import MODEL, STIMULUS
from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.figures.partition import MOST_TARGETS, partition_table
from brainwavlm.reporting.page import charts, dot_charts
from brainwavlm.reporting.page.tables import Table, headed, table
from brainwavlm.reporting.page.wording import MOVED, finding, in_target, interval_words, listed, verdict
from brainwavlm.results.partition import Partition

_PARTS = {("shared", STIMULUS): "shared with features", ("unique", MODEL): "model alone"}
_OWN = "R2 of the model by itself: what it shares with the features, and what it alone says. Bars: 95 % intervals."
_JOINT = (
    "R2 of the features and the model together, by what each adds (product measure). Bars: 95 % intervals."
)


def partition_part(partition: Partition) -> dict[str, Any]:
    """What the template shows of a partition: of each run its own target and the first of the others."""
    features = listed([one["name"] for one in partition.summary["features"]])
    several = len(partition.summary["runs"]) > 1
    answers, drawn, shown = [], [], []
    for run in partition.summary["runs"]:
        rows = partition.table[partition.table["run"] == run["name"]]
        targets = [
            name for name in dict.fromkeys([run["target"], *rows["target"]]) if name in set(rows["target"])
        ]
        rows = rows[rows["target"].isin(targets[:MOST_TARGETS])]
        answers.append(_answer(rows[rows["target"] == targets[0]], run["name"], features, several))
        drawn += _charts(rows, f", {run['name']}" * several)
        shown.append(rows)
    tables = [_table(pd.concat(shown), partition)]
    return {
        "answers": answers,
        "charts": drawn,
        "tables": tables,
        "title": f"Shares of a score: {features}",
    }


def _charts(rows: pd.DataFrame, name: str) -> list[charts.Chart]:
    long = partition_table(rows)
    parts = [_PARTS.get(key, "") for key in zip(long["measure"], long["space"], strict=True)]
    own = long.assign(space=parts).query("space != ''")
    joint = long[long["measure"] == "product"]
    return [
        dot_charts.shares_chart(own, f"The model's score{name}", _OWN),
        dot_charts.shares_chart(joint, f"Features and model together{name}", _JOINT),
    ]


def _answer(rows: pd.DataFrame, run: str, features: str, several: bool) -> dict[str, str]:
    """What the change in one target is made of."""
    by_part = rows.set_index(["measure", "space"]).to_dict("index")
    whole = by_part["alone", MODEL]
    changes = {
        key: f"{signed(row['difference'])} ({interval_words(row['low'], row['high'])})"
        for key, row in by_part.items()
    }
    kind, where = verdict(whole["low"], whole["high"]), in_target(whole["target"])
    ends = f"from {number(whole['r2_frozen'])} to {number(whole['r2_tuned'])}"
    return finding(
        kind,
        whole["difference"],
        f"{run}: " * several + f"R2 of the model {where} {ends}",
        f"Tuning {MOVED[kind]} how much the model explains {where}: {changes['alone', MODEL]}.",
        f"Of this, shared with {features}: {changes['shared', STIMULUS]}; of the model alone: "
        f"{changes['unique', MODEL]}.",
    )


def _table(rows: pd.DataFrame, partition: Partition) -> Table:
    names = {"r2_frozen": "score_frozen", "r2_tuned": "score_tuned"}
    first = {
        "run": rows["run"] + ", " + rows["target"],
        "Measure, space": rows["measure"] + ", " + rows["space"],
    }
    return table(
        "Shares of R2",
        "Shares of the variance of responses to test stories. Alone: of a space by itself; unique: lost without "
        "it; shared: what of the model's score it says too; product: its part of the joint prediction; these sum to "
        "the total. Stimulus: all features together.",
        headed(rows.rename(columns=names), first, *names.values(), "difference", "interval", "n_voxels"),
        classes={"Measure, space": "name"},
        file=("partition.csv", partition.table),
        simulated=partition.simulated,
    )
