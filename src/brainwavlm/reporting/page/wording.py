"""Findings in plain words and rounded numbers: the answers at the top of the page, and what runs are called."""

from collections.abc import Mapping, Sequence
from typing import Any

from brainwavlm.config import CONTROLS
from brainwavlm.formatting.numbers import NBSP, capitalised, format_p, number, percent, signed
from brainwavlm.results.evaluation import UNTUNED

Row = Mapping[Any, Any]
Run = Mapping[str, Any]  # an entry of `runs` in summary.json
MOVED = {"up": "raised", "down": "lowered", "unsure": "did not demonstrably change"}


def verdict(low: float, high: float) -> str:
    """`up` or `down` where the interval of the difference leaves 0 out, else `unsure`."""
    if not high > low:
        return "unsure"
    return "up" if low > 0 else "down" if high < 0 else "unsure"


def relative(row: Row) -> float | None:
    """Difference as a share of the frozen mean; None where that mean is not above 0."""
    return row["difference"] / row["r_frozen"] if row["r_frozen"] > 0 else None


def run_labels(runs: Sequence[Run]) -> dict[str, str]:
    """A short description of each run by its name: its target, and what else tells it from the others."""
    labels = {}
    for run in runs:
        label = f"readout only, {run['target']}" if run["method"] == "frozen" else f"tuned on {run['target']}"
        label = "untuned model" if run["method"] == UNTUNED else label
        if run["control"] != "none":
            label = f"control with {CONTROLS[run['control']]}, {label}"
        alike = [other for other in runs if other["target"] == run["target"]]
        if len({other["subject"] for other in runs}) > 1:
            label += f", {run['subject']}"
            alike = [other for other in alike if other["subject"] == run["subject"]]
        if len({other["seed"] for other in alike}) > 1:
            label += f", seed {run['seed']}"
        labels[run["name"]] = label
    used = list(labels.values())
    return {name: label if used.count(label) == 1 else f"{label} ({name})" for name, label in labels.items()}


def run_title(run: Run, labels: Mapping[str, str]) -> str:
    """Heading of a run: its label, and its name where the label lacks it."""
    label, named = labels[run["name"]], f"({run['name']})"
    return capitalised(label if label.endswith(named) else f"{label} (run {run['name']})")


def models(runs: Sequence[Run], labels: Mapping[str, str]) -> dict[str, list[Run]]:
    """Runs by the label of their speech model: a joint run has one, though each of its subjects is scored."""
    together: dict[str, list[Run]] = {}
    for run in runs:
        together.setdefault(run["path"] if run.get("together_with") else run["name"], []).append(run)
    named = {}
    for some in together.values():
        subjects = listed([str(run["subject"]) for run in some])
        named[labels[some[0]["name"]].replace(f", {some[0]['subject']}", f", {subjects}", 1)] = some
    return named


def page_title(runs: Sequence[Run], model: str | None) -> str:
    """What was tuned, on what, in whom."""
    tuned = [run for run in runs if run["method"] != UNTUNED]
    targets = listed([str(run["target"]) for run in tuned])
    subjects = listed([str(run["subject"]) for run in runs])
    return f"{model or 'Speech model'} {f'tuned on {targets} of' if tuned else 'as it is, in'} {subjects}"


def own_row(run: Run, rows: Sequence[Row]) -> Row:
    """The row of the target that the run was tuned on; where the table lacks it, whole cortex or the first."""
    by_target = {row["target"]: row for row in rows}
    return by_target.get(run["target"]) or by_target.get("cortex") or rows[0]


def untuned_answer(run: Run, rows: Sequence[Row]) -> dict[str, str]:
    """How well the speech model as it is predicts, under both readouts: a finding at the top of the page."""
    row = own_row(run, rows)
    where, least = in_target(row["target"]), run["frozen"]["null"]["least_p"]
    span = f"95{NBSP}% interval {number(row['low_frozen'])} to {number(row['high_frozen'])}"
    shared_span = f"{number(row['shared_low_frozen'])} to {number(row['shared_high_frozen'])}"
    chance = f"p {'' if row['p_frozen'] < 0.001 else '= '}{format_p(row['p_frozen'], least)}"
    sentence = (
        f"The speech model as it is predicts {run['subject']} {where} with a mean test correlation of "
        f"{number(row['r_frozen'])} ({span}), by ridge for each voxel alone. By a linear map that voxels share: "
        f"{number(row['shared_frozen'])} ({shared_span})."
    )
    if not above_chance(row):
        sentence = f"Not above chance for {run['subject']} {where}: mean test r {number(row['r_frozen'])} ({chance})."
    unit, figure = f"Untuned model: mean test r {where}, {chance}", f"r = {number(row['r_frozen'])}"
    return {"kind": "untuned", "figure": figure, "unit": unit, "sentence": sentence, "elsewhere": ""}


def answer(run: Run, rows: Sequence[Row], label: str) -> dict[str, str]:
    """The finding of one run, an entry of summary.json with its rows of the table, and how another target fared."""
    row = own_row(run, rows)
    gain, frozen = relative(row), row["r_frozen"]
    who, where = run["subject"], in_target(row["target"])
    kind = verdict(row["low"], row["high"])
    span = interval_words(row["low"], row["high"])
    deed = "Training a readout" if run["method"] == "frozen" else "Tuning"
    control = f" with {CONTROLS[run['control']]} (control)" if run["control"] != "none" else ""
    if run["method"] == "frozen" and row["difference"] == 0:
        sentence = f"The speech model of {who} was left as it was: only a readout learned."
    elif not above_chance(row):
        sentence = (
            f"Cannot be told from this much data: the untuned score of {who} {where}, {number(frozen)}, is not above "
            f"chance (p = {number(row['p_frozen'], 2)})."
        )
    elif not row["high"] > row["low"]:
        sentence = f"No interval could be computed for {who} {where}: too little test data."
    elif kind == "unsure":
        sentence = f"No gain shown for {who} {where}: the {span} contains 0."
    elif not change_shown(row):
        sentence = (
            f"No gain shown for {who} {where}: the {span} leaves 0 out, but blocks of rows swapped between the two "
            f"models differ as much (p = {number(row['p_difference'], 2)})."
        )
    else:
        by = f"by {number(abs(row['difference']))} ({span})"
        if gain is not None:
            low, high = sorted(100 * abs(row[end]) / frozen for end in ("low", "high"))
            by = f"by {number(100 * abs(gain), 1)}{NBSP}% "
            by += f"(95{NBSP}% interval {number(low, 1)} to {number(high, 1)}{NBSP}%)"
        sentence = f"{deed} on {run['target']}{control} {MOVED[kind]} the mean test correlation of {who} {where} {by}."
        over = str(run.get("intervals", ""))
        sentence += f" The interval is over {over}, and says nothing of others." if "block" in over else ""
        sentence += shared_words(row)
    unit = f"{capitalised(label)}: mean test r {where} from {number(frozen)} to {number(row['r_tuned'])}, difference "
    return card(row, unit + signed(row["difference"]), sentence, _elsewhere(row, rows))


def above_chance(row: Row) -> bool:
    """Whether the untuned score is above chance; evaluations of earlier versions do not say it."""
    return not row.get("p_frozen", 0.0) >= 0.05


def change_shown(row: Row) -> bool:
    """Whether both the interval of the change leaves 0 out and its test, where there is one, agrees."""
    return verdict(row["low"], row["high"]) != "unsure" and not row.get("p_difference", 0.0) >= 0.05


def shared_words(row: Row) -> str:
    """What is left of a gain where both models are read out by a linear map whose directions all voxels share."""
    if "shared_difference" not in row:
        return ""
    change, kind = row["shared_difference"], verdict(row["shared_low"], row["shared_high"])
    span = interval_words(row["shared_low"], row["shared_high"])
    change_of = f"{number(row['shared_frozen'])} to {number(row['shared_tuned'])}, {signed(change)} ({span})"
    words = f" That is with ridge for each voxel alone. With a linear map that voxels share: {change_of}."
    if verdict(row["low"], row["high"]) == "up" != kind:
        words += " So tuning beats voxel-wise ridge, and is not shown to beat the shared map."
    if row["shared_frozen"] > row["r_tuned"]:
        words += (
            " The shared map of untuned features already predicts better than tuning does voxel by voxel."
        )
    return words


def card(row: Row, unit: str, sentence: str, elsewhere: str = "", *, is_known: bool = True) -> dict[str, str]:
    """A finding at the top of the page: kind, figure, unit, sentence, elsewhere.

    `row` has the difference with its interval; of r the untuned mean too, of which the figure is a share then.
    """
    frozen, difference = row.get("r_frozen"), row["difference"]
    kind = (
        verdict(row["low"], row["high"]) if is_known and above_chance(row) and change_shown(row) else "unsure"
    )
    figure = percent(difference / frozen) if frozen is not None and frozen > 0 else signed(difference)
    if kind == "unsure":
        figure = "No change shown" if frozen is None else "No gain shown"
        figure = figure if above_chance(row) else "Cannot be told"
    return {"kind": kind, "figure": figure, "unit": unit, "sentence": sentence, "elsewhere": elsewhere}


def moved(row: Row, what: str, more: str = "", deed: str = "Tuning") -> str:
    """What tuning did to something, with the difference and its interval."""
    return f"{deed} {MOVED[verdict(row['low'], row['high'])]} {what} ({change_words(row)}{more})."


def change_words(row: Row) -> str:
    """A difference and its interval: +0.020, 95 % interval +0.010 to +0.030."""
    return f"{signed(row['difference'])}, {interval_words(row['low'], row['high'])}"


def in_target(target: str) -> str:
    """In whole cortex, or in AC."""
    return "in whole cortex" if target == "cortex" else f"in {target}"


def interval_words(low: float, high: float) -> str:
    """An interval in a sentence."""
    if not high > low:
        return "no interval: too little test data"
    return f"95{NBSP}% interval {signed(low)} to {signed(high)}"


def _elsewhere(row: Row, rows: Sequence[Row]) -> str:
    other = "AC" if row["target"] == "cortex" else "cortex"
    candidate = next((one for one in rows if one["target"] == other and one is not row), None)
    if candidate is None:
        return ""
    gain = change_words(candidate)
    if above_chance(candidate):
        gain = f"{percent(relative(candidate))} ({gain})"
    return f"{capitalised(in_target(other))}: {gain}."


def listed(names: Sequence[str]) -> str:
    """A, B and C."""
    *others, last = dict.fromkeys(names) or [""]
    return f"{', '.join(others)} and {last}" if others else last
