"""The parts of a page that tell of several runs: of configurations over their seeds, and in other subjects."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.figures.curves import epochs_table
from brainwavlm.reporting.figures.findings import seeds_table
from brainwavlm.reporting.figures.folders import main_target
from brainwavlm.reporting.figures.transfer import matrix_table, minutes_table
from brainwavlm.reporting.page import charts, dot_charts
from brainwavlm.reporting.page.tables import Table, headed, intervals, table
from brainwavlm.reporting.page.wording import MOVED, card, in_target, interval_words, verdict
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.transfer import Transfer

_MOST_GROUPS = 12  # in a chart


def comparison_part(comparison: Comparison) -> dict[str, Any]:
    """What the template shows of a comparison."""
    groups = list(dict.fromkeys(comparison.groups["group"]))
    numbers = {group: str(place) for place, group in enumerate(groups, start=1)}
    target = main_target(list(comparison.groups["target"]))
    rows = comparison.groups[comparison.groups["target"] == target].to_dict("records")
    return {
        "groups": [f"{numbers[group]}: {group}" for group in groups],
        "answers": [_answer_of_group(row, numbers) for row in rows],
        "charts": _group_charts(comparison, target, numbers),
        "tables": [_groups_table(comparison, numbers), _differences_table(comparison, numbers)],
        "title": f"Comparison of {len(groups)} configuration{'s' * (len(groups) > 1)} over seeds",
    }


def _group_charts(comparison: Comparison, target: str, numbers: Mapping[str, str]) -> list[charts.Chart]:
    drawn = list(numbers)[:_MOST_GROUPS]
    seeds = seeds_table(comparison, [target])
    seeds = seeds[seeds["group"].isin(drawn)]
    epochs = epochs_table(comparison.epochs[comparison.epochs["group"].isin(drawn)], target)
    named = [one.assign(label=one["group"].map(numbers) + ". " + one["label"]) for one in (seeds, epochs)]
    every = [dot_charts.findings_chart(named[0], f"Spread over seeds, {target}", dot_charts.DOTS_NOTE)]
    for score, rows in named[1].groupby("score", sort=False):
        what = "validation r, the run's own readout" if score == "validation" else "test r, fresh ridge"
        every.append(charts.epochs_chart(rows, what))
    return [one for one in every if one]


def _answer_of_group(row: Mapping[Any, Any], numbers: Mapping[str, str]) -> dict[str, str]:
    where, deviation = in_target(row["target"]), row["deviation"]
    runs = f"{int(row['n_runs'])} run{'s' * (row['n_runs'] != 1)}"
    spread = f"Deviation over runs {number(deviation)}."
    if deviation != deviation:
        spread = "One run: no spread over seeds."
    return card(
        row,
        row["gain"],
        f"{numbers[row['group']]}: {row['group']}, mean test r {where} from {number(row['r_frozen'])} to "
        f"{number(row['mean'])}",
        f"Tuning {MOVED[verdict(row['low'], row['high'])]} the mean test correlation {where} "
        f"({signed(row['gain'])}, {interval_words(row['low'], row['high'])}, {runs}).",
        spread,
    )


def _groups_table(comparison: Comparison, numbers: Mapping[str, str]) -> Table:
    rows = comparison.groups
    first = {"": "", "Group, target": rows["group"].map(numbers) + ", " + rows["target"]}
    scores = ("r_frozen", "mean", "deviation", "lowest", "highest", "gain", "interval")
    return table(
        "Configurations over seeds",
        "Mean test correlation of each group of runs that differ only in their seed; the interval is of the gain over "
        "the untuned model, over test stories, and holds for these seeds.",
        headed(rows, first, "n_runs", *scores, "n_voxels"),
        of=(comparison, "groups"),
    )


def _differences_table(comparison: Comparison, numbers: Mapping[str, str]) -> Table | None:
    rows = comparison.differences
    if rows.empty:
        return None
    second, first_group = (rows[key].replace(dict(numbers)) for key in ("second", "first"))
    first = {"": "", "Groups, target": second + " minus " + first_group + ", " + rows["target"]}
    return table(
        "Differences between configurations",
        "Means over seeds on the same test stories, paired; beside it the deviation of the difference over seeds.",
        headed(rows, first, "difference", "interval", "deviation_over_seeds"),
        of=(comparison, "differences"),
    )


def transfer_part(transfer: Transfer) -> dict[str, Any]:
    """What the template shows of a transfer."""
    matrix, simulated = transfer.matrix, transfer.simulated
    targets = _shown_targets(transfer)
    fair = matrix_table(matrix[matrix["target"] == targets[0]])
    drawn = targets if len(transfer.curve) else ()
    minutes = [charts.minutes_chart(minutes_table(transfer.curve, target), target) for target in drawn]
    others = [row for row in fair.to_dict("records") if row["scored_on"] not in row["tuned_on"].split("+")]
    return {
        "answers": [_answer_of_cell(row) for row in others],
        "charts": [one for one in minutes if one],
        "tables": [
            *(
                _matrix_table(rows, target, str(stories), simulated)
                for target in targets
                for stories, rows in matrix[matrix["target"] == target].groupby("stories", sort=False)
            ),
            _cells_table(transfer),
            _minutes_table(transfer),
        ],
        "title": f"Transfer to {', '.join(dict.fromkeys(matrix['scored_on']))}",
    }


def _shown_targets(transfer: Transfer) -> list[str]:
    """Whole cortex, or the first; and those that models were tuned on."""
    targets = list(dict.fromkeys(transfer.matrix["target"]))
    tuned = [str(cell["target"]) for cell in transfer.summary["cells"] if "target" in cell]
    return [name for name in dict.fromkeys([main_target(targets), *tuned]) if name in targets]


def _answer_of_cell(row: Mapping[Any, Any]) -> dict[str, str]:
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


def _cells_table(transfer: Transfer) -> Table:
    rows = transfer.matrix
    first = {"": "", "Run, subject, target": _names(rows), "Stories": rows["stories"]}
    return table(
        "Every run in every subject",
        "Ridge fitted anew in the subject, on untuned and on tuned features. Stories: all test stories, or only those "
        "that tuning did not use.",
        headed(rows, first, "r_frozen", "r_tuned", "difference", "interval", "n_voxels"),
        of=(transfer, "matrix"),
    )


def _minutes_table(transfer: Transfer) -> Table | None:
    rows = transfer.needed
    if rows.empty:
        return None
    return table(
        "Minutes of the subject's data",
        "With how many minutes the tuned model reaches what the untuned one scores with all; a dash: not with the "
        "amounts that were tried.",
        headed(rows, {"": "", "Run, subject, target": _names(rows)}, "full_minutes", "minutes_needed"),
        of=(transfer, "needed"),
    )


def _names(rows: pd.DataFrame) -> pd.Series:
    return rows["run"] + " in " + rows["scored_on"] + ", " + rows["target"]
