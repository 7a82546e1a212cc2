"""Ridge from vectors of units to what is asked of them, its penalties chosen over stories."""

import numpy as np

from brainwavlm.compute import device_of
from brainwavlm.config import RunConfig
from brainwavlm.encoding.alignment import scale_of
from brainwavlm.encoding.ridge import ridge_batches


def linear_predictions(
    fitted: np.ndarray, tested: np.ndarray, truth: np.ndarray, story_of_fitted: np.ndarray, config: RunConfig
) -> np.ndarray:
    """P = ((x - mean) / deviation) w + mean of y, w the ridge of y on the fitted rows, (n_tested, n_columns) float32.

    x (n_fitted, n_dims) and (n_tested, n_dims); y (n_fitted, n_columns): numbers, or 0 and 1 of labels. The mean of y
    is not in the result. Penalties are chosen for each column by leaving out whole stories.
    """
    mean = fitted.mean(0)
    scale = scale_of(fitted.std(0), mean)
    centred = truth.astype(np.float32)
    centred -= centred.mean(0)
    batches = ridge_batches(
        (fitted - mean) / scale,
        lambda columns: centred[:, columns],
        centred.shape[1],
        story_of_fitted,
        config.ridge,
        device_of(config).type,
    )
    weights = np.concatenate([batch.weights for batch in batches], axis=1)
    return ((tested - mean) / scale) @ weights
