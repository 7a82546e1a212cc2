"""Whether a finding is what was reported, and what holds of it under both readouts; claims by their number."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from brainwavlm.config import RunConfig

CLAIMS = {
    1: "Tuning beats ridge on the untuned model",
    2: "LoRA is steadier than full tuning",
    3: "Tuning on whole cortex hurts auditory cortex",
    4: "Tuning on auditory cortex helps it and keeps the rest",
    5: "Choice of hemisphere",
    6: "Transfer to other people",
    7: "Semantics grow without labels",
    8: "Acoustics are kept by tuning on auditory cortex",
    9: "Explicit supervision gives comparable semantics",
    10: "Choice of the loss",
    11: "More data help",
    12: "Slow responses suffice",
    13: "Transfer to ECoG",
    14: "Intrinsic dimension rises",
    15: "Context and frame",
    16: "Is it the brain? Controls",
    17: "Layers reorganise",
    18: "Nothing is forgotten",
}
# They need electrodes, which this program does not read yet.
NOT_YET = (13,)


Row = Mapping[str, Any]
AS_REPORTED, COMPATIBLE, OTHERWISE = "as reported", "not contradicted", "otherwise"
NOT_SHOWN, NO_INTERVAL, NO_CLAIM = "not shown", "no interval", ""

# Claims of models that are tuned on whole cortex, by the targets in which they say something; claim 4 has its own.
_OF_CORTEX = dict.fromkeys((1, 2, 6, 11, 12, 16), "cortex") | {3: "AC"}
# Keys that may differ between two groups for their difference to be what a claim is about.
_CONTRASTS = {
    2: ("adapter.method", "training.lr_backbone"),
    4: ("target",),
    11: ("train_minutes", "training.epochs"),
    9: ("control.kind",),
    12: ("training.slow",),
    16: ("control.kind",),
}


def expected(row: Row, config: RunConfig, against: RunConfig | None, contrasts: Sequence[str]) -> str:
    """What was reported of such a finding: `+`, `-`, `0` (about equal), `<=0` (no gain), `>=0` (no loss), or nothing.

    Nothing where the models were tuned on something else than those of the claim, or differ in something else. Of the
    row claim, kind and target count; `config` and `against` are of its group and of that which it is compared with,
    `contrasts` the keys that are compared.
    """
    claim, kind, target = row["claim"], row["kind"], row["target"]
    if claim in (7, 8, 9, 14):
        return _expected_of_probes(row, config, against, contrasts)
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


def _expected_of_probes(
    row: Row, config: RunConfig, against: RunConfig | None, contrasts: Sequence[str]
) -> str:
    """Claims 7, 8, 9 and 14: meaning and dimension grow by cortex, sound is kept by AC, words give no more meaning."""
    claim, information = row["claim"], row["information"]
    if against is not None:
        supervised = {config.control.kind, against.control.kind} == {"none", "words"}
        asked = claim == 9 and row["kind"] == "probe difference" and tuple(contrasts) == _CONTRASTS[9]
        return "0" if asked and supervised and information == "semantic" else ""
    if (
        row["kind"] != "probe"
        or config.control.kind != "none"
        or config.adapter.method not in ("lora", "full")
    ):
        return ""
    if claim in (7, 14) and config.target == "cortex":
        return "+" if information == {7: "semantic", 14: "geometry"}[claim] else ""
    kept = claim == 8 and config.target == "AC" and information in ("acoustic", "phonetic")
    return ">=0" if kept else ""


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

    Where no difference was reported, an interval that contains 0 is `not contradicted`: it shows no equality. A verdict
    that rests on one seed, or on blocks of one or two stories, says so behind a colon.
    """
    wanted = expected(row, config, against, contrasts)
    word = _compared(row, wanted) if wanted else NO_CLAIM
    limits = ", ".join(_limits(row)) if word in (AS_REPORTED, OTHERWISE) else ""
    return f"{word}: {limits}" if limits else word


def _limits(row: Row) -> list[str]:
    """What a finding cannot be carried beyond."""
    blocks = ["blocks of stories"] if "block" in (row["unit"] or "") else []
    return ["one seed"] * (row["n_seeds"] == 1) + blocks


def _compared(row: Row, wanted: str) -> str:
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


def holds(voxelwise: Row, shared: Row | None) -> str:
    """What a finding comes to under both readouts, in words: ridge for each voxel alone, and the map that all share."""
    change = {"above": "higher", "below": "lower", "unsure": "no change shown"}
    of_one = change[side(voxelwise)] if has_interval(voxelwise) else NO_INTERVAL
    if voxelwise["estimate"] is None or voxelwise["kind"] == "minutes":
        return ""
    if voxelwise["kind"] == "spread":
        return {"higher": "spreads more", "lower": "spreads less"}.get(of_one, "no difference shown")
    if shared is None or not has_interval(shared):
        return of_one
    of_all = change[side(shared)]
    if of_one == of_all:
        return of_one if side(shared) == "unsure" else f"{of_one} under both"
    return f"{of_one}; shared map: {of_all}"
