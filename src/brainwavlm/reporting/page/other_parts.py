"""The parts of a page that tell of a comparison over seeds, and of a transfer to other listeners."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from brainwavlm.reporting.page import wording
from brainwavlm.reporting.page.other_charts import amount_chart, epoch_charts, seed_chart
from brainwavlm.reporting.page.sheets import (
    Cell,
    Sheet,
    column,
    file_link,
    heat,
    interval,
    score,
    sheet,
    text,
    whole,
)
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.transfer import Transfer

_NBSP = "\u00a0"


def comparison_part(found: Comparison) -> dict[str, Any]:
    """What the template shows of a comparison."""
    groups = column(found.groups, "group")
    letters = {group: str(number) for number, group in enumerate(groups, start=1)}
    target = _main_target(column(found.groups, "target"))
    own = found.groups[found.groups["target"] == target]
    charts = [seed_chart(found.runs, target), *epoch_charts(found.epochs, target)]
    return {
        "kind": "comparison",
        "folder": found.path.resolve().name,
        "simulated": bool(found.summary["simulated"]),
        "groups": [f"{letters[group]}: {group}" for group in groups],
        "answers": [_group_answer(row, letters) for row in own.to_dict("records")],
        "charts": [{**one, "note": ""} for one in charts if one],
        "sheets": [_group_sheet(found, letters), *_difference_sheet(found, letters)],
        "notes": found.summary["notes"],
        "versions": found.summary["versions"],
        "title": f"Comparison of {len(groups)} configuration{'s' * (len(groups) > 1)} over seeds",
    }


def transfer_part(found: Transfer) -> dict[str, Any]:
    """What the template shows of a transfer."""
    targets = _shown_targets(found)
    listeners = column(found.matrix, "scored_on")
    amounts = [amount_chart(found.curve, target) for target in targets] if len(found.curve) else []
    return {
        "kind": "transfer",
        "folder": found.path.resolve().name,
        "simulated": bool(found.summary["simulated"]),
        "answers": [
            _cell_answer(row, targets[0])
            for row in found.matrix[found.matrix["target"] == targets[0]].to_dict("records")
            if row["scored_on"] not in str(row["tuned_on"]).split("+") and _is_fair(found.matrix, row)
        ],
        "charts": [{**one, "note": "Dotted: untuned."} for one in amounts if one],
        "sheets": [
            *(
                _matrix_sheet(found.matrix, target, stories)
                for target in targets
                for stories in column(found.matrix, "stories")
            ),
            _cell_sheet(found),
            *_needed_sheet(found),
        ],
        "notes": found.summary["notes"],
        "versions": found.summary["versions"],
        "title": f"Transfer to {', '.join(listeners)}",
    }


def _main_target(targets: Sequence[str]) -> str:
    return "cortex" if "cortex" in targets else targets[0]


def _shown_targets(found: Transfer) -> list[str]:
    there = column(found.matrix, "target")
    tuned = [
        str(cell["target"]) for cell in found.summary["cells"] if isinstance(cell, dict) and "target" in cell
    ]
    return [name for name in dict.fromkeys([_main_target(there), *tuned]) if name in there]


def _verdict(low: float, high: float) -> str:
    return wording.verdict({"low": low, "high": high}) if high > low else "unsure"


def _answer(
    kind: str, change: float, unit: str, sentence: str, elsewhere: str = "", frozen: float = math.nan
) -> dict[str, str]:
    figure = wording.percent(change / frozen) if frozen > 0 else wording.signed(change)
    return {
        "kind": kind,
        "figure": "No gain shown" if kind == "unsure" else figure,
        "unit": unit,
        "sentence": sentence,
        "elsewhere": elsewhere,
    }


def _span(low: float, high: float) -> str:
    if not high > low:
        return "no interval: too little test data"
    return f"95{_NBSP}% interval {wording.signed(low)} to {wording.signed(high)}"


def _where(target: str) -> str:
    return "in whole cortex" if target == "cortex" else f"in {target}"


def _group_answer(row: Mapping[Any, Any], letters: Mapping[str, str]) -> dict[str, str]:
    kind, where = _verdict(row["low"], row["high"]), _where(row["target"])
    seeds = f"{int(row['n_runs'])} run{'s' * (row['n_runs'] != 1)}"
    moved = {"up": "raised", "down": "lowered", "unsure": "did not demonstrably change"}[kind]
    spread = (
        f"Deviation over runs {wording.number(row['deviation'])}."
        if math.isfinite(row["deviation"])
        else "One run: no spread over seeds."
    )
    return _answer(
        kind,
        row["gain"],
        f"{letters[row['group']]}: {row['group']}, mean test r {where} from {wording.number(row['r_frozen'])} to "
        f"{wording.number(row['mean'])}",
        f"Tuning {moved} the mean test correlation {where} ({wording.signed(row['gain'])}, "
        f"{_span(row['low'], row['high'])}, {seeds}).",
        spread,
        row["r_frozen"],
    )


def _cell_answer(row: Mapping[Any, Any], target: str) -> dict[str, str]:
    kind, where = _verdict(row["low"], row["high"]), _where(target)
    moved = {"up": "raised", "down": "lowered", "unsure": "did not demonstrably change"}[kind]
    stories = "" if row["stories"] == "all" else ", on stories that tuning never used"
    return _answer(
        kind,
        row["difference"],
        f"{row['run']}: tuned on {row['tuned_on']}, scored on {row['scored_on']}, mean test r {where} from "
        f"{wording.number(row['r_frozen'])} to {wording.number(row['r_tuned'])}",
        f"Tuning on {row['tuned_on']} {moved} the mean test correlation of {row['scored_on']} {where} "
        f"({wording.signed(row['difference'])}, {_span(row['low'], row['high'])}{stories}).",
        frozen=row["r_frozen"],
    )


def _is_fair(matrix: pd.DataFrame, row: Mapping[Any, Any]) -> bool:
    """Of a run and listener: the row of stories that tuning did not use, where there is one, else all."""
    same = (matrix["run"] == row["run"]) & (matrix["scored_on"] == row["scored_on"])
    unheard = (same & (matrix["stories"] == "unheard")).any()
    return bool(row["stories"] == "unheard" or not unheard)


def _group_sheet(found: Comparison, letters: Mapping[str, str]) -> Sheet:
    rows = [
        [
            text(f"{letters[row['group']]}, {row['target']}"),
            whole(row["n_runs"]),
            score(row["r_frozen"]),
            score(row["mean"]),
            score(row["deviation"]),
            score(row["lowest"]),
            score(row["highest"]),
            score(row["gain"], sign=True),
            interval(row["low"], row["high"]),
            whole(row["n_voxels"]),
        ]
        for row in found.groups.to_dict("records")
    ]
    return sheet(
        "Configurations over seeds",
        "Mean test correlation of each group of runs that differ only in their seed; the interval is of the gain over "
        "the untuned model, over test stories, and holds for these seeds.",
        [
            "Group, target",
            "Runs",
            "Frozen r",
            "Mean r",
            "Deviation",
            "Lowest",
            "Highest",
            "Gain",
            "95 % interval",
            "Voxels",
        ],
        [("", rows)],
        file_link(found.path / "groups.csv"),
    )


def _difference_sheet(found: Comparison, letters: Mapping[str, str]) -> list[Sheet]:
    if found.differences.empty:
        return []
    rows = [
        [
            text(
                f"{letters.get(row['second'], row['second'])} minus {letters.get(row['first'], row['first'])}, "
                f"{row['target']}"
            ),
            score(row["difference"], sign=True),
            interval(row["low"], row["high"]),
            score(row["deviation_over_seeds"]),
        ]
        for row in found.differences.to_dict("records")
    ]
    return [
        sheet(
            "Differences between configurations",
            "Means over seeds on the same test stories, paired; beside it the deviation of the difference over seeds.",
            ["Groups, target", "Difference", "95 % interval", "Deviation over seeds"],
            [("", rows)],
            file_link(found.path / "differences.csv"),
        )
    ]


def _matrix_sheet(matrix: pd.DataFrame, target: str, stories: str) -> Sheet:
    """Tuned on by scored on: the change with its interval, on a colour of its size."""
    rows = matrix[(matrix["target"] == target) & (matrix["stories"] == stories)]
    largest = float(rows["difference"].abs().max()) if len(rows) else 0.0
    listeners = column(matrix, "scored_on")
    lines = []
    for run, own in rows.groupby("run", sort=False):
        cells: list[Cell] = [text(f"{own['tuned_on'].iloc[0]} ({run})")]
        for who in listeners:
            there = own[own["scored_on"] == who]
            if there.empty:
                cells.append({"text": "–", "value": ""})
                continue
            row = there.iloc[0]
            span = interval(row["low"], row["high"])["text"]
            shown = f"{wording.signed(row['difference'])} ({span}), r {wording.number(row['r_tuned'])}"
            cells.append(
                heat({"text": shown, "value": repr(float(row["difference"]))}, row["difference"], largest)
            )
        lines.append(cells)
    which = "all test stories" if stories == "all" else "test stories that tuning did not use"
    return sheet(
        f"Transfer matrix, {target}, {which}",
        "What tuning on one listener (rows) changes in another (columns): tuned minus untuned test correlation "
        f"{_where(target)}, its 95 % interval, and the tuned r; {which}. Red: better; blue: worse.",
        ["Tuned on", *(f"Scored on {who}" for who in listeners)],
        [("", lines)],
    )


def _cell_sheet(found: Transfer) -> Sheet:
    rows = [
        [
            text(f"{row['run']} in {row['scored_on']}, {row['target']}"),
            text(row["stories"]),
            score(row["r_frozen"]),
            score(row["r_tuned"]),
            score(row["difference"], sign=True),
            interval(row["low"], row["high"]),
            whole(row["n_voxels"]),
        ]
        for row in found.matrix.to_dict("records")
    ]
    return sheet(
        "Every run in every listener",
        "Ridge fitted anew in the listener, on untuned and on tuned features. Stories: all test stories, or only those "
        "that tuning did not use.",
        ["Run, listener, target", "Stories", "Frozen r", "Tuned r", "Difference", "95 % interval", "Voxels"],
        [("", rows)],
        file_link(found.path / "matrix.csv"),
    )


def _needed_sheet(found: Transfer) -> list[Sheet]:
    if found.needed.empty:
        return []
    rows = [
        [
            text(f"{row['run']} in {row['scored_on']}, {row['target']}"),
            score(row["full_minutes"], 1),
            score(row["minutes_needed"], 1),
        ]
        for row in found.needed.to_dict("records")
    ]
    return [
        sheet(
            "Minutes of the listener's data",
            "With how many minutes the tuned model reaches what the untuned one scores with all; a dash: not with the "
            "amounts that were tried.",
            ["Run, listener, target", "All minutes", "Minutes needed"],
            [("", rows)],
            file_link(found.path / "needed.csv"),
        )
    ]
