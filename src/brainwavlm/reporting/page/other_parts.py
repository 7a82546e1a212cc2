"""The parts of a page beside that of an evaluation: comparisons, transfers, probes and partitions."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from brainwavlm.evaluation.probes.tasks import DIMENSION, PLAIN, RESIDUAL, SHUFFLED, UNSEEN
from brainwavlm.evaluation.variance_shares import MODEL, STIMULUS
from brainwavlm.formatting.numbers import capitalised, number, signed
from brainwavlm.reporting.figures import stimulus
from brainwavlm.reporting.figures.curves import epochs_table
from brainwavlm.reporting.figures.folders import main_target
from brainwavlm.reporting.figures.forest import forest_of, seeds_table
from brainwavlm.reporting.figures.lines import lines_of
from brainwavlm.reporting.figures.transfer import matrix_table, minutes_table
from brainwavlm.reporting.page import charts
from brainwavlm.reporting.page.tables import Table, intervals, table
from brainwavlm.reporting.page.wording import card, change_words, in_target, listed, moved
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.partition import Partition
from brainwavlm.results.probes import Probes
from brainwavlm.results.transfer import Transfer

_MOST_GROUPS = 12  # in a chart
_SELECTIVITY = "selectivity"
_PARTS = {("shared", STIMULUS): "shared with features", ("unique", MODEL): "model alone"}
_OWN = "R2 of the model by itself: what it shares with the features, and what it alone says."
_JOINT = "R2 of the features and the model together, by what each adds (product measure)."
_NOTE = "95 % intervals over test stories. Thin: controls, dotted where untuned. Star: the run's own hidden state."


def comparison_part(comparison: Comparison) -> dict[str, Any]:
    """What the template shows of a comparison."""
    groups, pairs = comparison.groups, comparison.differences
    numbers = {group: str(place) for place, group in enumerate(dict.fromkeys(groups["group"]), start=1)}
    target = main_target(list(groups["target"]))
    answered = groups[groups["target"] == target].rename(columns={"gain": "difference"})
    of_group = {"": "", "Group, target": groups["group"].map(numbers) + ", " + groups["target"]}
    second, first = (pairs[key].replace(numbers) for key in ("second", "first"))
    of_pair = {"": "", "Groups, target": second + " minus " + first + ", " + pairs["target"]}
    return {
        "groups": [f"{number}: {group}" for group, number in numbers.items()],
        "answers": [_answer_of_group(row, numbers) for row in answered.to_dict("records")],
        "charts": _group_charts(comparison, target, numbers),
        "tables": [
            table("Configurations over seeds", groups, of_group, of=(comparison, "groups")),
            table("Differences between configurations", pairs, of_pair, of=(comparison, "differences")),
        ],
        "title": f"Comparison of {len(numbers)} configuration{'s' * (len(numbers) > 1)} over seeds",
    }


def _group_charts(comparison: Comparison, target: str, numbers: Mapping[str, str]) -> list[charts.Chart]:
    drawn = list(numbers)[:_MOST_GROUPS]
    seeds = seeds_table(comparison, [target])
    seeds = seeds[seeds["group"].isin(drawn)]
    epochs = epochs_table(comparison.epochs[comparison.epochs["group"].isin(drawn)], target)
    named = [one.assign(label=one["group"].map(numbers) + ". " + one["label"]) for one in (seeds, epochs)]
    every = [charts.forest_chart(forest_of(named[0]), f"Spread over seeds, {target}", charts.DOTS_NOTE)]
    for score, rows in named[1].groupby("score", sort=False):
        what = "validation r, the run's own readout" if score == "validation" else "test r, fresh ridge"
        every.append(charts.lines_chart(lines_of(rows, what), f"By epoch: {what}"))
    return [one for one in every if one]


def _answer_of_group(row: Mapping[Any, Any], numbers: Mapping[str, str]) -> dict[str, str]:
    where, deviation = in_target(row["target"]), row["deviation"]
    runs = f", {int(row['n_runs'])} run{'s' * (row['n_runs'] != 1)}"
    spread = f"Deviation over runs {number(deviation)}."
    ends = f"mean test r {where} from {number(row['r_frozen'])} to {number(row['mean'])}"
    return card(
        row,
        f"{numbers[row['group']]}: {row['group']}, {ends}",
        moved(row, f"the mean test correlation {where}", runs),
        spread if deviation == deviation else "One run: no spread over seeds.",
    )


def transfer_part(transfer: Transfer) -> dict[str, Any]:
    """What the template shows of a transfer."""
    matrix, simulated = transfer.matrix, transfer.simulated
    # Whole cortex, or the first; and those that models were tuned on.
    tuned = [str(cell["target"]) for cell in transfer.summary["cells"] if "target" in cell]
    shown = dict.fromkeys([main_target(matrix["target"].tolist()), *tuned])
    targets = [name for name in shown if name in set(matrix["target"])]
    fair = matrix_table(matrix[matrix["target"] == targets[0]])
    drawn = targets if len(transfer.curve) else ()
    lines = {target: minutes_table(transfer.curve, target).query("part == 'mean'") for target in drawn}
    title, note = "Amount of the subject's data", "Dotted: untuned."
    minutes = [charts.lines_chart(lines_of(rows), f"{title}, {name}", note) for name, rows in lines.items()]
    others = [row for row in fair.to_dict("records") if row["scored_on"] not in row["tuned_on"].split("+")]
    of_cell, of_run = (
        {"": "", "Run, subject, target": rows["run"] + " in " + rows["scored_on"] + ", " + rows["target"]}
        for rows in (matrix, transfer.needed)
    )
    of_cell |= {"Stories": matrix["stories"]}
    return {
        "answers": [_answer_of_cell(row) for row in others],
        "charts": [one for one in minutes if one],
        "tables": [
            *(
                _matrix_table(rows, target, str(stories), simulated)
                for target in targets
                for stories, rows in matrix[matrix["target"] == target].groupby("stories", sort=False)
            ),
            table("Every run in every subject", matrix, of_cell, of=(transfer, "matrix")),
            table("Minutes of the subject's data", transfer.needed, of_run, of=(transfer, "needed")),
        ],
        "title": f"Transfer to {', '.join(dict.fromkeys(matrix['scored_on']))}",
    }


def _answer_of_cell(row: Mapping[Any, Any]) -> dict[str, str]:
    where, tuned_on = in_target(row["target"]), row["tuned_on"]
    stories = "" if row["stories"] == "all" else ", on stories that tuning never used"
    ends = f"mean test r {where} from {number(row['r_frozen'])} to {number(row['r_tuned'])}"
    r = f"the mean test correlation of {row['scored_on']} {where}"
    unit = f"{row['run']}: tuned on {tuned_on}, scored on {row['scored_on']}, {ends}"
    return card(row, unit, moved(row, r, stories, f"Tuning on {tuned_on}"))


def _matrix_table(rows: pd.DataFrame, target: str, stories: str, simulated: bool) -> Table | None:
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
    about: dict[str, Any] = {"target": target, "which": which, "where": in_target(target)}
    heat = changes.reset_index(drop=True)
    return table("Transfer matrix, {target}, {which}", frame, heat=heat, simulated=simulated, **about)


def probes_part(probes: Probes) -> dict[str, Any]:
    """What the template shows of probes: charts where there are several hidden states, the table of each run's own."""
    first = stimulus.first_scores(probes)
    of_run = first.groupby("run")
    last = (first["layer"] == of_run["layer"].transform("max")) & ~of_run["is_own"].transform("any")
    own = first[first["is_own"] | last].reset_index(drop=True)
    several = own["run"].nunique() > 1
    alike = ["run", "feature"]
    panels = {
        stimulus.panel_name(rows) + f", {rows['run'].iloc[0]}" * several: stimulus.probes_lines(rows)
        for _, rows in stimulus.probes_table(probes).groupby(alike, sort=False)
        if rows["layer"].nunique() > 1
    }
    return {
        "answers": [_answer_of_probes(rows, several) for _, rows in own.groupby(alike, sort=False)],
        "charts": [charts.lines_chart(lines, title, _NOTE) for title, lines in panels.items()],
        "tables": _tables(own, probes),
        "title": f"What hidden states hold: {listed(list(own['feature']))}",
    }


def _answer_of_probes(rows: pd.DataFrame, several: bool) -> dict[str, str]:
    by_control = rows.set_index("control").to_dict("index")
    row, chance = by_control[PLAIN], by_control.get(_SELECTIVITY)
    what, state = row["feature"], f"hidden state {row['layer']}"
    held = f"how many dimensions {state} has" if what == DIMENSION else f"what {state} holds of {what}"
    sentence = moved(row, held)
    is_held = not chance or max(chance["low_frozen"], chance["low_tuned"]) > 0
    if not is_held:
        sentence = f"Nothing shows that {state} holds {what}: shuffled labels are read off as well."
    asked = [one for one in (RESIDUAL, UNSEEN) if one in by_control]
    names = {one: capitalised(stimulus.NAMES[one]) for one in asked}
    controls = " ".join(f"{name}: {change_words(by_control[one])}." for one, name in names.items())
    scores = f"{state}: from {number(row['score_frozen'])} to {number(row['score_tuned'])}"
    unit = f"{row['run']}: " * several + f"{stimulus.panel_name(rows)}, {scores}"
    return card(row, unit, sentence, controls, is_known=is_held)


def _labels(rows: pd.DataFrame) -> list[str]:
    """Feature and score, and what it was asked under."""
    names = {control: f": {name}" for control, name in stimulus.NAMES.items()}
    names |= {PLAIN: "", _SELECTIVITY: ": above shuffled labels"}
    return [
        stimulus.panel_name(rows.iloc[[place]]) + names[control]
        for place, control in enumerate(rows["control"])
    ]


def _tables(own: pd.DataFrame, probes: Probes) -> list[Table | None]:
    """What is read off each run's own hidden state, and means over seeds."""
    several = probes.table["layer"].nunique() > 1
    first = {"run": own["run"] + ", hidden state " + own["layer"].astype(str), "Feature": _labels(own)}
    rows = own if several else own.drop(columns="q")
    about_q = " q: false discovery rate over hidden states." * several
    classes = {"Feature": "name"}
    read = table("What is read off", rows, first, classes=classes, of=(probes, "table"), about_q=about_q)
    alike = ["layer", "feature", "control", "score"]
    seeds = probes.seeds
    if len(seeds):
        seeds = seeds.merge(own.loc[own["control"] != SHUFFLED, alike].drop_duplicates())
    first = {"run": seeds["group"], "Feature": _labels(seeds)} if len(seeds) else {}
    return [read, table("Means over seeds", seeds, first, classes=classes, of=(probes, "seeds"))]


def partition_part(partition: Partition) -> dict[str, Any]:
    """What the template shows of a partition: of each run its own target and the first of the others."""
    features = listed([one["name"] for one in partition.summary["features"]])
    several = len(partition.summary["runs"]) > 1
    answers, drawn, shown = [], [], []
    for run in partition.summary["runs"]:
        rows = partition.table[partition.table["run"] == run["name"]]
        tuned_on = rows.loc[rows["target"] == run["target"], "target"]
        targets = list(dict.fromkeys([*tuned_on, *rows["target"]]))
        rows = rows[rows["target"].isin(targets[: stimulus.MOST_TARGETS])]
        answers.append(_answer_of_shares(rows[rows["target"] == targets[0]], run["name"], features, several))
        shares, name = stimulus.partition_table(rows), f", {run['name']}" * several
        parts = [_PARTS.get(key, "") for key in zip(shares["measure"], shares["space"], strict=True)]
        own, joint = shares.assign(space=parts).query("space != ''"), shares[shares["measure"] == "product"]
        drawn.append(charts.shares_chart(own, f"The model's score{name}", _OWN))
        drawn.append(charts.shares_chart(joint, f"Features and model together{name}", _JOINT))
        shown.append(rows)
    rows = pd.concat(shown).rename(columns={"r2_frozen": "score_frozen", "r2_tuned": "score_tuned"})
    measure = "Measure, space"
    first = {"run": rows["run"] + ", " + rows["target"], measure: rows["measure"] + ", " + rows["space"]}
    read = table("Shares of R2", rows, first, classes={measure: "name"}, of=(partition, "table"))
    about = {"title": f"Shares of a score: {features}", "tables": [read]}
    return {"answers": answers, "charts": drawn, **about}


def _answer_of_shares(rows: pd.DataFrame, run: str, features: str, several: bool) -> dict[str, str]:
    """What the change in one target is made of."""
    by_part = rows.set_index(["measure", "space"]).to_dict("index")
    whole, where = by_part["alone", MODEL], in_target(rows["target"].iloc[0])
    shared, alone = (change_words(by_part[key]) for key in (("shared", STIMULUS), ("unique", MODEL)))
    ends = f"from {number(whole['r2_frozen'])} to {number(whole['r2_tuned'])}"
    return card(
        whole,
        f"{run}: " * several + f"R2 of the model {where} {ends}",
        moved(whole, f"how much the model explains {where}"),
        f"Of this, shared with {features}: {shared}; of the model alone: {alone}.",
    )
