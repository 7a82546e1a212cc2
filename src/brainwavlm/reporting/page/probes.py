"""The part of a page that tells what hidden states hold."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from brainwavlm.evaluation.probes.tasks import DIMENSION, PLAIN, RESIDUAL, SHUFFLED, UNSEEN
from brainwavlm.formatting.numbers import capitalised, number, signed
from brainwavlm.reporting.figures.probes import CONTROLS, first_scores, panel_name, probes_table
from brainwavlm.reporting.page import charts
from brainwavlm.reporting.page.tables import Table, headed, intervals, table
from brainwavlm.reporting.page.wording import MOVED, finding, interval_words, listed, verdict
from brainwavlm.results.probes import Probes

_SELECTIVITY = "selectivity"
_NAMES = {control: f": {name}" for control, (name, *_) in CONTROLS.items()}
_NAMES |= {PLAIN: "", _SELECTIVITY: ": above shuffled labels"}
_NOTE = "95 % intervals over test stories. Thin: controls, dotted where untuned. Dashed: the run's own hidden state."


def probes_part(probes: Probes) -> dict[str, Any]:
    """What the template shows of probes: charts where there are several hidden states, the table of each run's own."""
    first = first_scores(probes)
    of_run = first.groupby("run")
    last = (first["layer"] == of_run["layer"].transform("max")) & ~of_run["is_own"].transform("any")
    own = first[first["is_own"] | last].reset_index(drop=True)
    several = own["run"].nunique() > 1
    panels = [rows for _, rows in probes_table(probes).groupby(["run", "feature"], sort=False)]
    return {
        "answers": [_answer(rows, several) for _, rows in own.groupby(["run", "feature"], sort=False)],
        "charts": [
            charts.probes_chart(rows, panel_name(rows) + f", {rows['run'].iloc[0]}" * several, _NOTE)
            for rows in panels
            if rows["layer"].nunique() > 1
        ],
        "tables": [_scores_table(own, probes), _seeds_table(own, probes)],
        "title": f"What hidden states hold: {listed(list(own['feature']))}",
    }


def _answer(rows: pd.DataFrame, several: bool) -> dict[str, str]:
    by_control = rows.set_index("control").to_dict("index")
    row, chance = by_control[PLAIN], by_control.get(_SELECTIVITY)
    what, state = row["feature"], f"hidden state {row['layer']}"
    kind = verdict(row["low"], row["high"])
    held = f"how many dimensions {state} has" if what == DIMENSION else f"what {state} holds of {what}"
    sentence = f"Tuning {MOVED[kind]} {held} ({_change(row)})."
    if chance and not max(chance["low_frozen"], chance["low_tuned"]) > 0:
        kind, sentence = (
            "unsure",
            f"Nothing shows that {state} holds {what}: shuffled labels are read off as well.",
        )
    controls = [
        f"{capitalised(CONTROLS[one][0])}: {_change(by_control[one])}."
        for one in (RESIDUAL, UNSEEN)
        if one in by_control
    ]
    scores = (
        f"{panel_name(rows)}, {state}: from {number(row['score_frozen'])} to {number(row['score_tuned'])}"
    )
    unit = f"{row['run']}: " * several + scores
    return finding(kind, row["difference"], unit, sentence, " ".join(controls))


def _change(row: Mapping[Any, Any]) -> str:
    return f"{signed(row['difference'])}, {interval_words(row['low'], row['high'])}"


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
        file=("probes.csv", probes.table),
        simulated=probes.simulated,
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
        file=("seeds.csv", probes.seeds),
        simulated=probes.simulated,
    )
