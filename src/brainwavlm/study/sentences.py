"""What a row of the table of claims says, in plain words: also where it shows nothing, or not what was reported."""

import math
from collections.abc import Mapping
from typing import Any

from brainwavlm.reporting.wording import capitalised, number, signed

Row = Mapping[str, Any]
NOTHING = ("none", "no transfer")
PAPER_CLAIMS = range(1, 7)  # what the paper itself says; later rows are reports of others
AS_REPORTED, COMPATIBLE, OTHERWISE = "as reported", "not contradicted", "otherwise"
NOT_SHOWN, NO_INTERVAL, NO_CLAIM = "not shown", "no interval", ""


def expected(row: Row, values: Mapping[str, Any], against: Mapping[str, Any]) -> str:
    """What was reported of such a finding: `+`, `-`, `0` (about equal), `<=0` (no gain), or nothing.

    Parameters
    ----------
    row : mapping
        claim, kind, target.
    values, against : mappings
        Varied keys of the row's group, and of the group that it is compared with.
    """
    claim, kind, target = row["claim"], row["kind"], row["target"]
    if claim == 1 and kind == "gain" and target == "cortex":
        return "+"
    if claim == 2 and kind == "spread":
        return {"full": "+", "lora": "-"}.get(str(values.get("adapter.method")), "")
    if claim == 3 and kind == "gain" and target == "AC":
        return "-"
    if claim == 4 and values.get("target") == "AC":
        if kind == "gain" and target in ("AC", "cortex-AC"):
            return "+"
        return "+" if kind == "difference" and target == "AC" else ""
    if claim == 6 and kind == "transfer":
        return "+"
    if claim == 11 and kind == "difference":
        minutes = [
            math.inf if some.get("train_minutes") is None else some["train_minutes"]
            for some in (values, against)
        ]
        return "" if minutes[0] == minutes[1] else "+" if minutes[0] > minutes[1] else "-"
    if claim == 12 and kind == "difference":
        return "0"
    if claim == 16 and "control.kind" in values:
        real = values["control.kind"] == "none"
        if kind == "gain":
            return "+" if real else "<=0"
        return "-" if kind == "difference" and against.get("control.kind") == "none" and not real else ""
    return ""


def verdict(row: Row, values: Mapping[str, Any], against: Mapping[str, Any]) -> str:
    """Whether a finding is what was reported: one of the words above; nothing where nothing was.

    Where no difference was reported, an interval that contains 0 is `not contradicted`: it shows no equality.
    """
    wanted = expected(row, values, against)
    if not wanted:
        return NO_CLAIM
    if not has_interval(row):
        return NO_INTERVAL
    above, below = side(row) == "above", side(row) == "below"
    if wanted == "0":
        return OTHERWISE if above or below else COMPATIBLE
    if wanted == "<=0":
        return OTHERWISE if above else AS_REPORTED if below else COMPATIBLE
    if above or below:
        return AS_REPORTED if above == (wanted == "+") else OTHERWISE
    return NOT_SHOWN


def has_interval(row: Row) -> bool:
    """Whether a row has both ends of an interval."""
    return all(row[end] is not None and math.isfinite(row[end]) for end in ("low", "high"))


def side(row: Row) -> str:
    """`above` or `below` where every interval of a row leaves out that nothing differs, else `unsure`."""
    if not has_interval(row):
        return "unsure"
    zero = 1.0 if row["kind"] == "spread" else 0.0
    lows = [row[end] for end in ("low", "seed_low") if row[end] is not None and math.isfinite(row[end])]
    highs = [row[end] for end in ("high", "seed_high") if row[end] is not None and math.isfinite(row[end])]
    return "above" if min(lows) > zero else "below" if max(highs) < zero else "unsure"


def sentence(row: Row) -> str:
    """A row in words; `row` has all columns of the table but this one."""
    if row["kind"] in NOTHING:
        what = "Nothing" if row["kind"] == "none" else "Nothing of other listeners"
        group = "" if row["group"] == "all cells" else f"{row['group']}, "
        text = (
            f"{what} yet of {group}models tuned on {row['tuned_on']}: "
            f"{_counted(row['n_missing'], 'cell is', 'cells are')} missing."
        )
    else:
        parts = [FINDINGS[row["kind"]](row), _interval_words(row), _verdict_words(row)]
        if row["n_missing"]:
            parts.append(f"{_counted(row['n_missing'], 'cell is', 'cells are')} missing.")
        text = " ".join(part for part in parts if part)
        text = capitalised(text) if text.startswith(("mean test r", "tuned on")) else text
    return f"{text} SIMULATED." if row["simulated"] else text


def _gain(row: Row) -> str:
    state = "" if row["layer"] is None else f", hidden state {row['layer']:.0f}"
    group = "" if row["group"] == "all cells" else f"{row['group']}: "
    return (
        f"{group}mean test r in {row['target']} of {row['listener']}{state} from {number(row['r_frozen'])} (untuned) "
        f"to {number(row['r_tuned'])}, {signed(row['estimate'])} {_bracket(row)}."
    )


def _transfer(row: Row) -> str:
    group = "" if row["group"] == "all cells" else f"{row['group']}: "
    heard = ", stories unheard while tuning" if row["stories"] == "unheard" else ""
    return (
        f"{group}tuned on {row['tuned_on']}, scored in {row['listener']}{heard}: mean test r in {row['target']} from "
        f"{number(row['r_frozen'])} (untuned) to {number(row['r_tuned'])}, {signed(row['estimate'])} {_bracket(row)}."
    )


def _difference(row: Row) -> str:
    return (
        f"{row['group']} against {row['against']}: mean test r of the tuned model in {row['target']} of "
        f"{row['listener']} differs by {signed(row['estimate'])} {_bracket(row)}."
    )


def _spread(row: Row) -> str:
    ends = f"{number(row['low'], 1)} to {number(row['high'], 1)}"
    return (
        f"Spread of tuned r over seeds in {row['target']} of {row['listener']}: deviation "
        f"{number(row['deviation'], 4)} with {row['group']}, {number(row['deviation_against'], 4)} with "
        f"{row['against']}; ratio {number(row['estimate'], 1)}, 95 % interval over resamples of {row['n_seeds']} seeds "
        f"{ends}, which is coarse."
    )


def _minutes(row: Row) -> str:
    group = "" if row["group"] == "all cells" else f"{row['group']}: "
    where = f"{group}tuned on {row['tuned_on']}, in {row['target']} of {row['listener']}"
    full = f"with all {number(row['full_minutes'], 1)} minutes"
    if not math.isfinite(row["estimate"]):
        return (
            f"{where}: not in every seed did the amounts tried reach what the untuned model reaches {full}."
        )
    return (
        f"{where}: {number(row['estimate'], 1)} minutes of that listener's data reach what the untuned model reaches "
        f"{full} ({_seeds(row)}; no interval)."
    )


FINDINGS = {
    "gain": _gain,
    "layer": _gain,
    "transfer": _transfer,
    "difference": _difference,
    "spread": _spread,
    "minutes": _minutes,
}


def _bracket(row: Row) -> str:
    ends = "no interval"
    if has_interval(row):
        ends = f"95 % interval {signed(row['low'])} to {signed(row['high'])} over test stories"
    seeds = "one seed"
    if row["n_seeds"] > 1:
        seeds = f"{signed(row['seed_low'])} to {signed(row['seed_high'])} over {row['n_seeds']} seeds"
    return f"({ends}; {seeds})"


def _seeds(row: Row) -> str:
    if row["n_seeds"] == 1:
        return "one seed"
    return f"{row['n_seeds']} seeds, deviation {number(row['deviation'], 4)}"


def _interval_words(row: Row) -> str:
    if row["kind"] == "minutes" or not has_interval(row) or side(row) != "unsure":
        return ""
    if row["kind"] == "spread":
        return "The interval contains 1: neither is shown to be steadier."
    what = "difference" if row["kind"] == "difference" else "change"
    if row["low"] <= 0 <= row["high"]:
        return f"The interval contains 0: no {what} is shown."
    return f"Over seeds the interval contains 0: no {what} is shown beyond these seeds."


def _verdict_words(row: Row) -> str:
    paper = row["claim"] in PAPER_CLAIMS
    return {
        AS_REPORTED: "As in the paper." if paper else "As reported by others.",
        COMPATIBLE: f"This does not contradict {'the paper' if paper else 'what others report'}.",
        OTHERWISE: f"This did not come out as {'in the paper' if paper else 'reported by others'}.",
        NOT_SHOWN: f"What {'the paper reports' if paper else 'others report'} is not shown here.",
        NO_INTERVAL: f"Without an interval it neither confirms nor contradicts "
        f"{'the paper' if paper else 'what others report'}.",
        NO_CLAIM: "",
    }[row["verdict"]]


def _counted(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
