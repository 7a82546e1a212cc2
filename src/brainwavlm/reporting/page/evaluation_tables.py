"""Tables of an evaluation: scores by target, tests against chance, what is said in clips."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from brainwavlm.formatting.numbers import format_p, number, shared_change, signed, voxel_count
from brainwavlm.reporting.page.tables import Row, Table, headed, intervals, table
from brainwavlm.reporting.page.wording import verdict

_WIDTH, _MARGIN = 190, 8  # of the drawing of an interval


def scores_table(rows: pd.DataFrame, runs: Sequence[Row], titles: Mapping[str, str]) -> Table:
    """Scores of an evaluation by target, and their differences, drawn too.

    `rows` are those of table.csv, `runs` of summary.json, and `titles` by run.
    """
    if "r_tuned" not in rows:
        return _untuned_table(rows, runs, titles)
    span = min(0.0, rows["low"].min()), max(0.0, rows["high"].max())
    axis = f"{signed(span[0])} … 0 … {signed(span[1])}"
    own = rows["target"] == rows["run"].map({run["name"]: run["target"] for run in runs})
    told = (rows["r_frozen"] > 0) & ~(rows.get("p_frozen", pd.Series(0.0, rows.index)) >= 0.05)
    gain = rows["difference"] / rows["r_frozen"].where(told)
    marked = rows["target"] + own.map({True: " (tuned on)", False: ""})
    first = {"run": rows["run"].map(titles), "Target": marked}
    scores = ("r_frozen", "r_tuned", "difference", "interval", "relative_gain", "r_readout", "n_voxels")
    frame = headed(rows.assign(relative_gain=gain), first, *scores)
    frame.insert(6, axis, [_drawing(row, span) for row in rows.to_dict("records")])
    if rows["normalised_tuned"].notna().any():
        ends = zip(rows["normalised_frozen"], rows["normalised_tuned"], strict=True)
        frame.insert(8, "Share of ceiling", [f"{number(a, 2)} to {number(b, 2)}" for a, b in ends])
    if "shared_difference" in rows and rows["shared_difference"].notna().any():
        changes = [shared_change(row).replace("-", "−") for row in rows.to_dict("records")]
        frame.insert(7, "Shared map", changes)
    frame = _with_clean(frame, rows)
    if rows["r_readout"].isna().all():
        frame = frame.drop(columns="Readout r")
    return table(
        "Scores by target",
        "Mean test correlation over the voxels of each target. Intervals are of the paired difference tuned minus "
        "frozen; where one contains 0, no change is shown (hollow dot). Shared map: the difference, with half of its "
        "interval, where a linear map whose directions all voxels share reads both models out.",
        frame,
        classes={"Target": own.map({True: "own", False: ""}), axis: "range"},
        simulated=any(run["simulated"] for run in runs),
    )


def _untuned_table(rows: pd.DataFrame, runs: Sequence[Row], titles: Mapping[str, str]) -> Table:
    shared = intervals(rows["shared_low_frozen"], rows["shared_high_frozen"], number)
    first = {"run": rows["run"].map(titles), "Target": rows["target"]}
    share = ["normalised_frozen"] if rows["normalised_frozen"].notna().any() else []
    frame = headed(rows, first, "r_frozen", "shared_frozen", *share, "n_voxels")
    frame.insert(4, "Shared map 95 %", shared)
    frame = _with_clean(frame, rows)
    return table(
        "Scores by target",
        "Mean test correlation over the voxels of each target, of the speech model as it is: by ridge for each voxel "
        "alone, and by a linear map whose directions all voxels share.",
        frame,
        simulated=any(run["simulated"] for run in runs),
    )


def _with_clean(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """With a column of what only simulated responses have: r of the predictions with the signal, without its noise."""
    columns = [
        [f"{name}_{model}" for model in ("frozen", "tuned") if f"{name}_{model}" in rows]
        for name in ("clean_r", "clean_shared_r")
    ]
    if not columns[0]:
        return frame
    texts = [rows[some].map(number).agg(" to ".join, axis=1) for some in columns]
    return frame.assign(**{"With the simulated signal (shared map)": texts[0] + " (" + texts[1] + ")"})


def chance_table(rows: pd.DataFrame, runs: Sequence[Row], titles: Mapping[str, str]) -> Table | None:
    """Tests against chance, by target; None for an evaluation of before them."""
    if "p_frozen" not in rows:
        return None
    nulls = {run["name"]: run["frozen"].get("null", {}) for run in runs}
    least, least_difference = (
        rows["run"].map({run: null.get(key, 0.0) for run, null in nulls.items()})
        for key in ("least_p", "least_p_difference")
    )
    columns: dict[str, Any] = {"run": rows["run"].map(titles), "Target": rows["target"]}
    for key, floor in (("frozen", least), ("tuned", least), ("difference", least_difference)):
        if f"p_{key}" in rows:
            columns[f"p {key.replace('difference', 'change')}"] = list(map(format_p, rows[f"p_{key}"], floor))
    for key in (key for key in ("frozen", "tuned") if f"low_{key}" in rows):
        columns[f"{key.capitalize()} 95 %"] = intervals(rows[f"low_{key}"], rows[f"high_{key}"], number)
    counts = [n for key in ("frozen", "tuned", "better", "worse") if (n := f"voxels_{key}") in rows]
    frame = headed(rows.assign(**{name: rows[name].map(voxel_count) for name in counts}), columns, *counts)
    if "r_time_only" in rows and rows["r_time_only"].notna().any():
        frame["Time only r"] = rows["r_time_only"]
        frame["p"] = list(map(format_p, rows["p_time_only"], least))
    return table(
        "Tests against chance",
        "p of each mean and of their difference, ≤ where no smaller p is possible; 95 % intervals of the means; voxels "
        "with q < .05 (false discovery rate): predicted by each model, better and worse after tuning; cannot be "
        "tested: no voxel could have such a q by itself. Time only: a model that knows only time; where it scores, so "
        "would a split that leaks.",
        frame,
        simulated=any(run["simulated"] for run in runs),
    )


def tasks_table(rows: pd.DataFrame, titles: Mapping[str, str], simulated: bool) -> Table | None:
    """What is said in clips, by task and hidden state; None where no task was asked for."""
    if rows.empty:
        return None
    first = {"run": rows["run"].map(titles), "Task": rows["task"]}
    columns = ("layer", "n_labels", "auc_frozen", "auc_tuned", "difference", "interval")
    return table(
        "What is said",
        "Which phones or words are in a second of sound from the test stories, by a linear classifier on a hidden "
        "state: mean area under the receiver operating characteristic (AUC) over labels, .5 by chance. Where the "
        "whole interval of the change lies below 0, the tuned model has lost something; where it contains 0, no change "
        "is shown.",
        headed(rows, first, *columns),
        simulated=simulated,
    )


def _drawing(row: Mapping[Any, Any], span: tuple[float, float]) -> Markup:
    """An interval beside 0, drawn; bare where there is none."""

    def place(value: float) -> float:
        low, high = span if span[1] > span[0] else (-0.01, 0.01)
        return round(_MARGIN + (_WIDTH - 2 * _MARGIN) * (value - low) / (high - low), 1)

    kind, signs = "", f'<line class="zero" x1="{place(0)}" x2="{place(0)}" y1="0" y2="26"/>'
    if row["high"] > row["low"]:
        kind = f' class="{verdict(row["low"], row["high"])}"'
        signs += (
            f'<line x1="{place(row["low"])}" x2="{place(row["high"])}" y1="13" y2="13" stroke-width="2"/>'
            f'<circle cx="{place(row["difference"])}" cy="13" r="4" stroke-width="2"/>'
        )
    return Markup(f'<svg viewBox="0 0 {_WIDTH} 26" focusable="false"{kind}>{signs}</svg>')
