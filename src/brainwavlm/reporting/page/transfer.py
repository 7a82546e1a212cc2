"""The part of a page that tells of a transfer to other subjects."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.figures.folders import main_target
from brainwavlm.reporting.figures.transfer import matrix_table, minutes_table
from brainwavlm.reporting.page import charts
from brainwavlm.reporting.page.tables import Table, headed, intervals, table
from brainwavlm.reporting.page.wording import MOVED, card, in_target, interval_words, verdict
from brainwavlm.results.transfer import Transfer


def transfer_part(transfer: Transfer) -> dict[str, Any]:
    """What the template shows of a transfer."""
    matrix, simulated = transfer.matrix, transfer.simulated
    targets = _shown_targets(transfer)
    fair = matrix_table(matrix[matrix["target"] == targets[0]])
    minutes = [
        charts.minutes_chart(minutes_table(transfer.curve, target), target, "Dotted: untuned.")
        for target in (targets if len(transfer.curve) else ())
    ]
    others = [
        row for row in fair.to_dict("records") if row["scored_on"] not in str(row["tuned_on"]).split("+")
    ]
    return {
        "answers": [_answer(row) for row in others],
        "charts": [one for one in minutes if one],
        "tables": [
            *(
                _matrix_table(rows, target, str(stories), simulated)
                for target in targets
                for stories, rows in matrix[matrix["target"] == target].groupby("stories", sort=False)
            ),
            _cells_table(transfer, simulated),
            _minutes_table(transfer, simulated),
        ],
        "title": f"Transfer to {', '.join(dict.fromkeys(matrix['scored_on']))}",
    }


def _shown_targets(transfer: Transfer) -> list[str]:
    """Whole cortex, or the first; and those that models were tuned on."""
    targets = list(dict.fromkeys(transfer.matrix["target"]))
    tuned = [str(cell["target"]) for cell in transfer.summary["cells"] if "target" in cell]
    return [name for name in dict.fromkeys([main_target(targets), *tuned]) if name in targets]


def _answer(row: Mapping[Any, Any]) -> dict[str, str]:
    where, low, high = in_target(row["target"]), row["low"], row["high"]
    stories = "" if row["stories"] == "all" else ", on stories that tuning never used"
    return card(
        row,
        row["difference"],
        f"{row['run']}: tuned on {row['tuned_on']}, scored on {row['scored_on']}, mean test r {where} from "
        f"{number(row['r_frozen'])} to {number(row['r_tuned'])}",
        f"Tuning on {row['tuned_on']} {MOVED[verdict(low, high)]} the mean test correlation of {row['scored_on']} "
        f"{where} ({signed(row['difference'])}, {interval_words(low, high)}{stories}).",
    )


def _matrix_table(rows: pd.DataFrame, target: str, stories: str, simulated: bool) -> Table:
    """Tuned on by scored on: the change with its interval, on a colour of its size."""
    ends = zip(rows["difference"], intervals(rows["low"], rows["high"]), rows["r_tuned"], strict=True)
    rows = rows.assign(
        tuned=rows["tuned_on"] + " (" + rows["run"] + ")",
        subject="Scored on " + rows["scored_on"],
        text=[f"{signed(change)} ({interval}), r {number(r)}" for change, interval, r in ends],
    )
    tuned, subjects = (list(dict.fromkeys(rows[key])) for key in ("tuned", "subject"))
    texts, changes = (
        rows.pivot(index="tuned", columns="subject", values=key).reindex(index=tuned, columns=subjects)
        for key in ("text", "difference")
    )
    frame = texts.rename_axis(index="Tuned on", columns=None).reset_index()
    frame.insert(0, "", "")
    which = "all test stories" if stories == "all" else "test stories that tuning did not use"
    return table(
        f"Transfer matrix, {target}, {which}",
        "What tuning on one subject (rows) changes in another (columns): tuned minus untuned test correlation "
        f"{in_target(target)}, its 95 % interval, and the tuned r; {which}. Red: better; blue: worse.",
        frame,
        heat=changes.reset_index(drop=True),
        simulated=simulated,
    )


def _cells_table(transfer: Transfer, simulated: bool) -> Table:
    rows = transfer.matrix
    first = {"": "", "Run, subject, target": _names(rows), "Stories": rows["stories"]}
    return table(
        "Every run in every subject",
        "Ridge fitted anew in the subject, on untuned and on tuned features. Stories: all test stories, or only those "
        "that tuning did not use.",
        headed(rows, first, "r_frozen", "r_tuned", "difference", "interval", "n_voxels"),
        file=("matrix.csv", transfer.matrix),
        simulated=simulated,
    )


def _minutes_table(transfer: Transfer, simulated: bool) -> Table | None:
    rows = transfer.needed
    if rows.empty:
        return None
    return table(
        "Minutes of the subject's data",
        "With how many minutes the tuned model reaches what the untuned one scores with all; a dash: not with the "
        "amounts that were tried.",
        headed(rows, {"": "", "Run, subject, target": _names(rows)}, "full_minutes", "minutes_needed"),
        file=("needed.csv", transfer.needed),
        simulated=simulated,
    )


def _names(rows: pd.DataFrame) -> pd.Series:
    return rows["run"] + " in " + rows["scored_on"] + ", " + rows["target"]
