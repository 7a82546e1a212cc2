"""Findings in plain words and rounded numbers: the answers at the top of the page, and what runs are called."""

from collections.abc import Mapping, Sequence
from typing import Any

from brainwavlm.config import CONTROLS, RunConfig
from brainwavlm.formatting.numbers import NBSP, capitalised, number, percent, signed

Row = Mapping[str, Any]
Run = Mapping[str, Any]  # an entry of `runs` in summary.json


def has_interval(row: Row) -> bool:
    """Whether the interval is one: resampling a single block of test data gives one of no width."""
    return bool(row["high"] > row["low"])


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
    return {
        labels[some[0]["name"]].replace(
            f", {some[0]['subject']}", f", {listed([str(run['subject']) for run in some])}", 1
        ): some
        for some in together.values()
    }


def page_title(runs: Sequence[Run], model: str | None) -> str:
    """What was tuned, on what, in whom."""
    targets = listed([str(run["target"]) for run in runs])
    subjects = listed([str(run["subject"]) for run in runs])
    return f"{model or 'Speech model'} tuned on {targets} of {subjects}"


def next_steps(simulated: bool, kinds: Sequence[str], config: RunConfig) -> list[dict[str, str]]:
    """What to do now, given what was found.

    Parameters
    ----------
    simulated : bool
    kinds : sequence of str
        Verdicts of the answers: up, down, unsure.
    config : RunConfig
        Of the first run.
    """
    steps = []
    if simulated:
        steps.append(
            {
                "text": "Do the same on your own recordings. The first command lists all that is wrong with them.",
                "command": "brainwavlm check FOLDER\n"
                "brainwavlm plan --preset recommended --set dataset=FOLDER --subject NAME\n"
                "brainwavlm tune --preset recommended --set dataset=FOLDER --subject NAME --output my-run\n"
                "brainwavlm evaluate my-run\n"
                "brainwavlm report my-run/evaluation",
            }
        )
    if "unsure" in kinds or "down" in kinds:
        steps.append(
            {
                "text": "Where no gain is shown: more test stories narrow the interval, more training stories or "
                "another layer may raise the gain; look first whether validation r rose in the learning curves.",
                "command": "",
            }
        )
    if "up" in kinds:
        steps.append(
            {
                "text": "Does the gain hold for other seeds, and vanish when responses are shifted against the sound?",
                "command": f"brainwavlm tune CONFIG --seed {config.seed + 1} --output another-seed\n"
                "brainwavlm tune CONFIG --set control.kind=shifted --output control",
            }
        )
    steps.append(
        {
            "text": "Tune on another part of cortex and put the runs side by side on one page.",
            "command": "brainwavlm targets FOLDER\n"
            "brainwavlm tune CONFIG --target AC --output tuned-on-AC\n"
            "brainwavlm evaluate my-run tuned-on-AC --output both\n"
            "brainwavlm report both",
        }
    )
    return steps


def own_row(run: Run, rows: Sequence[Row]) -> Row:
    """The row of the target that the run was tuned on; where the table lacks it, whole cortex or the first."""
    by_target = {row["target"]: row for row in rows}
    return by_target.get(run["target"]) or by_target.get("cortex") or rows[0]


def answer(run: Run, rows: Sequence[Row], label: str) -> dict[str, str]:
    """The finding of one run: a figure, what it is, a sentence, and how another target fared.

    Parameters
    ----------
    run : mapping
        Name, subject, target, method.
    rows : sequence of mapping
        The table's rows of this run.
    label : str
        From `run_labels`.

    Returns
    -------
    dict with kind, figure, unit, short, span, sentence, elsewhere
    """
    row = own_row(run, rows)
    gain = relative(row)
    where = in_target(row["target"])
    kind = verdict(row["low"], row["high"])
    span = interval_words(row["low"], row["high"])
    deed = (
        f"Training a readout on {run['target']}"
        if run["method"] == "frozen"
        else f"Tuning on {run['target']}"
    )
    if run["control"] != "none":
        deed += f" with {CONTROLS[run['control']]} (control)"
    if run["method"] == "frozen" and row["difference"] == 0:
        sentence = f"The speech model of {run['subject']} was left as it was: only a readout learned."
    elif not has_interval(row):
        sentence = f"No interval could be computed for {run['subject']} {where}: too little test data."
    elif kind == "unsure":
        sentence = f"No gain shown for {run['subject']} {where}: the {span} contains 0."
    else:
        moved = "raised" if kind == "up" else "lowered"
        by = f"by {number(abs(row['difference']))} ({span})"
        if gain is not None:
            low, high = sorted(100 * abs(row[end]) / row["r_frozen"] for end in ("low", "high"))
            by = f"by {number(100 * abs(gain), 1)}{NBSP}% "
            by += f"(95{NBSP}% interval {number(low, 1)} to {number(high, 1)}{NBSP}%)"
        sentence = f"{deed} {moved} the mean test correlation of {run['subject']} {where} {by}."
    amount = percent(gain) if gain is not None else signed(row["difference"])
    return {
        "kind": kind,
        "figure": "No gain shown" if kind == "unsure" else amount,
        "unit": f"{capitalised(label)}: mean test r {where} from {number(row['r_frozen'])} "
        f"to {number(row['r_tuned'])}, difference {signed(row['difference'])}",
        "short": f"mean r {where}: {number(row['r_frozen'])} to {number(row['r_tuned'])}",
        "span": span,
        "sentence": sentence,
        "elsewhere": _elsewhere(row, rows),
    }


def in_target(target: str) -> str:
    """In whole cortex, or in AC."""
    return "in whole cortex" if target == "cortex" else f"in {target}"


def interval_words(low: float, high: float) -> str:
    """An interval in a sentence."""
    return (
        f"95{NBSP}% interval {signed(low)} to {signed(high)}"
        if high > low
        else "no interval: too little test data"
    )


def _elsewhere(row: Row, rows: Sequence[Row]) -> str:
    other = "AC" if row["target"] == "cortex" else "cortex"
    for candidate in rows:
        if candidate["target"] == other and candidate is not row:
            where = in_target(other)
            span = interval_words(candidate["low"], candidate["high"])
            gain = percent(relative(candidate))
            return f"{capitalised(where)}: {gain} ({signed(candidate['difference'])}, {span})."
    return ""


def listed(names: Sequence[str]) -> str:
    """A, B and C."""
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else ", ".join(unique[:-1]) + " and " + unique[-1]
