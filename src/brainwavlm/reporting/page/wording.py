"""Findings in plain words and rounded numbers: the answers at the top of the page, the rows of its table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from brainwavlm.config import CONTROLS
from brainwavlm.formatting.numbers import NBSP, capitalised, number, percent, signed

_WIDTH, _MARGIN = 190.0, 8.0

Row = Mapping[str, Any]


def has_interval(row: Row) -> bool:
    """Whether the interval is one: resampling a single block of test data gives one of no width."""
    return bool(row["high"] > row["low"])


def verdict(row: Row) -> str:
    """`up` or `down` where the interval of the difference leaves 0 out, else `unsure`."""
    if not has_interval(row):
        return "unsure"
    if row["low"] > 0:
        return "up"
    return "down" if row["high"] < 0 else "unsure"


def relative(row: Row) -> float | None:
    """Difference as a share of the frozen mean; None where that mean is not above 0."""
    return row["difference"] / row["r_frozen"] if row["r_frozen"] > 0 else None


def run_labels(runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
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


def page_title(runs: Sequence[Mapping[str, Any]], model: str | None) -> str:
    """What was tuned, on what, in whom."""
    targets = _listed([str(run["target"]) for run in runs])
    subjects = _listed([str(run["subject"]) for run in runs])
    return f"{model or 'Speech model'} tuned on {targets} of {subjects}"


def own_row(run: Mapping[str, Any], rows: Sequence[Row]) -> Row:
    """The row of the target that the run was tuned on; where the table lacks it, whole cortex or the first."""
    by_target = {row["target"]: row for row in rows}
    return by_target.get(run["target"]) or by_target.get("cortex") or rows[0]


def answer(run: Mapping[str, Any], rows: Sequence[Row], label: str) -> dict[str, str]:
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
    where = _where(row["target"])
    kind = verdict(row)
    span = _span(row)
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


def table_rows(
    run: Mapping[str, Any], rows: Sequence[Row], span: tuple[float, float]
) -> list[dict[str, Any]]:
    """One run's rows, rounded, with the places of the interval's ends in a small drawing.

    Parameters
    ----------
    run : mapping
    rows : sequence of mapping
    span : (low, high)
        From `interval_span`: the same for every run.
    """
    shown = []
    for row in rows:
        known = has_interval(row)
        kind = verdict(row)
        bar = {
            "low": place(row["low"], span),
            "high": place(row["high"], span),
            "at": place(row["difference"], span),
            "kind": kind,
        }
        shown.append(
            {
                "target": row["target"],
                "own": row["target"] == run["target"],
                "n_voxels": f"{int(row['n_voxels']):,}",
                "frozen": number(row["r_frozen"]),
                "tuned": number(row["r_tuned"]),
                "difference": signed(row["difference"]),
                "interval": f"{signed(row['low'])} to {signed(row['high'])}" if known else "–",
                "gain": percent(relative(row)),
                "sort": {
                    key: "" if value is None or not math.isfinite(value) else repr(float(value))
                    for key, value in {
                        **{name: row[name] for name in ("r_frozen", "r_tuned", "difference", "r_readout")},
                        "low": row["low"] if known else math.nan,
                        "gain": relative(row),
                        "share": row["normalised_tuned"],
                    }.items()
                },
                "readout": number(row["r_readout"]),
                "share": f"{number(row['normalised_frozen'], 2)} to {number(row['normalised_tuned'], 2)}",
                "bar": bar if known else None,
            }
        )
    return shown


def interval_span(rows: Sequence[Row]) -> tuple[float, float]:
    """The range that holds 0 and every interval."""
    ends = [row[end] for row in rows for end in ("low", "high", "difference") if math.isfinite(row[end])]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    return (low, high) if high > low else (-0.01, 0.01)


def place(value: float, span: tuple[float, float]) -> float:
    """Where a difference lies in the table's drawing, in its units."""
    low, high = span
    return round(_MARGIN + (_WIDTH - 2 * _MARGIN) * (value - low) / (high - low), 1)


def _where(target: str) -> str:
    return "in whole cortex" if target == "cortex" else f"in {target}"


def _span(row: Row) -> str:
    if not has_interval(row):
        return "no interval"
    return f"95{NBSP}% interval {signed(row['low'])} to {signed(row['high'])}"


def _elsewhere(row: Row, rows: Sequence[Row]) -> str:
    other = "AC" if row["target"] == "cortex" else "cortex"
    for candidate in rows:
        if candidate["target"] == other and candidate is not row:
            where = _where(other)
            span = _span(candidate)
            gain = percent(relative(candidate))
            return f"{capitalised(where)}: {gain} ({signed(candidate['difference'])}, {span})."
    return ""


def _listed(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else ", ".join(unique[:-1]) + " and " + unique[-1]
