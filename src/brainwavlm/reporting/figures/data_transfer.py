"""Transfer: who tuned by who is scored, and how much of a listener's data it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.figures.canvas import Canvas
from brainwavlm.reporting.figures.data_findings import claim_rows, claims_at
from brainwavlm.reporting.figures.drawing import Drawing
from brainwavlm.reporting.figures.folders import Place, chosen_names
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.reporting.figures.matrices import transfer_figure
from brainwavlm.reporting.figures.study import with_numbers
from brainwavlm.results.transfer import read_transfer

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
Row = Mapping[str, Any]


def matrix_table(matrix: pd.DataFrame) -> pd.DataFrame:
    """run, label, tuned_on, scored_on, stories, target, r_frozen, r_tuned, difference, low, high.

    The rows of stories that tuning did not use, where there are some of a run and listener, else those of all. `label`
    says who a run was tuned on; with its seed, or its name, where that tells no runs apart.

    Parameters
    ----------
    matrix : DataFrame
        That of a `Transfer`.
    """
    cells = ["run", "tuned_on", "scored_on", "target"]
    unheard = matrix["stories"] == "unheard"
    has_unheard = unheard.groupby([matrix[key] for key in cells]).transform("any")
    fair = matrix[unheard | ~has_unheard].reset_index(drop=True)
    return fair.assign(label=fair["run"].map(_run_labels(fair)))


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
    draws = curve[curve["target"] == target].reset_index(drop=True)
    labels = dict(zip(matrix["run"], matrix["label"], strict=True)) if matrix is not None else {}
    names = [
        f"{labels.get(run, run)} in {who}" for run, who in zip(draws["run"], draws["scored_on"], strict=True)
    ]
    draws = draws.assign(label=names)
    line = ["label", "run", "tuned_on", "scored_on", "target"]
    means = draws.groupby([*line, "asked"], dropna=False, sort=False)[
        ["minutes", "r_frozen", "r_tuned"]
    ].mean()
    means = means.reset_index().sort_values("minutes", kind="stable")
    return pd.concat([draws.assign(part="draw"), means.assign(part="mean")], ignore_index=True)


def _run_labels(matrix: pd.DataFrame) -> dict[str, str]:
    runs = matrix.drop_duplicates("run").to_dict("records")
    for labels in (
        [row["tuned_on"] for row in runs],
        [f"{row['tuned_on']}, seed {row['seed']}" for row in runs] if "seed" in matrix else [],
    ):
        if len(set(labels)) == len(runs):
            break
    else:
        labels = [f"{row['tuned_on']} ({row['run']})" for row in runs]
    return {row["run"]: label for row, label in zip(runs, labels, strict=True)}


_CURVE = ("run", "tuned_on", "scored_on", "target", "asked", "draw", "minutes", "r_frozen", "r_tuned")


def draw_transfer(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """Gain of each run in each listener, and by minutes of their data where that was asked for.

    values: rows of part `matrix`, and of part `curve` a draw of stories. Where tuning used some of a listener's test
    stories, the cell is that of the others (stories: unheard).
    """
    matrices, curves, simulated = [], [], False
    for place in places:
        if place.made == "study":
            needed = "transfer: {} in an experiment"
            claims = claims_at(place)
            others = claim_rows(claims, place, choice, ("transfer",), needed)
            named = {row["experiment"] for row in others}
            # Gains in the listeners that tuned, of the same experiments: the diagonal.
            own = claim_rows(claims, place, replace(choice, experiment=tuple(named)), ("gain",), needed)
            rows = own + others
            simulated |= any(row["simulated"] for row in rows)
            matrices.append(_study_matrix(rows))
        else:
            read = read_transfer(place.path)
            simulated |= bool(read.summary["simulated"])
            matrices.append(read.matrix[[*_KEYS, *(["seed"] if "seed" in read.matrix else [])]])
            curves.append(read.curve)
    matrix = pd.concat(matrices, ignore_index=True)
    twice = matrix.duplicated(["run", "tuned_on", "scored_on", "stories", "target"]).to_numpy()
    if twice.any():
        row = matrix.iloc[int(twice.argmax())]
        found = f"run {row['run']} in {row['scored_on']} more than once."
        raise RunError(
            ", ".join(str(place.path) for place in places), found, "each once.", "Draw them one by one."
        )
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()
    there = list(dict.fromkeys(matrix["target"]))
    targets = chosen_names("--target", choice.target or ["cortex" if "cortex" in there else there[0]], there)
    if len(targets) > 1:
        raise ConfigError(
            "--target", f"{len(targets)} targets.", "one a matrix.", "Draw one figure for each."
        )
    runs = chosen_names("--run", choice.run, matrix["run"].tolist())
    matrix = _fair(matrix[(matrix["target"] == targets[0]) & matrix["run"].isin(runs)])
    if len(curve):
        curve = curve[(curve["target"] == targets[0]) & curve["run"].isin(runs)]
    values = [matrix.assign(part="matrix")]
    if len(curve):
        values.append(curve[[key for key in _CURVE if key in curve]].assign(part="curve"))
    figure = transfer_figure(matrix, curve, choice.title, simulated, canvas)
    frame = pd.concat(values, ignore_index=True)
    return Drawing(figure, frame[["part", *frame.columns.drop("part")]], simulated)


def _fair(matrix: pd.DataFrame) -> pd.DataFrame:
    """Of each run and listener the row of stories that tuning did not use, where there is one, else that of all."""
    who = list(zip(matrix["run"], matrix["tuned_on"], matrix["scored_on"], strict=True))
    unheard = (matrix["stories"] == "unheard").tolist()
    have = {one for one, other in zip(who, unheard, strict=True) if other}
    keep = [other or one not in have for one, other in zip(who, unheard, strict=True)]
    return matrix[keep].reset_index(drop=True)


def _study_matrix(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Means over seeds as a matrix: a group of cells takes the place of a run."""
    several = len({row["experiment"] for row in rows}) > 1
    found = [
        {
            "run": f"{row['experiment']}: {row['group']}" if several else row["group"],
            "scored_on": row["listener"],
            "difference": row["estimate"],
            **{
                key: row[key]
                for key in ("tuned_on", "stories", "target", "r_frozen", "r_tuned", "low", "high")
            },
        }
        for row in map(with_numbers, rows)
        if np.isfinite(row["estimate"])
    ]
    return pd.DataFrame(found, columns=list(_KEYS))
