"""Held-out predictions: ridge on training stories, predictions of stories that it never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.alignment import moments
from brainwavlm.encoding.prepared_stories import story_responses
from brainwavlm.encoding.ridge import ridge_batches


@dataclass(frozen=True)
class RidgePredictions:
    """Held-out responses and their predictions.

    Attributes
    ----------
    columns : int array (n_kept,)
        Voxels.
    story_of_row : array (n_rows,) of str
    true, predicted : arrays (n_rows, n_kept) float32
        Responses, z-scored within each story, and their predictions.
    all_alphas : array (n_fits, n_kept)
        Penalties.
    """

    columns: np.ndarray
    story_of_row: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    all_alphas: np.ndarray

    @property
    def alphas(self) -> np.ndarray:
        """Geometric mean of the penalties over fits, (n_kept,)."""
        return np.exp(np.log(self.all_alphas).mean(0))


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
    story_of_row = stories_of_rows(fit)

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


def stories_of_rows(recordings: Sequence[Recording]) -> np.ndarray:
    """Name of the story of each row, (n_rows,), story after story."""
    return np.repeat([one.story.name for one in recordings], [one.shape[0] for one in recordings])
