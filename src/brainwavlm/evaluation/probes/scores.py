"""Scores of hidden states: r, R2, AUC and F1 of both models under each control, with paired intervals."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.evaluation.probes.fits import linear_predictions
from brainwavlm.evaluation.probes.tasks import FEWEST_UNITS, PLAIN, RESIDUAL, SHUFFLED, SHUFFLES, UNSEEN, Task
from brainwavlm.evaluation.statistics.auc import LABELS, jackknife_of_auc, jackknife_of_f1
from brainwavlm.evaluation.statistics.dimension import dimensions
from brainwavlm.evaluation.statistics.jackknife import jackknife_of_means, left_out_pieces, r_squared
from brainwavlm.results.estimates import Estimate, drawn_half, jackknife_interval
from brainwavlm.speech.unit_vectors import Vectors
from brainwavlm.stimulus.features.table import STRETCHES

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

    `vectors` are by story, from `unit_vectors`; `controls` are of `Task.asked`, and tasks that lack one are passed
    over.
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


@dataclass(frozen=True)
class ControlScore:
    """A score of some models on the test units under one control.

    Attributes
    ----------
    means : dict of model to array (n_pieces + 1,)
        Mean over columns: measured, and without each test story (or block).
    unit : str
        What was left out in turn.
    n_units : int
    draws : dict of model to array (n_draws,)
        The score of each draw, where it is a mean over random draws.
    """

    means: dict[str, np.ndarray]
    unit: str
    n_units: int
    draws: dict[str, np.ndarray] = field(default_factory=dict)

    def estimate(self, of: Callable[[Mapping[str, np.ndarray]], np.ndarray]) -> Estimate:
        """Something made of the scores of models, and its 95 % interval over test stories, and over draws."""
        values = of(self.means)
        low, high = jackknife_interval(float(values[0]), values[1:])
        if self.draws:
            half = float(np.hypot(high - values[0], drawn_half(of(self.draws))))
            low, high = float(values[0]) - half, float(values[0]) + half
        return float(values[0]), low, high


def control_scores(
    task: Task, layer: int, models: Mapping[str, Predictions], controls: Collection[str]
) -> dict[tuple[str, str], ControlScore]:
    """Scores of models on the test units by control and score: `none`, then what was asked in its place.

    selectivity = score - that with shuffled values; unseen-types: the score on words that no fitted story has;
    beyond-low-level: how well the residual of the low-level features is predicted, also for labels by r alone, as a
    residual is no label.
    """
    names, stories = SCORES[task.feature.scale], task.tested.story_of_row
    scores: dict[tuple[str, str], ControlScore] = {}
    for control in (PLAIN, SHUFFLED, RESIDUAL):
        if control not in task.asked or (control not in controls and control != PLAIN):
            continue
        predicted = {name: some[task.feature.name, control, layer] for name, some in models.items()}
        truth = task.asked[control][1]
        for score in ("r",) if control == RESIDUAL and task.feature.scale != "numbers" else names:
            if control != SHUFFLED:
                scores[control, score] = scored(task, score, predicted, truth, stories)
                continue
            draws = [np.split(some, SHUFFLES, axis=1) for some in predicted.values()]
            each = [
                scored(task, score, dict(zip(models, some, strict=True)), truth, stories)
                for some in zip(*draws, strict=True)
            ]
            all_draws = {name: np.stack([one.means[name] for one in each]) for name in models}
            means = {name: some.mean(0) for name, some in all_draws.items()}
            drawn = {name: some[:, 0] for name, some in all_draws.items()}
            scores[control, score] = replace(each[0], means=means, draws=drawn)
            plain = scores[PLAIN, score]
            scores[SELECTIVITY, score] = replace(
                plain,
                means={name: plain.means[name] - some for name, some in means.items()},
                draws={name: plain.means[name][0] - some for name, some in drawn.items()},
            )
    if UNSEEN in controls and (rows := task.unseen).sum() >= FEWEST_UNITS:
        some = {
            name: predictions[task.feature.name, PLAIN, layer][rows] for name, predictions in models.items()
        }
        for score in names:
            scores[UNSEEN, score] = scored(task, score, some, task.asked[PLAIN][1][rows], stories[rows])
    return scores


def scored(
    task: Task, score: str, predictions: Mapping[str, np.ndarray], truth: np.ndarray, stories: np.ndarray
) -> ControlScore:
    """A score of models over rows (n_rows, n_columns) of test units from `stories` (n_rows,)."""
    of = task.feature.unit
    if score == "auc":
        jackknife = jackknife_of_auc(predictions, truth > 0.5, stories, of)
    elif score == "f1":
        share = task.asked[PLAIN][0].mean(0, dtype=np.float64)  # of each label among the fitted units
        decisions = {name: share + predicted for name, predicted in predictions.items()}
        jackknife = jackknife_of_f1(decisions, truth > 0.5, stories, of)
    else:
        everything = {LABELS: np.ones(truth.shape[1], bool)}
        measure = r_squared if score == "r2" else None
        jackknife = jackknife_of_means(truth, predictions, stories, everything, of, measure)
    return ControlScore(jackknife.means[LABELS], jackknife.unit, len(truth))


def dimension_scores(points: Mapping[str, np.ndarray], stories: np.ndarray) -> dict[str, ControlScore]:
    """Intrinsic dimensions of the vectors of models (n_points, n_dims), of points from `stories` (n_points,)."""
    pieces, unit = left_out_pieces(stories, STRETCHES)
    by_model = {name: dimensions(some, pieces) for name, some in points.items()}
    scores = next(iter(by_model.values()))
    return {
        score: ControlScore({name: some[score] for name, some in by_model.items()}, unit, len(stories))
        for score in scores
    }
