"""Rows of the tables of probes: both models by control and score, and means over seeds."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.evaluation.contrasts import contrast
from brainwavlm.evaluation.probes.scores import SCORES, Predictions, control_scores, scored
from brainwavlm.evaluation.probes.tasks import LOW_LEVEL, PLAIN, RANDOM, UNSEEN, Task
from brainwavlm.evaluation.statistics.auc import LABELS
from brainwavlm.evaluation.statistics.jackknife import Jackknife
from brainwavlm.results.estimates import Score, gain, jackknife_p, mean_over_seeds, over_seeds
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
    start = {**about, "layer": layer, "feature": task.feature.name, "kind": task.feature.kind}
    rows, replicates = [], []
    for (control, score), jackknife in control_scores(task, layer, pair, controls).items():
        means = jackknife.means[LABELS]
        change = means["tuned"] - means["frozen"]
        columns = contrast(jackknife, LABELS, "score")
        p = jackknife_p(float(change[0]), change[1:])
        n_units = int(task.unseen.sum()) if control == UNSEEN else len(stories)
        of_both = {**columns, "p": p, "n_units": n_units, "jackknife": jackknife}
        rows.append({**start, "control": control, "score": score, **of_both})
        both = {task.feature.name: (means["frozen"][1:], means["tuned"][1:])}
        replicates += replicate_rows(
            about["run"], about["subject"], both, jackknife.unit, stories, layer, control, score
        )
    alone = {LOW_LEVEL: task.low_level} if LOW_LEVEL in controls and task.low_level is not None else {}
    if RANDOM in controls:
        alone[RANDOM] = models[RANDOM][task.feature.name, PLAIN, layer]
    for control, predicted in alone.items():
        for score in SCORES[task.feature.scale]:
            value = scored(task, score, {control: predicted}, task.asked[PLAIN][1]).means[LABELS][control][0]
            same = {"score_frozen": float(value), "score_tuned": float(value)}
            of_both = {**same, "n_units": len(stories), "jackknife": None}
            rows.append({**start, "control": control, "score": score, **of_both})
    sizes = {"n_stories": len(task.tested.kept), "n_labels": len(task.columns)}
    return [{**row, **sizes} for row in rows], replicates


def with_q(frame: pd.DataFrame) -> pd.DataFrame:
    """With q: the false discovery rate of p over the hidden states of a run, feature, control and score."""
    from scipy.stats import false_discovery_control

    frame = frame.assign(q=np.nan)
    for _, some in frame[frame["p"].notna()].groupby(["run", *_KEYS[1:]], sort=False):
        frame.loc[some.index, "q"] = false_discovery_control(some["p"])
    first = [*("run", "subject", "seed"), *_KEYS, "score_frozen", "score_tuned"]
    return frame[
        [*first, "difference", "low", "high", "p", "q", "n_stories", "n_units", "n_labels", "jackknife"]
    ]


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
    jackknife: Jackknife = row["jackknife"]
    frozen, tuned = (jackknife.means[LABELS][model] for model in ("frozen", "tuned"))
    return Score(row["seed"], float(frozen[0]), float(tuned[0]), frozen[1:], tuned[1:], jackknife.unit)
