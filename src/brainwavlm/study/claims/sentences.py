"""What a row of the table of claims says, in plain words: also where it shows nothing, or not what was reported."""

import math

from brainwavlm.formatting.numbers import capitalised, number, signed
from brainwavlm.study.claims.verdicts import (
    AS_REPORTED,
    COMPATIBLE,
    NO_CLAIM,
    NO_INTERVAL,
    NOT_SHOWN,
    OTHERWISE,
    Row,
    has_interval,
    side,
)

# Kinds of rows of a group without any scores of a step, in the order of `scores.STEPS`.
NOTHING = {"none": "Nothing", "no transfer": "Nothing of other listeners", "no probes": "No probes"}
PAPER_CLAIMS = range(1, 10)  # what the paper itself says; later rows are reports of others
UNDER = {"unseen-types": ", words never fitted", "beyond-low-level": ", beyond sound, phones and rates"}


def sentence(row: Row) -> str:
    """A row, with all columns of the table but this one."""
    if row["kind"] in NOTHING:
        group = "" if row["group"] == "all cells" else f"{row['group']}, "
        text = (
            f"{NOTHING[row['kind']]} yet of {group}models tuned on {row['tuned_on']}: "
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
    return f"mean test r in {row['target']} of {row['listener']}{state} {_change(row)}"


def _change(row: Row, more: str = "") -> str:
    models = f"from {number(row['r_frozen'])} (untuned{more}) to {number(row['r_tuned'])}"
    return f"{models}, {signed(row['estimate'])} {_bracket(row)}."


def _task(row: Row) -> str:
    return (
        f"which {row['target']} are said in a second of sound, model tuned on {row['tuned_on']}, hidden state "
        f"{row['layer']:.0f}: AUC {_change(row, '; chance .5')}"
    )


def _probe(row: Row) -> str:
    return (
        f"{row['target']} read off hidden state {row['layer']:.0f}, model tuned on {row['tuned_on']}"
        f"{_under(row)}: {score_name(row['readout'])} {_change(row)}"
    )


def _probe_difference(row: Row) -> str:
    return (
        f"{row['group']} against {row['against']}: {row['target']} read off hidden state {row['layer']:.0f}"
        f"{_under(row)}: {score_name(row['readout'])} of the tuned model differs by {signed(row['estimate'])} "
        f"{_bracket(row)}."
    )


def score_name(score: str) -> str:
    """Of a probe, as prose has it: r, R2, AUC."""
    return {"r2": "R2", "auc": "AUC", "f1": "macro-F1", "gride-8": "GRIDE"}.get(score, score)


def _under(row: Row) -> str:
    return UNDER.get(row["stories"], "")


def _transfer(row: Row) -> str:
    heard = ", stories unheard while tuning" if row["stories"] == "unheard" else ""
    return (
        f"tuned on {row['tuned_on']}, scored in {row['listener']}{heard}: mean test r in {row['target']} "
        f"{_change(row)}"
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
        f"{ends}."
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
    "probe": _probe,
    "probe difference": _probe_difference,
    "transfer": _transfer,
    "difference": _difference,
    "spread": _spread,
    "minutes": _minutes,
}


def _bracket(row: Row) -> str:
    ends = "no interval"
    if has_interval(row):
        ends = f"95 % interval {signed(row['low'])} to {signed(row['high'])} over {row['unit']}"
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
    what = "difference" if row["kind"].endswith("difference") else "change"
    if row["low"] <= 0 <= row["high"]:
        return f"The interval contains 0: no {what} is shown."
    return f"Over seeds the interval contains 0: no {what} is shown beyond these seeds."


def _verdict_words(row: Row) -> str:
    paper = row["claim"] in PAPER_CLAIMS
    word, _, limits = row["verdict"].partition(": ")
    sentence = {
        AS_REPORTED: "As in the paper." if paper else "As reported by others.",
        COMPATIBLE: f"This does not contradict {'the paper' if paper else 'what others report'}.",
        OTHERWISE: f"This did not come out as {'in the paper' if paper else 'reported by others'}.",
        NOT_SHOWN: f"What {'the paper reports' if paper else 'others report'} is not shown here.",
        NO_INTERVAL: f"Without an interval it neither confirms nor contradicts "
        f"{'the paper' if paper else 'what others report'}.",
        NO_CLAIM: "",
    }[word]
    return f"{sentence[:-1]} (no further than {limits})." if limits else sentence


def _counted(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
