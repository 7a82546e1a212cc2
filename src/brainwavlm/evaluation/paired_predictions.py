"""Several models on the same held-out rows of one listener: means over targets, whole and without each story."""

from collections.abc import Collection, Mapping

import numpy as np

from brainwavlm.evaluation.ridge_predictions import RidgePredictions
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.statistics.jackknife import SHARED, Jackknife, jackknife_of_means


class PairedPredictions:
    """Predictions of the same responses by several models.

    Parameters
    ----------
    held : RidgePredictions
        Of any of the models; its rows and voxels are those of all.
    masks : mapping of str to bool array (n_kept,)
        Targets.
    """

    def __init__(self, held: RidgePredictions, masks: Mapping[str, np.ndarray]) -> None:
        self.true, self.story_of_row, self.columns = held.true, held.story_of_row, held.columns
        self.masks = dict(masks)
        self.predictions: dict[str, np.ndarray] = {}

    def add(self, model: str, held: RidgePredictions) -> None:
        """Take in a model's predictions; ValueError where they are of other rows or voxels."""
        same = np.array_equal(held.story_of_row, self.story_of_row)
        if not same or not np.array_equal(held.columns, self.columns):
            raise ValueError(f"{model} predicts other rows or voxels than the models before it")
        self.predictions |= {model: held.predicted, model + SHARED: held.shared}

    def jackknife(self, stories: Collection[str] | None = None) -> Jackknife:
        """Mean correlation of every model over every target, whole and without each test story.

        Parameters
        ----------
        stories : collection of str or None
            Only the rows of these; None: all.
        """
        rows = slice(None) if stories is None else np.isin(self.story_of_row, list(stories))
        predictions = {model: values[rows] for model, values in self.predictions.items()}
        return jackknife_of_means(self.true[rows], predictions, self.story_of_row[rows], self.masks)


def target_means(
    true: np.ndarray, predicted: np.ndarray, masks: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Mean correlation over each target, of the voxels that have one; NaN where none has."""
    r = correlation(true, predicted)
    known = {name: mask & ~np.isnan(r) for name, mask in masks.items()}
    return {name: float(r[mask].mean()) if mask.any() else np.nan for name, mask in known.items()}
