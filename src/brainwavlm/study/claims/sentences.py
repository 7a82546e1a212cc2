"""What a row of the table of claims says, in plain words: also where it shows nothing, or not what was reported."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from brainwavlm.config import RunConfig
from brainwavlm.formatting.numbers import capitalised, number, signed

Row = Mapping[str, Any]
NOTHING = ("none", "no transfer")
PAPER_CLAIMS = range(1, 7)  # what the paper itself says; later rows are reports of others
AS_REPORTED, COMPATIBLE, OTHERWISE = "as reported", "not contradicted", "otherwise"
NOT_SHOWN, NO_INTERVAL, NO_CLAIM = "not shown", "no interval", ""

# Claims of models that are tuned on whole cortex, by the targets in which they say something; claim 4 has its own.
_OF_CORTEX = dict.fromkeys((1, 2, 6, 11, 12, 16), "cortex") | {3: "AC"}
# Keys that may differ between two groups for their difference to be what a claim is about.
_CONTRASTS = {
    2: ("adapter.method", "training.lr_backbone"),
    4: ("target",),
    11: ("train_minutes", "training.epochs"),
    12: ("training.slow",),
    16: ("control.kind",),
}


def expected(row: Row, config: RunConfig, against: RunConfig | None, contrasts: Sequence[str]) -> str:
    """What was reported of such a finding: `+`, `-`, `0` (about equal), `<=0` (no gain), `>=0` (no loss), or nothing.

    Nothing where the models were tuned on something else than those of the claim, or differ in something else.

    Parameters
    ----------
    row : mapping
        claim, kind, target.
    config, against : RunConfig, RunConfig or None
        Of the row's group, and of the group that it is compared with.
    contrasts : sequence of str
        Keys that are compared.
    """
    claim, kind, target = row["claim"], row["kind"], row["target"]
    if any(some is not None and some.control.kind in ("words", "phones") for some in (config, against)):
        return ""  # nobody reported of these
    if against is not None:
        if claim not in _CONTRASTS or not set(contrasts) <= set(_CONTRASTS[claim]):
            return ""
        return _expected_difference(claim, kind, target, config, against)
    as_claimed = config.adapter.method in ("lora", "full") and config.control.kind == "none"
    if claim == 4 and kind == "gain" and config.target == "AC" and as_claimed:
        return "+" if target in ("AC", "cortex-AC") else ""
    if claim == 18 and kind == "task" and as_claimed:
        return ">=0"
    if config.target != "cortex" or target != _OF_CORTEX.get(claim):
        return ""
    if claim == 16 and kind == "gain" and config.adapter.method in ("lora", "full"):
        return "+" if config.control.kind == "none" else "<=0"
    if not as_claimed:
        return ""
    return {(1, "gain"): "+", (3, "gain"): "-", (6, "transfer"): "+"}.get((claim, kind), "")


def _expected_difference(claim: int, kind: str, target: str, config: RunConfig, against: RunConfig) -> str:
    if claim == 4:
        tuned = (against.target, config.target)
        signs = {("cortex", "AC"): "+", ("AC", "cortex"): "-"}
        return signs.get(tuned, "") if kind == "difference" and target == "AC" else ""
    if {config.target, against.target} != {"cortex"} or target != _OF_CORTEX[claim]:
        return ""
    if claim == 2 and kind == "spread":
        methods = (against.adapter.method, config.adapter.method)
        return {("lora", "full"): "+", ("full", "lora"): "-"}.get(methods, "")
    if kind != "difference":
        return ""
    if claim == 11:
        minutes, before = (some.train_minutes or math.inf for some in (config, against))
        return "" if minutes == before else "+" if minutes > before else "-"
    if claim == 12:
        return "0" if config.training.slow != against.training.slow else ""
    if claim == 16:
        real = [some.control.kind == "none" for some in (against, config)]
        return {(True, False): "-", (False, True): "+"}.get((real[0], real[1]), "")
    return ""


def verdict(row: Row, config: RunConfig, against: RunConfig | None, contrasts: Sequence[str]) -> str:
    """Whether a finding is what was reported: one of the words above; nothing where nothing was.

    Where no difference was reported, an interval that contains 0 is `not contradicted`: it shows no equality.
    """
    wanted = expected(row, config, against, contrasts)
    if not wanted:
        return NO_CLAIM
    if not has_interval(row):
        return NO_INTERVAL
    above, below = side(row) == "above", side(row) == "below"
    if wanted == "0":
        return OTHERWISE if above or below else COMPATIBLE
    if wanted in ("<=0", ">=0"):
        contrary, same = (above, below) if wanted == "<=0" else (below, above)
        return OTHERWISE if contrary else AS_REPORTED if same else COMPATIBLE
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
    """A row, with all columns of the table but this one."""
    if row["kind"] in NOTHING:
        what = "Nothing" + " of other listeners" * (row["kind"] != "none")
        group = "" if row["group"] == "all cells" else f"{row['group']}, "
        text = (
            f"{what} yet of {group}models tuned on {row['tuned_on']}: "
            f"{_counted(row['n_missing'], 'cell is', 'cells are')} missing."
        )
    else:
        text = FINDINGS[row["kind"]](row)
        if row["against"] is None:  # else the group stands in the text
            text = capitalised(text) if row["group"] == "all cells" else f"{row['group']}: {text}"
        if row["readout"] == "shared":
            text = f"{text[:-1]}, read out by a linear map that voxels share."
        parts = [text, _interval_words(row), _verdict_words(row)]
        if row["n_missing"]:
            parts.append(f"{_counted(row['n_missing'], 'cell is', 'cells are')} missing.")
        text = " ".join(part for part in parts if part)
    return f"{text} SIMULATED." if row["simulated"] else text


def _gain(row: Row) -> str:
    state = "" if row["layer"] is None else f", hidden state {row['layer']:.0f}"
    return (
        f"mean test r in {row['target']} of {row['listener']}{state} from {number(row['r_frozen'])} (untuned) "
        f"to {number(row['r_tuned'])}, {signed(row['estimate'])} {_bracket(row)}."
    )


def _task(row: Row) -> str:
    return (
        f"which {row['target']} are said in a second of sound, model tuned on {row['tuned_on']}, hidden state "
        f"{row['layer']:.0f}: AUC from {number(row['r_frozen'])} (untuned; chance .5) to {number(row['r_tuned'])}, "
        f"{signed(row['estimate'])} {_bracket(row)}."
    )


def _transfer(row: Row) -> str:
    heard = ", stories unheard while tuning" if row["stories"] == "unheard" else ""
    return (
        f"tuned on {row['tuned_on']}, scored in {row['listener']}{heard}: mean test r in {row['target']} from "
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
        f"{row['against']}; ratio {number(row['estimate'], 1)}, 95 % interval over {row['n_seeds']} seeds "
        f"{ends}, which is coarse."
    )


def _minutes(row: Row) -> str:
    where = f"tuned on {row['tuned_on']}, in {row['target']} of {row['listener']}"
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
    "task": _task,
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
