"""Transfer: who tuned by who is scored, and how much of a subject's data it takes."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.figures.data_findings import claim_rows, claims_at
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names, main_target
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.results.transfer import Transfer

_KEYS = (
    "run",
    "tuned_on",
    "scored_on",
    "stories",
    "target",
    "r_frozen",
    "r_tuned",
    "difference",
    "low",
    "high",
)
_CURVE = ("run", "tuned_on", "scored_on", "target", "asked", "draw", "minutes", "r_frozen", "r_tuned")
Row = Mapping[str, Any]


def matrix_table(matrix: pd.DataFrame) -> pd.DataFrame:
    """run, label, tuned_on, scored_on, stories, target, r_frozen, r_tuned, difference, low, high.

    The rows of stories that tuning did not use, where there are some of a run and subject, else those of all. `label`
    says who a run was tuned on; with its seed, or its name, where that tells no rows apart.

    Parameters
    ----------
    matrix : DataFrame
        That of a `Transfer`.
    """
    unheard = matrix["stories"] == "unheard"
    cell = [matrix[key] for key in ("run", "tuned_on", "scored_on", "target")]
    fair = matrix[unheard | ~unheard.groupby(cell).transform("any")].reset_index(drop=True)
    labels = _labels(fair)
    return fair.assign(label=[labels[row] for row in zip(fair["run"], fair["tuned_on"], strict=True)])


def minutes_table(curve: pd.DataFrame, target: str, matrix: pd.DataFrame | None = None) -> pd.DataFrame:
    """part, label, run, tuned_on, scored_on, target, asked, draw, minutes, r_frozen, r_tuned: the learning curve.

    Rows of part `draw` are draws of stories; of part `mean` their means, a row an amount that was asked for.

    Parameters
    ----------
    curve : DataFrame
        That of a `Transfer`.
    target : str
    matrix : DataFrame or None
        A `matrix_table`, whose labels name the runs.
    """
    line = ["run", "tuned_on", "scored_on"]
    labels = {} if matrix is None else _labels(matrix)
    draws = curve[curve["target"] == target].reset_index(drop=True)
    names = [
        f"{labels.get((run, tuned_on), run)} in {who}"
        for run, tuned_on, who in draws[line].itertuples(index=False)
    ]
    draws = draws.assign(part="draw", label=names)
    amounts = draws.groupby(["label", *line, "target", "asked"], dropna=False, sort=False)
    means = amounts[["minutes", "r_frozen", "r_tuned"]].mean().reset_index().assign(part="mean")
    return pd.concat([draws, means.sort_values("minutes", kind="stable")], ignore_index=True)


def _labels(matrix: pd.DataFrame) -> dict[tuple[str, str], str]:
    """By run and who it was tuned on."""
    rows = matrix.drop_duplicates(["run", "tuned_on"]).to_dict("records")
    options = [[row["tuned_on"] for row in rows]]
    if "seed" in matrix:
        options.append([f"{row['tuned_on']}, seed {row['seed']}" for row in rows])
    options.append([f"{row['tuned_on']} ({row['run']})" for row in rows])
    labels = next((some for some in options if len(set(some)) == len(rows)), options[-1])
    return {(row["run"], row["tuned_on"]): label for row, label in zip(rows, labels, strict=True)}


def transfer(places: Sequence[Place], choice: Choice) -> Shown:
    """Rows of part `matrix`; and of parts `draw` and `mean`, the learning curve over minutes where there is one."""
    from brainwavlm.reporting.figures.draw_transfer import transfer as draw

    matrices, curves, simulated = [], [], False
    for place in places:
        if place.made == "study":
            matrix, is_simulated = _study_matrix(place, choice)
        else:
            result = Transfer.open(place.path)
            is_simulated = bool(result.summary["simulated"])
            matrix = result.matrix[[*_KEYS, *(["seed"] if "seed" in result.matrix else [])]]
            curves.append(result.curve)
        matrices.append(matrix)
        simulated |= is_simulated
    matrix = pd.concat(matrices, ignore_index=True)
    _require_once(matrix, places)
    names = list(dict.fromkeys(matrix["target"]))
    targets = chosen_names("target", choice.target or [main_target(names)], names)
    if len(targets) > 1:
        raise ConfigError("target", f"{len(targets)} targets.", "one a matrix.", "Draw one figure for each.")
    runs = chosen_names("run", choice.run, matrix["run"].tolist())
    matrix = matrix_table(matrix[(matrix["target"] == targets[0]) & matrix["run"].isin(runs)])
    tables = [matrix.assign(part="matrix")]
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()
    if len(curve):
        columns = [key for key in _CURVE if key in curve]
        tables.append(minutes_table(curve.loc[curve["run"].isin(runs), columns], targets[0], matrix))
    values = pd.concat(tables, ignore_index=True)
    values = values.astype({key: "Int64" for key in ("seed", "draw") if key in values})
    return Shown(values[["part", *values.columns.drop("part")]], simulated, partial(draw, values))


def _study_matrix(place: Place, choice: Choice) -> tuple[pd.DataFrame, bool]:
    """Means over seeds as a matrix, and whether any is simulated: a group of cells takes the place of a run."""
    needed = "transfer: {} in an experiment"
    claims = claims_at(place)
    others = claim_rows(claims, place, choice, ("transfer",), needed)
    # And of the same experiments the gains in those that tuned: the diagonal.
    same = choice.model_copy(update={"experiment": tuple(others["experiment"].unique())})
    rows = pd.concat([claim_rows(claims, place, same, ("gain",), needed), others], ignore_index=True)
    several = rows["experiment"].nunique() > 1
    runs = rows["experiment"] + ": " + rows["group"] if several else rows["group"]
    cells = rows.assign(run=runs).rename(columns={"listener": "scored_on", "estimate": "difference"})
    cells = cells[cells["difference"].notna()][list(_KEYS)]
    return cells.astype(dict.fromkeys(_KEYS[5:], float)), bool(rows["simulated"].any())


def _require_once(matrix: pd.DataFrame, places: Sequence[Place]) -> None:
    twice = matrix.duplicated(["run", "tuned_on", "scored_on", "stories", "target"]).to_numpy()
    if twice.any():
        row = matrix.iloc[int(twice.argmax())]
        cell = f"run {row['run']} in {row['scored_on']} more than once."
        listed = ", ".join(str(place.path) for place in places)
        raise RunError(listed, cell, "each once.", "Draw them one by one.")
