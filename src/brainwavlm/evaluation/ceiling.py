"""How much of what any model could explain a prediction explains.

With the names of `brainwavlm.datasets.noise_ceiling`, and a prediction p(t):

    CC_norm = corr(m, p) / CC_max             share of the ceiling that the prediction reaches
    SPE = (Var(m) - Var(m - p)) / SP          share of the signal's power that is explained
"""

import numpy as np

from brainwavlm.datasets.noise_ceiling import cc_max, ceiling, powers
from brainwavlm.evaluation.scores import correlation

__all__ = ["cc_max", "cc_norm", "ceiling", "spe"]


def cc_norm(repeats: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """CC_norm = corr(m, p) / CC_max; NaN where SP <= 0 or the prediction does not vary.

    Never average it over voxels with a ceiling near zero.

    Parameters
    ----------
    repeats : array (n_repeats, n_rows, n_voxels)
    prediction : array (n_rows, n_voxels)

    Returns
    -------
    array (n_voxels,), float64; above 1 by chance at times

    References
    ----------
    Schoppe et al. 2016.
    """
    return correlation(_mean(repeats), prediction) / cc_max(repeats)


def spe(repeats: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """SPE = (Var(m) - Var(m - p)) / SP; NaN where SP <= 0. Negative where the prediction's scale is wrong.

    Parameters
    ----------
    repeats : array (n_repeats, n_rows, n_voxels)
    prediction : array (n_rows, n_voxels)
        In the units of the repeats.

    Returns
    -------
    array (n_voxels,), float64

    References
    ----------
    Sahani and Linden 2003; Schoppe et al. 2016.
    """
    signal, of_mean = powers(repeats)
    explained = of_mean - (_mean(repeats) - prediction).var(0, ddof=1)
    return explained / np.where(signal > 0, signal, np.nan)


def _mean(repeats: np.ndarray) -> np.ndarray:
    return np.asarray(repeats, dtype=np.float64).mean(0)
