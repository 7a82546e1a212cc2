"""Is anything forgotten? What is said within a clip, read off hidden states by a linear classifier, before and after.

    clip c       one second of sound, heard alone; x[c] = mean over its frames of a hidden state
    y[c, l]      1 if the middle of a phone (or word) l lies in c, else 0
    decision     x[c] w[l], ridge of y on the clips of training and validation stories, both centred, x scaled
    AUC[l]       P(decision of a test clip with l > that of one without it), 1/2 where both are equal; .5 by chance

The score is the mean of AUC over labels. Sounds and transcripts of the data set are all that it needs: no responses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from brainwavlm.config import RunConfig, WindowConfig
from brainwavlm.encoding.prepared_stories import planned_windows
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.contrasts import adapted, contrast, kept_replicates
from brainwavlm.evaluation.evaluator import Evaluator, untuned_key
from brainwavlm.evaluation.probes.fits import linear_predictions
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.evaluation.statistics.auc import LABELS, jackknife_of_auc
from brainwavlm.speech.features import StoryFeatures
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.stimulus.features.units import Units
from brainwavlm.stimulus.intervals import Kind
from brainwavlm.stimulus.transcripts import labels_said

TASKS: tuple[Kind, ...] = ("phones", "words")
CLIP_SECONDS = 1.0
STORIES = "clips"  # how replicates.npz names what was left out
# With fewer clips, with or without it, the AUC of a label hangs on single clips.
FEWEST_CLIPS = 10


class Clips(NamedTuple):
    """The clips of some stories, story after story: names, story of each clip, and labels, bool (n_clips, n_labels)."""

    stories: list[str]
    story_of_row: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Task:
    """Labels of the clips of a data set: those in at least 10 clips, and missing from as many, on both sides."""

    name: str
    labels: tuple[str, ...]
    fitted: Clips
    tested: Clips


class Downstream:
    """Tasks (phones, of ARPAbet without stress, or words) for the runs of one evaluator.

    What the untuned model reaches is computed once. ConfigError for a task that there is not, or one named twice.
    """

    def __init__(self, evaluator: Evaluator, names: Sequence[str]):
        if not set(names) <= set(TASKS) or len(set(names)) < len(names):
            raise ConfigError(
                "evaluate.downstream",
                f"{', '.join(map(repr, names)) or 'none'}.",
                f"tasks of {', '.join(TASKS)}, each once.",
                f"For instance: {','.join(TASKS)}",
            )
        self._evaluator = evaluator
        self._names = tuple(task for name in names for task in TASKS if task == name)
        self._tasks: dict[str, list[Task]] = {}
        self._frozen: dict[str, dict[tuple[str, int], np.ndarray]] = {}

    def tasks(self, plan: ScoringPlan) -> list[Task]:
        """Tasks on the stories of a plan, from transcripts and headers of sounds alone; raises as `task_of`."""
        key = untuned_key(plan)
        if key not in self._tasks:
            min_samples = self._evaluator.untuned(plan.config).min_samples
            self._tasks[key] = [task_of(name, plan, min_samples) for name in self._names]
        return self._tasks[key]

    def rows(
        self, about: Mapping[str, Any], plan: ScoringPlan, tuned: Backbone, layers: Sequence[int]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of downstream.csv for one run, and of its replicates, for `gathered`; `tuned` gives all of `layers`."""
        config = plan.config
        key = untuned_key(plan) + str(list(layers))
        if key not in self._frozen:
            untuned = self._evaluator.untuned(config, layers)
            self._frozen[key] = self._decided(untuned, plan, layers, "model as it is")
        frozen, decided = self._frozen[key], self._decided(tuned, plan, layers, about["run"])
        table, replicates = [], []
        for task in self.tasks(plan):
            for layer in layers:
                place = (task.name, layer)
                models = {"frozen": frozen[place], "tuned": decided[place]}
                jackknife = jackknife_of_auc(models, task.tested.labels, task.tested.story_of_row)
                by_task = replace(jackknife, means={task.name: jackknife.means[LABELS]})
                replicates += kept_replicates(about, by_task, task.tested.story_of_row, layer, STORIES)
                table.append(
                    {
                        **about,
                        "task": task.name,
                        "layer": layer,
                        "n_labels": len(task.labels),
                        "n_clips": len(task.tested.labels),
                        **contrast(jackknife, LABELS, "auc"),
                        "adapted": adapted(config, layer),
                    }
                )
        return table, replicates

    def _decided(
        self, backbone: Backbone, plan: ScoringPlan, layers: Sequence[int], who: str
    ) -> dict[tuple[str, int], np.ndarray]:
        """Decisions by task and layer, (n_test_clips, n_labels)."""
        clips, recordings = _of_clips(plan.config), plan.data.recordings.values()
        features = self._evaluator.features(backbone, clips, recordings, f"Hearing clips, {who}")
        return {
            (task.name, layer): decisions(features, task, layer, clips)
            for task in self.tasks(plan)
            for layer in layers
        }


def task_of(name: Kind, plan: ScoringPlan, min_samples: int) -> Task:
    """The labels of all clips; `min_samples` is what the model can hear.

    Raises
    ------
    ConfigError
        A story without a transcript, or no label in enough clips.
    """
    (fit,) = plan.fits
    recordings = [*fit.fitted, *fit.held_out]
    said = labels_said([one.story for one in recordings], name, "evaluate.downstream", name)
    config = _of_clips(plan.config)
    ends = [planned_windows(one, config, min_samples).times for one in recordings]
    labels = sorted({label for units in said.values() for label in units.labels} - {""})
    having = [_clip_labels(*of_story, labels) for of_story in zip(said.values(), ends, strict=True)]
    sides = [slice(len(fit.fitted)), slice(len(fit.fitted), None)]
    fitted, tested = (np.concatenate(having[side]) for side in sides)
    often = np.all(
        [(side.sum(0) >= FEWEST_CLIPS) & ((~side).sum(0) >= FEWEST_CLIPS) for side in (fitted, tested)],
        axis=0,
    )
    if not often.any():
        raise ConfigError(
            "evaluate.downstream",
            f"{name}: none is in {FEWEST_CLIPS} clips of {CLIP_SECONDS:g} s, and missing from as many, among both "
            f"the {len(fitted)} clips that are fitted and the {len(tested)} that are tested.",
            "longer stories.",
            "Name more test stories, or leave this task out.",
        )
    names, n_clips = [one.story.name for one in recordings], list(map(len, ends))
    return Task(
        name,
        tuple(label for label, keep in zip(labels, often, strict=True) if keep),
        *(
            Clips(names[side], np.repeat(names[side], n_clips[side]), some[:, often])
            for side, some in zip(sides, (fitted, tested), strict=True)
        ),
    )


def decisions(features: Mapping[str, StoryFeatures], task: Task, layer: int, config: RunConfig) -> np.ndarray:
    """Decisions for test clips, (n_clips, n_labels), from features with a row a clip: ridge, penalties by stories."""
    fitted, tested = (
        np.concatenate([features[story].layers[layer] for story in clips.stories])
        for clips in (task.fitted, task.tested)
    )
    return linear_predictions(fitted, tested, task.fitted.labels, task.fitted.story_of_row, config)


def _clip_labels(said: Units, ends: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """y[c, l] = whether the middle of a label l lies in the clip that ends at ends[c], (n_clips, n_labels) bool."""
    column = {label: number for number, label in enumerate(labels)}
    having = np.zeros((len(ends), len(labels)), dtype=bool)
    for label, middle in zip(said.labels, said.middles, strict=True):
        row = int(np.searchsorted(ends, middle))
        if label and row < len(ends) and middle > ends[row] - CLIP_SECONDS:
            having[row, column[label]] = True
    return having


def _of_clips(config: RunConfig) -> RunConfig:
    """The configuration, hearing clips alone."""
    clips = WindowConfig(context=CLIP_SECONDS, stride=CLIP_SECONDS, frame="mean")
    return config.model_copy(update={"windows": clips})
