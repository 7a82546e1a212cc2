"""Held-out predictions: ridge on training stories, predictions of stories that it never saw."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.alignment import moments
from brainwavlm.encoding.prepared_stories import story_responses
from brainwavlm.encoding.reduced_rank import ReducedRank
from brainwavlm.encoding.ridge import Penalties, RidgeBatch, ridge_batches


@dataclass(frozen=True)
class RidgePredictions:
    """Held-out responses and their predictions.

    Attributes
    ----------
    voxel : int array (n_kept,)
        Columns of the responses.
    story_of_row : array (n_rows,) of str
    true, predicted : arrays (n_rows, n_kept) float32
        Responses, z-scored within each story, and their predictions.
    shared : array (n_rows, n_kept) float32
        Predictions by the map whose directions all voxels share: reduced-rank ridge.
    all_alphas : array (n_fits, n_kept)
        Penalties.
    reduced : tuple of ReducedRank
        Penalty and rank of the shared map, one a fit.
    """

    voxel: np.ndarray
    story_of_row: np.ndarray
    true: np.ndarray
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


class FitPredictions(NamedTuple):
    """What one fit predicts, by story (n_rows, n_kept); penalties (n_kept,); the shared map where it is asked for."""

    predicted: dict[str, np.ndarray]
    alphas: np.ndarray
    shared: dict[str, np.ndarray]
    reduced: ReducedRank | None


def fitted_ridge(
    designs: Mapping[str, np.ndarray],
    fit: Sequence[Recording],
    columns: np.ndarray,
    config: RunConfig,
    device: str,
    shared: bool = False,
    reused: Penalties | None = None,
    validation: Collection[str] = (),
) -> Iterator[RidgeBatch]:
    """Ridge on some stories from their designs (n_rows, n_columns), some voxels at a time.

    Penalty and rank of the shared map are chosen on the stories of `validation` among those fitted, else on all.
    """
    design = np.concatenate([designs[recording.story.name] for recording in fit])
    story_of_row = stories_of_rows(fit)
    untuned = np.isin(story_of_row, list(validation))
    chosen_on = untuned if untuned.any() else None

    def read(batch: slice) -> np.ndarray:
        return responses_of(fit, columns[batch])

    return ridge_batches(
        design, read, len(columns), story_of_row, config.ridge, device, shared, reused, chosen_on
    )


def fit_predictions(
    fitted: Iterator[RidgeBatch],
    designs: Mapping[str, np.ndarray],
    held_out: Sequence[Recording],
    n_voxels: int,
    shared: bool,
) -> FitPredictions:
    """What ridge predicts of some stories from their designs, (n_rows, n_columns)."""
    predicted, of_shared = (
        {one.story.name: np.empty((one.shape[0], n_voxels), np.float32) for one in some}
        for some in (held_out, held_out if shared else ())
    )
    alphas, reduced = np.empty(n_voxels), None
    for batch in fitted:
        alphas[batch.columns], reduced = batch.alphas, batch.reduced
        for name, values in predicted.items():
            values[:, batch.columns] = designs[name] @ batch.weights
        for name, values in of_shared.items():
            values[:, batch.columns] = designs[name] @ batch.shared
    return FitPredictions(predicted, alphas, of_shared, reduced)


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
