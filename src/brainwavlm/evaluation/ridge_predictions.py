"""Held-out predictions: ridge on training stories, predictions of stories that it never saw.

Training and validation stories are fitted together: tuning chose its epoch on the validation stories, so they
are no test for tuned features, and frozen features get the same rows. Test stories are touched once, to score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording, Split
from brainwavlm.encoding.alignment import moments
from brainwavlm.encoding.prepared_stories import planned_clock, recording_clock, story_responses
from brainwavlm.encoding.ridge import require_memory, ridge_batches, story_folds
from brainwavlm.errors import ConfigError
from brainwavlm.speech.features import StoryFeatures


@dataclass(frozen=True)
class RidgePredictions:
    """Held-out responses and their predictions.

    Attributes
    ----------
    stories, fitted : lists of Recording
        Held out, in the order of the rows; fitted (of the first fit, where there is one a story).
    columns : int array (n_kept,)
        Voxels.
    story_of_row : array (n_rows,) of str
    true, predicted : arrays (n_rows, n_kept) float32
        Responses, z-scored within each story, and their predictions.
    all_alphas : array (n_fits, n_kept)
        Penalties.
    """

    stories: list[Recording]
    fitted: list[Recording]
    columns: np.ndarray
    story_of_row: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    all_alphas: np.ndarray

    @property
    def alphas(self) -> np.ndarray:
        """Geometric mean of the penalties over fits, (n_kept,)."""
        return np.exp(np.log(self.all_alphas).mean(0))


def story_designs(
    features: Mapping[str, StoryFeatures], splits: Mapping[Split, Sequence[Recording]], config: RunConfig
) -> dict[str, np.ndarray]:
    """Design matrix of every story of the splits, (n_trs, n_delays * n_dims), from the layer that is configured."""
    designs = {}
    for recording in (recording for some in splits.values() for recording in some):
        story = features[recording.story.name]
        clock = recording_clock(recording, story.times, config.alignment)
        designs[recording.story.name] = clock.design(story.layers[config.backbone.layer])
    return designs


def predict_held_out(
    designs: Mapping[str, np.ndarray],
    splits: Mapping[Split, Sequence[Recording]],
    config: RunConfig,
    kept: np.ndarray,
    leave_one_out: bool = False,
    device: str = "cpu",
) -> RidgePredictions:
    """Fit ridge and predict what it has not seen.

    Parameters
    ----------
    designs : mapping of story to array (n_trs, n_columns)
        From `story_designs`.
    splits, config, kept, leave_one_out, device
        As in `score_features`; the splits may hold fewer stories than there are designs.
    """
    fits = held_out_fits(splits, leave_one_out)
    columns = np.flatnonzero(kept)
    predicted: dict[str, np.ndarray] = {}
    alphas: list[np.ndarray] = []
    for fit, held in fits:
        found, chosen = fit_and_predict(designs, fit, held, columns, config, device)
        predicted |= found
        alphas.append(chosen)
    stories = [recording for _, held in fits for recording in held]
    if leave_one_out:
        predicted = {name: zscored(values) for name, values in predicted.items()}
    return RidgePredictions(
        stories,
        fits[0][0],
        columns,
        np.repeat(*rows_by_story(stories)),
        responses_of(stories, columns),
        np.concatenate([predicted[recording.story.name] for recording in stories]),
        np.stack(alphas),
    )


def held_out_fits(
    splits: Mapping[Split, Sequence[Recording]], leave_one_out: bool
) -> list[tuple[list[Recording], list[Recording]]]:
    """What is fitted and what is then predicted: once for the test stories, or once for each story.

    Raises
    ------
    ConfigError
        No held-out story, or none to fit.
    """
    everything = [recording for split in ("train", "validation", "test") for recording in splits[split]]
    if leave_one_out:
        fits = [([other for other in everything if other is not one], [one]) for one in everything]
    else:
        fits = [([*splits["train"], *splits["validation"]], list(splits["test"]))]
    n_held = sum(len(held) for _, held in fits)
    if not n_held or not fits[0][0]:
        raise ConfigError(
            "splits",
            f"{n_held} stories to score, {len(fits[0][0]) if fits else 0} to fit.",
            "at least one of each.",
            "Set test and train, or use --leave-one-out with two stories or more.",
        )
    return fits


def require_design(
    splits: Mapping[Split, Sequence[Recording]],
    config: RunConfig,
    n_dims: int,
    min_samples: int,
    leave_one_out: bool = False,
) -> None:
    """Raise, from headers of files alone, where stories cannot be fitted or scored.

    Parameters
    ----------
    splits, config, leave_one_out
        As in `predict_held_out`.
    n_dims, min_samples : int
        Of the speech model.

    Raises
    ------
    AlignmentError
        A TR without a window within reach.
    ConfigError
        No held-out story, or none to fit; too few rows for the folds; too little memory for the design.
    """
    fits = held_out_fits(splits, leave_one_out)
    for recordings in splits.values():
        for recording in recordings:
            planned_clock(recording, config, min_samples)
    for fit, _ in fits:
        story_of_row = np.repeat(*rows_by_story(fit))
        story_folds(story_of_row, config.ridge.folds)
        require_memory((len(story_of_row), n_dims * len(config.alignment.delays)), config.ridge)


def fit_and_predict(
    designs: Mapping[str, np.ndarray],
    fit: Sequence[Recording],
    held_out: Sequence[Recording],
    columns: np.ndarray,
    config: RunConfig,
    device: str,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Predictions by story (n_rows, n_kept), and the penalty of each voxel; designs by story (n_rows, n_columns)."""
    design = np.concatenate([designs[recording.story.name] for recording in fit])
    story_of_row = np.repeat(*rows_by_story(fit))

    def read(batch: slice) -> np.ndarray:
        return responses_of(fit, columns[batch])

    predicted = {
        recording.story.name: np.empty((recording.shape[0], len(columns)), np.float32)
        for recording in held_out
    }
    alphas = np.empty(len(columns))
    for batch in ridge_batches(design, read, len(columns), story_of_row, config.ridge, device):
        alphas[batch.columns] = batch.alphas
        for name, values in predicted.items():
            values[:, batch.columns] = designs[name] @ batch.weights
    return predicted, alphas


def responses_of(recordings: Sequence[Recording], columns: np.ndarray) -> np.ndarray:
    """Responses of some voxels over all rows of some stories, z-scored within each, (n_rows, n_columns).

    Parameters
    ----------
    recordings : sequence of Recording
    columns : int array, increasing
        One story is in memory at a time besides the result.
    """
    span = slice(int(columns[0]), int(columns[-1]) + 1)
    result = np.empty((sum(recording.shape[0] for recording in recordings), len(columns)), np.float32)
    row = 0
    for recording in recordings:
        story = story_responses(recording, span)
        result[row : row + len(story)] = story[:, columns - span.start]
        row += len(story)
    return result


def zscored(values: np.ndarray) -> np.ndarray:
    """Each column with mean 0 and deviation 1; a constant one with 0."""
    mean, scale = moments(values, np.ones((len(values), 1), values.dtype))
    return (values - mean) / scale


def rows_by_story(recordings: Sequence[Recording]) -> tuple[list[str], list[int]]:
    """Names of stories and their numbers of rows, as `np.repeat` takes them."""
    return [recording.story.name for recording in recordings], [
        recording.shape[0] for recording in recordings
    ]
