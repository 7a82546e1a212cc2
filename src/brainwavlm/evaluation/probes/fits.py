"""Ridge from vectors of units to what is asked of them, its penalties chosen over stories."""

import numpy as np

from brainwavlm.compute import device_of
from brainwavlm.config import RunConfig
from brainwavlm.encoding.alignment import scale_of
from brainwavlm.encoding.ridge import ridge_batches


def linear_predictions(
    fitted: np.ndarray, tested: np.ndarray, truth: np.ndarray, story_of_fitted: np.ndarray, config: RunConfig
) -> np.ndarray:
    """P = ((x - mean) / deviation) w + mean of y, with w the ridge of y on the fitted rows.

    Parameters
    ----------
    fitted, tested : arrays (n_fitted, n_dims), (n_tested, n_dims)
    truth : array (n_fitted, n_columns)
        Numbers, or 0 and 1 of labels.
    story_of_fitted : array (n_fitted,)
        Penalties are chosen for each column by leaving out whole stories.
    config : RunConfig
        Its ridge and its device.

    Returns
    -------
    array (n_tested, n_columns), float32: the mean of y on the fitted rows is not in it
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
