"""Held-out predictions: ridge on training stories, predictions of stories that it never saw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.prepared_stories import story_responses
from brainwavlm.encoding.reduced_rank import ReducedRank


@dataclass(frozen=True)
class RidgePredictions:
    """Predictions of held-out stories.

    Attributes
    ----------
    predicted : array (n_rows, n_kept) float32
        By ridge for each voxel alone.
    shared : array (n_rows, n_kept) float32
        By the map whose directions all voxels share: reduced-rank ridge. No columns where it was not asked for.
    all_alphas : array (n_fits, n_kept)
        Penalties.
    reduced : tuple of ReducedRank
        Penalty and rank of the shared map, one a fit.
    """

    predicted: np.ndarray
    shared: np.ndarray
    all_alphas: np.ndarray
    reduced: tuple[ReducedRank, ...]

    @property
    def alphas(self) -> np.ndarray:
        """Geometric mean of the penalties over fits, (n_kept,)."""
        return np.exp(np.log(self.all_alphas).mean(0))

    @property
    def predictions(self) -> tuple[np.ndarray, np.ndarray]:
        """By voxel-wise ridge, and by the shared map."""
        return self.predicted, self.shared


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


def stories_of_rows(recordings: Sequence[Recording]) -> np.ndarray:
    """Name of the story of each row, (n_rows,), story after story."""
    return np.repeat([one.story.name for one in recordings], [one.shape[0] for one in recordings])
