"""The part of a page that tells of a comparison over seeds."""

import math
from collections.abc import Mapping
from typing import Any

from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.figures.curves import epochs_table
from brainwavlm.reporting.figures.findings import seeds_table
from brainwavlm.reporting.figures.folders import main_target
from brainwavlm.reporting.page import charts, dot_charts
from brainwavlm.reporting.page.tables import Table, headed, table
from brainwavlm.reporting.page.wording import MOVED, card, in_target, interval_words, verdict
from brainwavlm.results.comparison import Comparison

_MOST_GROUPS = 12  # in a chart


def comparison_part(comparison: Comparison) -> dict[str, Any]:
    """What the template shows of a comparison."""
    groups = list(dict.fromkeys(comparison.groups["group"]))
    numbers = {group: str(place) for place, group in enumerate(groups, start=1)}
    target = main_target(list(comparison.groups["target"]))
    rows = comparison.groups[comparison.groups["target"] == target].to_dict("records")
    return {
        "groups": [f"{numbers[group]}: {group}" for group in groups],
        "answers": [_answer(row, numbers) for row in rows],
        "charts": _charts(comparison, target, numbers),
        "tables": [_groups_table(comparison, numbers), _differences_table(comparison, numbers)],
        "title": f"Comparison of {len(groups)} configuration{'s' * (len(groups) > 1)} over seeds",
    }


def _charts(comparison: Comparison, target: str, numbers: Mapping[str, str]) -> list[charts.Chart]:
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


def _answer(row: Mapping[Any, Any], numbers: Mapping[str, str]) -> dict[str, str]:
    where, deviation = in_target(row["target"]), row["deviation"]
    runs = f"{int(row['n_runs'])} run{'s' * (row['n_runs'] != 1)}"
    return card(
        row,
        row["gain"],
        f"{numbers[row['group']]}: {row['group']}, mean test r {where} from {number(row['r_frozen'])} to "
        f"{number(row['mean'])}",
        f"Tuning {MOVED[verdict(row['low'], row['high'])]} the mean test correlation {where} "
        f"({signed(row['gain'])}, {interval_words(row['low'], row['high'])}, {runs}).",
        f"Deviation over runs {number(deviation)}."
        if math.isfinite(deviation)
        else "One run: no spread over seeds.",
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
        file=("groups.csv", comparison.groups),
        simulated=comparison.simulated,
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
        file=("differences.csv", comparison.differences),
        simulated=comparison.simulated,
    )
