"""Scores of hidden states: r, R2, AUC and F1 of both models under each control, with paired intervals."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.evaluation.probes.fits import linear_predictions
from brainwavlm.evaluation.probes.tasks import FEWEST_UNITS, PLAIN, RESIDUAL, SHUFFLED, SHUFFLES, UNSEEN, Task
from brainwavlm.evaluation.statistics.auc import LABELS, jackknife_of_auc, jackknife_of_f1
from brainwavlm.evaluation.statistics.jackknife import Jackknife, jackknife_of_means, r_squared
from brainwavlm.speech.unit_vectors import Vectors

SELECTIVITY = "selectivity"
SCORES = {"numbers": ("r", "r2"), "labels": ("auc", "r"), "classes": ("auc", "f1", "r")}
# By feature, control and hidden state, (n_tested, n_columns).
Predictions = dict[tuple[str, str, int], np.ndarray]


def probe_predictions(
    tasks: Sequence[Task],
    vectors: Mapping[str, Vectors],
    layers: Sequence[int],
    config: RunConfig,
    controls: Sequence[str],
) -> Predictions:
    """What hidden states say of the test units, for each task and each control that asks something else of them.

    Parameters
    ----------
    tasks : sequence of Task
    vectors : mapping of story to vectors
        From `unit_vectors`.
    layers : sequence of int
    config : RunConfig
    controls : sequence of str
        Of `Task.asked`; tasks that lack one are passed over.
    """
    groups: dict[tuple, list[Task]] = {}
    for task in tasks:  # those on the same rows share the decompositions of ridge
        groups.setdefault(task.rows_key, []).append(task)
    predictions: Predictions = {}
    for layer in layers:
        for group in groups.values():
            first = group[0]
            unit = first.feature.unit
            by_story = {story: of_layers[layer][unit] for story, of_layers in vectors.items()}
            asked = {
                (task.feature.name, control, layer): task.asked[control]
                for task in group
                for control in controls
                if control in task.asked
            }
            said = linear_predictions(
                first.fitted.centred(by_story),
                first.tested.centred(by_story),
                np.concatenate([truth for truth, _ in asked.values()], axis=1),
                first.fitted.story_of_row,
                config,
            )
            ends = np.cumsum([truth.shape[1] for truth, _ in asked.values()])
            predictions |= dict(zip(asked, np.split(said, ends[:-1], axis=1), strict=True))
    return predictions


def control_scores(
    task: Task, layer: int, models: Mapping[str, Predictions], controls: Collection[str]
) -> dict[tuple[str, str], Jackknife]:
    """Jackknives by control and score of models on the test units: `none`, then what was asked in its place.

    selectivity = score - that with shuffled values; unseen-types: the score on words that no fitted story has;
    beyond-low-level: how well the residual of the low-level features is predicted, also for labels by r alone, as a
    residual is no label.

    Parameters
    ----------
    task : Task
    layer : int
    models : mapping of name to Predictions
    controls : collection of str
    """

    def of(control: str) -> dict[str, np.ndarray]:
        return {name: predictions[task.feature.name, control, layer] for name, predictions in models.items()}

    scores = {}
    for control in (PLAIN, SHUFFLED, RESIDUAL):
        if control in task.asked and (control in controls or control == PLAIN):
            numeric = control == RESIDUAL and task.feature.scale != "numbers"
            for score in ("r",) if numeric else SCORES[task.feature.scale]:
                truth = task.asked[control][1]
                draws = SHUFFLES if control == SHUFFLED else 1
                by_draw = {name: np.split(some, draws, axis=1) for name, some in of(control).items()}
                jackknives = [
                    scored(task, score, dict(zip(by_draw, some, strict=True)), truth)
                    for some in zip(*by_draw.values(), strict=True)
                ]
                scores[control, score] = _mean(jackknives)
    for score in SCORES[task.feature.scale] if (SHUFFLED, SCORES[task.feature.scale][0]) in scores else ():
        plain, shuffled = (scores[control, score] for control in (PLAIN, SHUFFLED))
        target = {name: means - shuffled.means[LABELS][name] for name, means in plain.means[LABELS].items()}
        scores[SELECTIVITY, score] = replace(plain, means={LABELS: target})
    rows = task.unseen
    if UNSEEN in controls and rows.sum() >= FEWEST_UNITS:
        some = {name: predicted[rows] for name, predicted in of(PLAIN).items()}
        for score in SCORES[task.feature.scale]:
            scores[UNSEEN, score] = scored(task, score, some, task.asked[PLAIN][1][rows], rows)
    return scores


def _mean(jackknives: Sequence[Jackknife]) -> Jackknife:
    first = jackknives[0]
    means = {
        name: np.mean([one.means[LABELS][name] for one in jackknives], 0) for name in first.means[LABELS]
    }
    return replace(first, means={LABELS: means})


def scored(
    task: Task,
    score: str,
    predictions: Mapping[str, np.ndarray],
    truth: np.ndarray,
    rows: np.ndarray | None = None,
) -> Jackknife:
    """A score of models, mean over columns, over all test units (or some rows) and without each story (or block)."""
    stories = task.tested.story_of_row if rows is None else task.tested.story_of_row[rows]
    of = task.feature.unit
    if score == "auc":
        return jackknife_of_auc(predictions, truth > 0.5, stories, of)
    if score == "f1":
        share = task.asked[PLAIN][0].mean(0, dtype=np.float64)  # of each label among the fitted units
        decisions = {name: share + predicted for name, predicted in predictions.items()}
        return jackknife_of_f1(decisions, truth > 0.5, stories, of)
    everything = {LABELS: np.ones(truth.shape[1], bool)}
    measure = r_squared if score == "r2" else None
    return jackknife_of_means(truth, predictions, stories, everything, of, measure)
