"""Is anything forgotten? What is said within a clip, read off hidden states by a linear classifier, before and after.

    clip c       one second of sound, heard alone; x[c] = mean over its frames of a hidden state
    y[c, l]      1 if the middle of a phone (or word) l lies in c, else 0
    decision     x[c] w[l], ridge of y on the clips of training and validation stories, both centred, x scaled
    AUC[l]       P(decision of a test clip with l > that of one without it), 1/2 where both are equal; .5 by chance

The score is the mean of AUC over labels. Sounds and transcripts of the data set are all that it needs: no responses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig, WindowConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.prepared_stories import planned_windows
from brainwavlm.encoding.ridge import ridge_batches
from brainwavlm.encoding.run_data import RunData
from brainwavlm.encoding.stimulus_targets import PHONES, phone_class
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.evaluator import Evaluator, device_of, untuned_model_key
from brainwavlm.evaluation.layers import adapted
from brainwavlm.evaluation.ridge_predictions import held_out_fits
from brainwavlm.evaluation.statistics.bootstrap import SEED, Resampled, drawn_pieces
from brainwavlm.results.resamples import resample_rows
from brainwavlm.speech.backbones import Backbone
from brainwavlm.speech.features import StoryFeatures
from brainwavlm.stimulus.transcripts import Interval, read_transcript
from brainwavlm.stimulus.word_vectors import spoken

TASKS = ("phones", "words")
STORIES = "clips"  # how resamples.npz names what was resampled
CLIP_SECONDS = 1.0
# With fewer clips, with or without it, the AUC of a label hangs on single clips.
FEWEST_CLIPS = 10


@dataclass(frozen=True)
class Task:
    """Labels of the clips of a data set.

    Attributes
    ----------
    name : str
    labels : tuple of str
        Those in at least 10 clips, and missing from as many, on both sides.
    fitted, tested : tuples of str
        Stories, in the order of the rows.
    fitted_labels, tested_labels : bool arrays (n_clips, n_labels)
    story_of_fitted, story_of_tested : arrays (n_clips,) of str
    """

    name: str
    labels: tuple[str, ...]
    fitted: tuple[str, ...]
    tested: tuple[str, ...]
    fitted_labels: np.ndarray
    tested_labels: np.ndarray
    story_of_fitted: np.ndarray
    story_of_tested: np.ndarray


class Downstream:
    """Tasks for the runs of one evaluator; what the untuned model reaches is computed once.

    Parameters
    ----------
    evaluator : Evaluator
    names : sequence of str
        phones (ARPAbet without stress) or words.

    Raises
    ------
    ConfigError
        A task that there is not, or one named twice.
    """

    def __init__(self, evaluator: Evaluator, names: Sequence[str]):
        if not set(names) <= set(TASKS) or len(set(names)) < len(names):
            raise ConfigError(
                "--downstream",
                f"{', '.join(map(repr, names)) or 'none'}.",
                f"tasks of {', '.join(TASKS)}, each once.",
                f"For instance: --downstream {','.join(TASKS)}",
            )
        self._evaluator, self._names = evaluator, tuple(names)
        self._tasks: dict[str, list[Task]] = {}
        self._frozen: dict[str, dict[tuple[str, int], np.ndarray]] = {}

    def tasks(self, config: RunConfig) -> list[Task]:
        """The tasks on the stories of a configuration, from transcripts and headers of sounds alone.

        Raises
        ------
        ConfigError
            A story without a transcript, or no label in enough clips.
        """
        key = untuned_model_key(config)
        if key not in self._tasks:
            setting, min_samples = (
                self._evaluator.setting(config),
                self._evaluator.untuned(config).min_samples,
            )
            self._tasks[key] = [task_of(name, setting, config, min_samples) for name in self._names]
        return self._tasks[key]

    def rows(
        self, name: str, config: RunConfig, tuned: Backbone, layers: Sequence[int]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of downstream.csv for one run, and of its resamples, for `resamples.gathered`.

        Parameters
        ----------
        name : str
            Of the run, in the table.
        config : RunConfig
        tuned : Backbone
            Which gives all of `layers`.
        layers : sequence of int
            Hidden states that are read.
        """
        if not self._names:
            return [], []
        key = untuned_model_key(config) + str(list(layers))
        if key not in self._frozen:
            untuned = self._evaluator.untuned(config, layers)
            self._frozen[key] = self._decided(untuned, config, layers, "model as it is")
        frozen, decided = self._frozen[key], self._decided(tuned, config, layers, name)
        table, resamples = [], []
        for task in self.tasks(config):
            for layer in layers:
                place = (task.name, layer)
                found = resampled_auc(
                    {"frozen": frozen[place], "tuned": decided[place]}, task, config.evaluation.bootstraps
                )
                means = found.means[task.name]
                draws = {task.name: (found.draws(means["frozen"]), found.draws(means["tuned"]))}
                resamples += resample_rows(
                    name, config.subject, draws, found.drawn, task.story_of_tested, layer, STORIES
                )
                table.append(_row(name, config, task, layer, found))
        return table, resamples

    def _decided(
        self, backbone: Backbone, config: RunConfig, layers: Sequence[int], who: str
    ) -> dict[tuple[str, int], np.ndarray]:
        """Decisions by task and layer, (n_test_clips, n_labels)."""
        setting, clips = self._evaluator.setting(config), _of_clips(config)
        title = f"Hearing clips, {who}"
        features = self._evaluator.features(backbone, clips, setting.recordings.values(), title)
        return {
            (task.name, layer): decisions(features, task, layer, clips)
            for task in self.tasks(config)
            for layer in layers
        }


def task_of(name: str, setting: RunData, config: RunConfig, min_samples: int) -> Task:
    """The labels of all clips; `config` says how ridge and splits are, `min_samples` what the model can hear.

    Raises
    ------
    ConfigError
        A story without a transcript, or no label in enough clips.
    """
    ((fit, held),) = held_out_fits(setting.splits, leave_one_out=False)
    sides = []
    for recordings in (fit, held):
        said = [_said(name, recording) for recording in recordings]
        ends = [planned_windows(recording, _of_clips(config), min_samples).times for recording in recordings]
        sides.append((said, ends))
    labels = sorted({label for said, _ in sides for story in said for label, _ in story})
    fitted, tested = (
        np.concatenate([_labelled(story, some, labels) for story, some in zip(said, ends, strict=True)])
        for said, ends in sides
    )
    often = np.all(
        [(side.sum(0) >= FEWEST_CLIPS) & ((~side).sum(0) >= FEWEST_CLIPS) for side in (fitted, tested)],
        axis=0,
    )
    if not often.any():
        raise ConfigError(
            "--downstream",
            f"{name}: none is in {FEWEST_CLIPS} clips of {CLIP_SECONDS:g} s, and missing from as many, among both "
            f"the {len(fitted)} clips that are fitted and the {len(tested)} that are tested.",
            "longer stories.",
            "Name more test stories, or leave this task out.",
        )
    fitted_names, tested_names = (tuple(one.story.name for one in some) for some in (fit, held))
    return Task(
        name,
        tuple(label for label, keep in zip(labels, often, strict=True) if keep),
        fitted_names,
        tested_names,
        fitted[:, often],
        tested[:, often],
        *(
            np.repeat(some, [len(times) for times in ends])
            for some, (_, ends) in zip((fitted_names, tested_names), sides, strict=True)
        ),
    )


def decisions(features: Mapping[str, StoryFeatures], task: Task, layer: int, config: RunConfig) -> np.ndarray:
    """Decisions for the test clips, (n_clips, n_labels): ridge, its penalties chosen over stories.

    Parameters
    ----------
    features : mapping of story to StoryFeatures
        A row a clip.
    task : Task
    layer : int
    config : RunConfig
        Its ridge and its device.
    """
    fitted, tested = (
        np.concatenate([features[story].layers[layer] for story in stories])
        for stories in (task.fitted, task.tested)
    )
    mean, scale = fitted.mean(0), fitted.std(0)
    scale = np.where(scale > 0, scale, 1)
    truth = task.fitted_labels.astype(np.float32)
    truth -= truth.mean(0)
    batches = ridge_batches(
        (fitted - mean) / scale,
        lambda columns: truth[:, columns],
        truth.shape[1],
        task.story_of_fitted,
        config.ridge,
        device_of(config).type,
    )
    weights = np.concatenate([batch.weights for batch in batches], axis=1)
    return ((tested - mean) / scale) @ weights


def resampled_auc(predictions: Mapping[str, np.ndarray], task: Task, n_resamples: int) -> Resampled:
    """Mean AUC over labels of several models, as measured and in resamples of the test clips, which they share.

    With c the number of times that a resample draws a clip, AUC[l] = sum_ij c_i c_j [d_i > d_j] / sum_ij c_i c_j over
    clips i with l and j without it. Stories are drawn with replacement, below 5 stories blocks of at least 10 clips
    within each. A label that a resample has not, or has everywhere, is left out of that resample, for all models.

    Parameters
    ----------
    predictions : mapping of model to array (n_clips, n_labels)
        Decisions.
    task : Task
    n_resamples : int
    """
    pieces, counts, drawn = drawn_pieces(task.story_of_tested, n_resamples, SEED, "clips")
    counts = np.concatenate([np.ones((1, counts.shape[1])), counts])  # row 0: what was measured
    of_clip = np.repeat(counts, [piece.stop - piece.start for piece in pieces], axis=1)
    means = {}
    for model, found in predictions.items():
        of_label = np.stack(
            [
                auc(decided, having, of_clip)
                for decided, having in zip(found.T, task.tested_labels.T, strict=True)
            ]
        )
        known = ~np.isnan(of_label)
        total, n_known = np.where(known, of_label, 0).sum(0), known.sum(0)
        means[model] = np.divide(total, n_known, out=np.full(len(total), np.nan), where=n_known > 0)
    varied = bool((counts[1:] != counts[1]).any())
    return Resampled({task.name: means}, {task.name: len(task.labels)}, drawn, varied)


def auc(decided: np.ndarray, having: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Area under the receiver operating characteristic in each resample, (n_resamples,); NaN without both kinds.

    Parameters
    ----------
    decided : array (n_clips,)
    having : bool array (n_clips,)
    counts : array (n_resamples, n_clips)
        How often each clip is drawn.
    """
    above = decided[having][:, None] - decided[~having]
    order = (above > 0) + 0.5 * (above == 0)
    with_label, without = counts[:, having], counts[:, ~having]
    pairs = with_label.sum(1) * without.sum(1)
    right = ((with_label @ order) * without).sum(1)
    return np.divide(right, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def _of_clips(config: RunConfig) -> RunConfig:
    """The configuration, hearing clips alone."""
    clips = WindowConfig(context=CLIP_SECONDS, stride=CLIP_SECONDS, frame="mean")
    return config.model_copy(update={"windows": clips})


def _said(name: str, recording: Recording) -> list[tuple[str, float]]:
    """Labels of a story with their middles in seconds."""
    path = recording.story.transcript
    if path is None:
        raise ConfigError(
            "--downstream",
            f"{name}, but {recording.story.name} has no transcript.",
            "a TextGrid for every story.",
            "Add it to the data set, or evaluate without --downstream.",
        )
    transcript = read_transcript(path)
    intervals: list[Interval] = transcript.phones if name == "phones" else transcript.words
    label = phone_class if name == "phones" else spoken
    heard = [(label(interval.text), (interval.start + interval.end) / 2) for interval in intervals]
    return [(what, middle) for what, middle in heard if (what in PHONES if name == "phones" else what)]


def _labelled(said: Sequence[tuple[str, float]], ends: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Which labels each clip has, (n_clips, n_labels) bool."""
    column = {label: place for place, label in enumerate(labels)}
    found = np.zeros((len(ends), len(labels)), dtype=bool)
    for label, middle in said:
        row = int(np.searchsorted(ends, middle))
        if row < len(ends) and middle > ends[row] - CLIP_SECONDS:
            found[row, column[label]] = True
    return found


def _row(name: str, config: RunConfig, task: Task, layer: int, found: Resampled) -> dict[str, Any]:
    means = found.means[task.name]
    change = means["tuned"] - means["frozen"]
    low, high = found.interval(change)
    return {
        "run": name,
        "subject": config.subject,
        "seed": config.seed,
        "task": task.name,
        "layer": layer,
        "n_labels": len(task.labels),
        "n_clips": len(task.tested_labels),
        "auc_frozen": float(means["frozen"][0]),
        "auc_tuned": float(means["tuned"][0]),
        "difference": float(change[0]),
        "low": low,
        "high": high,
        "adapted": adapted(config, layer),
    }
