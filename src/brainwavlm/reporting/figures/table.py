"""Scores by target as a table: for LaTeX, and as CSV."""

from collections.abc import Sequence

import pandas as pd

from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.choice import Choice
from brainwavlm.reporting.figures.folders import Place, Shown, any_simulated, chosen_names, scored_runs
from brainwavlm.reporting.page.tables import headed, texts

_TUNED = ["n_voxels", "r_frozen", "r_tuned", "difference", "low", "high"]
_UNTUNED = ["n_voxels", "r_frozen", "low_frozen", "high_frozen"]
_UNTUNED += ["shared_frozen", "shared_low_frozen", "shared_high_frozen"]
_SHORTER = {"Difference": "Change", "Frozen 95 %": "95 % interval", "Shared map 95 %": "Its 95 % interval"}
_SPECIAL = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "−": "$-$"}
)


def table(places: Sequence[Place], choice: Choice) -> Shown:
    """Mean test r of both models by target, with the paired difference and its interval.

    Of a model that was not tuned its mean under both readouts, with intervals.
    """
    runs = scored_runs(places, choice)
    tables = [
        pd.DataFrame(run.results.rows_of(run.name)).assign(label=capitalised(run.label)) for run in runs
    ]
    targets = chosen_names("target", choice.target, pd.concat(tables)["target"])
    rows = [table[table["target"] == target] for table in tables for target in targets]
    numbers = _TUNED if runs[0].results.tuned else _UNTUNED
    values = pd.concat(rows, ignore_index=True)[["run", "label", "target", *numbers]]
    simulated = any_simulated(runs)
    return Shown(values, simulated, tex=latex(values, choice.title, simulated))


def latex(table: pd.DataFrame, title: str, simulated: bool) -> str:
    """The table for LaTeX with booktabs, title and the word SIMULATED as its caption."""
    first = {"Run": table["label"].mask(table["run"].duplicated(), ""), "Target": table["target"]}
    columns = ["r_frozen", "r_tuned", "difference", "interval"]
    if "r_tuned" not in table:
        columns = ["r_frozen", "interval_frozen", "shared_frozen", "shared_interval_frozen"]
    shown = texts(headed(table, first, "n_voxels", *columns)).rename(columns=_SHORTER)
    if table["run"].nunique() == 1:
        shown = shown.drop(columns="Run")
    caption = ". ".join(part for part in (title, "SIMULATED responses" if simulated else "") if part)
    styler = shown.style.hide(axis="index").format(escaped).format_index(escaped, axis=1)
    body = styler.to_latex(
        hrules=True,
        column_format="l" * (shown.shape[1] - 5) + "r" * 5,
        caption=escaped(caption) or None,
        position_float="centering" if caption else None,
    )
    return f"% \\usepackage{{booktabs}}\n{body}"


def escaped(text: object) -> str:
    """Text that LaTeX prints as it is."""
    return str(text).translate(_SPECIAL)
