"""Rows of the tables of probes: both models by control and score, and means over seeds."""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.evaluation.probes.scores import (
    SCORES,
    ControlScore,
    Predictions,
    control_scores,
    dimension_scores,
    scored,
)
from brainwavlm.evaluation.probes.tasks import DIMENSION, GEOMETRY, LOW_LEVEL, PLAIN, RANDOM, Task
from brainwavlm.results.estimates import Score, gain, interval_p, mean_over_seeds, over_seeds
from brainwavlm.results.replicates import replicate_rows

_KEYS = ["layer", "feature", "kind", "control", "score"]


def probe_rows(
    about: Mapping[str, Any],
    task: Task,
    layer: int,
    models: Mapping[str, Predictions],
    controls: Collection[str],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of probes.csv of one feature and hidden state, and those of its replicates."""
    pair = {name: models[name] for name in ("frozen", "tuned")}
    stories = task.tested.story_of_row
    alone = {LOW_LEVEL: task.low_level} if LOW_LEVEL in controls and task.low_level is not None else {}
    if RANDOM in controls:
        alone[RANDOM] = models[RANDOM][task.feature.name, PLAIN, layer]
    untouched = {
        (control, score): scored(task, score, {control: predicted}, task.asked[PLAIN][1], stories)
        for control, predicted in alone.items()
        for score in SCORES[task.feature.scale]
    }
    start = {**about, "layer": layer, "feature": task.feature.name, "kind": task.feature.kind}
    return _rows(start, control_scores(task, layer, pair, controls), untouched, stories, len(task.columns))


def dimension_rows(
    about: Mapping[str, Any],
    layer: int,
    models: Mapping[str, Predictions],
    stories: np.ndarray,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The same of the intrinsic dimension of hidden states, whose vectors stand in the place of predictions."""
    scores = dimension_scores({name: some[DIMENSION, PLAIN, layer] for name, some in models.items()}, stories)
    compared, untouched = (
        {(control, score): one for score, one in scores.items()} for control in (PLAIN, RANDOM)
    )
    start = {**about, "layer": layer, "feature": DIMENSION, "kind": GEOMETRY}
    return _rows(start, compared, untouched if RANDOM in models else {}, stories, 1)


def _rows(
    start: Mapping[str, Any],
    compared: Mapping[tuple[str, str], ControlScore],
    untouched: Mapping[tuple[str, str], ControlScore],
    stories: np.ndarray,
    n_labels: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of both models under each control and score, and of what tuning does not touch; those of replicates."""
    rows, replicates = [], []
    for (control, score), both in compared.items():
        change, low, high = both.estimate(lambda of: of["tuned"] - of["frozen"])
        columns = {
            **_of_models(both, frozen="frozen", tuned="tuned"),
            "difference": change,
            "low": low,
            "high": high,
            "p": interval_p(change, high, len(both.means["tuned"]) - 1),
        }
        rows.append({**start, "control": control, "score": score, **columns, "scores": both})
        kept = {start["feature"]: (both.means["frozen"][1:], both.means["tuned"][1:])}
        of_run = start["run"], start["subject"]
        replicates += replicate_rows(*of_run, kept, both.unit, stories, start["layer"], control, score)
    for (control, score), one in untouched.items():
        columns = _of_models(one, frozen=control, tuned=control)
        rows.append({**start, "control": control, "score": score, **columns, "scores": one})
    sizes = {"n_stories": len(set(stories)), "n_labels": n_labels}
    return [{**row, **sizes, "n_units": row["scores"].n_units} for row in rows], replicates


def _of_models(scores: ControlScore, **models: str) -> dict[str, float]:
    """Columns of the frozen and the tuned model, each with its interval, from the names that they have there."""
    columns: dict[str, float] = {}
    for column, model in models.items():
        names = f"score_{column}", f"low_{column}", f"high_{column}"
        columns |= dict(zip(names, scores.estimate(itemgetter(model)), strict=True))
    return columns


def with_q(frame: pd.DataFrame) -> pd.DataFrame:
    """With q: the false discovery rate of p over the hidden states of a run, feature, control and score."""
    from scipy.stats import false_discovery_control

    frame = frame.assign(q=np.nan)
    for _, some in frame[frame["p"].notna()].groupby(["run", *_KEYS[1:]], sort=False):
        frame.loc[some.index, "q"] = false_discovery_control(some["p"])
    own = [f"{what}_{model}" for model in ("frozen", "tuned") for what in ("low", "high")]
    sizes = ["n_stories", "n_units", "n_labels"]
    first = ["run", "subject", "seed", *_KEYS, "score_frozen", "score_tuned", "difference", "low", "high"]
    return frame[[*first, "p", "q", *own, *sizes, "scores"]]


def seed_rows(frame: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Rows of seeds.csv: means over the runs of each group of two or more."""
    rows = []
    scored_rows = frame[frame["difference"].notna()]
    for group, members in groups.items():
        of_group = scored_rows[scored_rows["run"].isin(members)]
        for keys, some in of_group.groupby(_KEYS, sort=False) if len(members) > 1 else ():
            scores = [_score(row) for row in some.to_dict("records")]
            difference, low, high = mean_over_seeds(scores, gain)
            rows.append(
                {
                    "group": group,
                    "subject": some["subject"].iloc[0],
                    **dict(zip(_KEYS, keys, strict=True)),
                    "n_runs": len(scores),
                    **{name: float(some[name].mean()) for name in ("score_frozen", "score_tuned")},
                    "difference": difference,
                    "low": low,
                    "high": high,
                    **over_seeds(some["difference"].tolist()),
                }
            )
    return pd.DataFrame(rows)


def _score(row: Mapping[Any, Any]) -> Score:
    scores: ControlScore = row["scores"]
    frozen, tuned = (scores.means[model] for model in ("frozen", "tuned"))
    return Score(row["seed"], float(frozen[0]), float(tuned[0]), frozen[1:], tuned[1:], scores.unit)
