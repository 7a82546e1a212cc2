"""The parts of a page that tell what hidden states hold of the stimulus, and what of a score it explains."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from brainwavlm.evaluation.probes.tasks import DIMENSION, PLAIN, RESIDUAL, SHUFFLED, UNSEEN
from brainwavlm.evaluation.variance_shares import MODEL, STIMULUS
from brainwavlm.formatting.numbers import capitalised, number, signed
from brainwavlm.reporting.figures.stimulus import (
    CONTROLS,
    MOST_TARGETS,
    first_scores,
    panel_name,
    partition_table,
    probes_table,
)
from brainwavlm.reporting.page import charts, dot_charts
from brainwavlm.reporting.page.tables import Table, headed, intervals, table
from brainwavlm.reporting.page.wording import MOVED, finding, in_target, interval_words, listed, verdict
from brainwavlm.results.partition import Partition
from brainwavlm.results.probes import Probes

_SELECTIVITY = "selectivity"
_NAMES = {control: f": {name}" for control, (name, *_) in CONTROLS.items()}
_NAMES |= {PLAIN: "", _SELECTIVITY: ": above shuffled labels"}
_NOTE = "95 % intervals over test stories. Thin: controls, dotted where untuned. Dashed: the run's own hidden state."
_PARTS = {("shared", STIMULUS): "shared with features", ("unique", MODEL): "model alone"}
_OWN = "R2 of the model by itself: what it shares with the features, and what it alone says."
_JOINT = "R2 of the features and the model together, by what each adds (product measure)."


def probes_part(probes: Probes) -> dict[str, Any]:
    """What the template shows of probes: charts where there are several hidden states, the table of each run's own."""
    first = first_scores(probes)
    of_run = first.groupby("run")
    last = (first["layer"] == of_run["layer"].transform("max")) & ~of_run["is_own"].transform("any")
    own = first[first["is_own"] | last].reset_index(drop=True)
    several = own["run"].nunique() > 1
    alike = ["run", "feature"]
    panels = [rows for _, rows in probes_table(probes).groupby(alike, sort=False)]
    return {
        "answers": [_answer_of_probes(rows, several) for _, rows in own.groupby(alike, sort=False)],
        "charts": [
            charts.probes_chart(rows, panel_name(rows) + f", {rows['run'].iloc[0]}" * several, _NOTE)
            for rows in panels
            if rows["layer"].nunique() > 1
        ],
        "tables": [_scores_table(own, probes), _seeds_table(own, probes)],
        "title": f"What hidden states hold: {listed(list(own['feature']))}",
    }


def _answer_of_probes(rows: pd.DataFrame, several: bool) -> dict[str, str]:
    by_control = rows.set_index("control").to_dict("index")
    row, chance = by_control[PLAIN], by_control.get(_SELECTIVITY)
    what, state = row["feature"], f"hidden state {row['layer']}"
    kind = verdict(row["low"], row["high"])
    held = f"how many dimensions {state} has" if what == DIMENSION else f"what {state} holds of {what}"
    sentence = f"Tuning {MOVED[kind]} {held} ({_change(row)})."
    if chance and not max(chance["low_frozen"], chance["low_tuned"]) > 0:
        kind = "unsure"
        sentence = f"Nothing shows that {state} holds {what}: shuffled labels are read off as well."
    asked = [one for one in (RESIDUAL, UNSEEN) if one in by_control]
    controls = " ".join(f"{capitalised(CONTROLS[one][0])}: {_change(by_control[one])}." for one in asked)
    scores = f"{state}: from {number(row['score_frozen'])} to {number(row['score_tuned'])}"
    unit = f"{row['run']}: " * several + f"{panel_name(rows)}, {scores}"
    return finding(kind, row["difference"], unit, sentence, controls)


def _change(row: Mapping[Any, Any], as_text: str = "{}, {}") -> str:
    return as_text.format(signed(row["difference"]), interval_words(row["low"], row["high"]))


def _names(rows: pd.DataFrame) -> list[str]:
    """Feature and score, and what it was asked under."""
    return [panel_name(rows.iloc[[place]]) + _NAMES[control] for place, control in enumerate(rows["control"])]


def _scores_table(rows: pd.DataFrame, probes: Probes) -> Table:
    several = ["q"] * (probes.table["layer"].nunique() > 1)
    first = {"run": rows["run"] + ", hidden state " + rows["layer"].astype(str), "Feature": _names(rows)}
    return table(
        "What is read off",
        "How well a linear map reads a feature of the stimulus off the hidden state, on test stories; the interval: of "
        "the difference tuned minus untuned. Beyond low level: sound, phones and rates are regressed out first; low "
        "level alone: they stand in the state's place. What tuning does not touch has one score and no difference."
        + " q: false discovery rate over hidden states."
        * len(several),
        headed(rows, first, "score_frozen", "score_tuned", "difference", "interval", *several, "n_labels"),
        classes={"Feature": "name"},
        of=(probes, "table"),
    )


def _seeds_table(own: pd.DataFrame, probes: Probes) -> Table | None:
    if probes.seeds.empty:
        return None
    alike = ["layer", "feature", "control", "score"]
    rows = probes.seeds.merge(own.loc[own["control"] != SHUFFLED, alike].drop_duplicates())
    first = {"run": rows["group"], "Feature": _names(rows)}
    frame = headed(rows, first, "layer", "n_runs", "score_frozen", "score_tuned", "difference", "interval")
    frame["95 % over seeds"] = intervals(rows["seed_low"], rows["seed_high"])
    return table(
        "Means over seeds",
        "Runs that are equal but for the seed: the first interval is over test stories, the second over seeds.",
        frame,
        classes={"Feature": "name"},
        of=(probes, "seeds"),
    )


def partition_part(partition: Partition) -> dict[str, Any]:
    """What the template shows of a partition: of each run its own target and the first of the others."""
    features = listed([one["name"] for one in partition.summary["features"]])
    several = len(partition.summary["runs"]) > 1
    answers, drawn, shown = [], [], []
    for run in partition.summary["runs"]:
        rows = partition.table[partition.table["run"] == run["name"]]
        own = rows.loc[rows["target"] == run["target"], "target"]
        targets = list(dict.fromkeys([*own, *rows["target"]]))
        rows = rows[rows["target"].isin(targets[:MOST_TARGETS])]
        answers.append(_answer_of_shares(rows[rows["target"] == targets[0]], run["name"], features, several))
        drawn += _shares_charts(rows, f", {run['name']}" * several)
        shown.append(rows)
    title, tables = f"Shares of a score: {features}", [_shares_table(pd.concat(shown), partition)]
    return {"answers": answers, "charts": drawn, "tables": tables, "title": title}


def _shares_charts(rows: pd.DataFrame, name: str) -> list[charts.Chart]:
    long = partition_table(rows)
    parts = [_PARTS.get(key, "") for key in zip(long["measure"], long["space"], strict=True)]
    own = long.assign(space=parts).query("space != ''")
    joint = long[long["measure"] == "product"]
    return [
        dot_charts.shares_chart(own, f"The model's score{name}", _OWN),
        dot_charts.shares_chart(joint, f"Features and model together{name}", _JOINT),
    ]


def _answer_of_shares(rows: pd.DataFrame, run: str, features: str, several: bool) -> dict[str, str]:
    """What the change in one target is made of."""
    by_part = rows.set_index(["measure", "space"]).to_dict("index")
    whole = by_part["alone", MODEL]
    changes = {key: _change(row, "{} ({})") for key, row in by_part.items()}
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


def _shares_table(rows: pd.DataFrame, partition: Partition) -> Table:
    names = {"r2_frozen": "score_frozen", "r2_tuned": "score_tuned"}
    measures = rows["measure"] + ", " + rows["space"]
    first = {"run": rows["run"] + ", " + rows["target"], "Measure, space": measures}
    return table(
        "Shares of R2",
        "Shares of the variance of responses to test stories. Alone: of a space by itself; unique: lost without "
        "it; shared: what of the model's score it says too; product: its part of the joint prediction; these sum to "
        "the total. Stimulus: all features together.",
        headed(rows.rename(columns=names), first, *names.values(), "difference", "interval", "n_voxels"),
        classes={"Measure, space": "name"},
        of=(partition, "table"),
    )
