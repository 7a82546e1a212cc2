"""Ridge by stories as an estimator of scikit-learn, for those who bring features of their own."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

from brainwavlm.config import RidgeConfig
from brainwavlm.encoding.alignment import delayed, zscored
from brainwavlm.encoding.ridge import ridge_batches
from brainwavlm.evaluation.scores import correlation


class StoryRidgeCV(RegressorMixin, BaseEstimator):
    """predicted = design W, W = argmin |design W - responses|^2 + alpha |W|^2, alpha of each voxel by stories.

    The design holds copies of the features, z-scored within each story and shifted down by each delay, never into
    another story; responses are z-scored within each story. alpha[v] has the best
    mean correlation over folds of whole stories.

    Parameters
    ----------
    delays : sequence of int
        In TRs.
    alphas : sequence of float
        Penalties to choose from, himalaya's and scikit-learn's convention.
    folds : int
        Of stories; fewer where there are fewer stories.

    Attributes
    ----------
    coef_ : array (n_delays * n_dims, n_voxels), float32
        Delay-major.
    alphas_ : array (n_voxels,)
    cv_r_ : array (n_voxels,)
        Of the chosen penalty, mean over folds: for the choice only.
    """

    def __init__(
        self,
        delays: Sequence[int] = (1, 2, 3, 4),
        alphas: Sequence[float] = tuple(RidgeConfig().alphas),
        folds: int = 5,
    ):
        self.delays, self.alphas, self.folds = delays, alphas, folds

    def fit(self, features: ArrayLike, responses: ArrayLike, stories: ArrayLike) -> "StoryRidgeCV":
        """Choose penalties and fit all rows.

        Parameters
        ----------
        features : array (n_rows, n_dims)
            A row a TR, in the order of time within each story.
        responses : array (n_rows, n_voxels)
        stories : array (n_rows,)
            Name or number of each row's story.

        Raises
        ------
        ValueError
            Arrays of other shapes, with a NaN, or of unequal length.
        """
        design, true, stories = self._design(features, stories), _columns(responses), np.asarray(stories)
        check_consistent_length(design, true)
        self.n_features_in_, true = design.shape[1] // len(self.delays), _by_story(true, stories)
        config = RidgeConfig(alphas=tuple(self.alphas), folds=self.folds)
        batches = list(ridge_batches(design, lambda some: true[:, some], true.shape[1], stories, config))
        self.coef_ = np.concatenate([batch.weights for batch in batches], axis=1)
        self.alphas_ = np.concatenate([batch.alphas for batch in batches])
        self.cv_r_ = np.concatenate([batch.cv_r for batch in batches])
        return self

    def predict(self, features: ArrayLike, stories: ArrayLike) -> np.ndarray:
        """Responses in deviations, (n_rows, n_voxels) float32."""
        check_is_fitted(self)
        design = self._design(features, stories)
        if design.shape[1] != len(self.coef_):
            n_dims = design.shape[1] // len(self.delays)
            raise ValueError(f"features have {n_dims} columns, {self.n_features_in_} were fitted")
        return design @ self.coef_

    def score(self, features: ArrayLike, responses: ArrayLike, stories: ArrayLike) -> np.ndarray:
        """Correlation over all rows, responses z-scored within each story: r (n_voxels,), NaN where nothing varies."""
        return correlation(
            _by_story(_columns(responses), np.asarray(stories)), self.predict(features, stories)
        )

    def _design(self, features: ArrayLike, stories: ArrayLike) -> np.ndarray:
        values, stories = _columns(features), np.asarray(stories)
        check_consistent_length(values, stories)
        design = np.empty((len(values), values.shape[1] * len(self.delays)), np.float32)
        for rows in _rows(stories):
            design[rows] = delayed(zscored(values[rows]), self.delays)
        return design


def _columns(values: ArrayLike) -> np.ndarray:
    return check_array(values, dtype=(np.float64, np.float32))


def _rows(stories: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(stories == name) for name in np.unique(stories)]


def _by_story(values: np.ndarray, stories: np.ndarray) -> np.ndarray:
    scored = np.empty(values.shape, np.float32)
    for rows in _rows(stories):
        scored[rows] = zscored(values[rows])
    return scored
