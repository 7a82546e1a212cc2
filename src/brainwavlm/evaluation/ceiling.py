"""How much of what any model could explain a prediction explains.

With the names of `brainwavlm.datasets.reliability`, and a prediction p(t):

    CC_norm = corr(m, p) / CC_max             share of the ceiling that the prediction reaches
    SPE = (Var(m) - Var(m - p)) / SP          share of the signal's power that is explained
"""

import numpy as np

from brainwavlm.datasets.base import Recording
from brainwavlm.datasets.reliability import by_voxels, cc_max, ceiling, powers
from brainwavlm.evaluation.scores import correlation

__all__ = ["by_voxels", "cc_max", "cc_norm", "ceiling", "share_of_ceiling", "spe"]


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
    return (of_mean - (_mean(repeats) - prediction).var(0, ddof=1)) / signal


def share_of_ceiling(recording: Recording, predicted: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """CC_norm of some voxels of a recording with repeats, which are read some voxels at a time.

    Parameters
    ----------
    recording : Recording
    predicted : array (n_rows, n_columns)
    columns : int array (n_columns,), increasing
        Voxels that were predicted.

    Returns
    -------
    array (n_columns,), float64
    """

    def measure(repeats: np.ndarray, batch: slice) -> np.ndarray:
        inside = np.arange(*np.searchsorted(columns, [batch.start, batch.stop]))
        share = np.full(repeats.shape[2], np.nan)
        chosen = columns[inside] - batch.start
        share[chosen] = cc_norm(repeats[:, :, chosen], predicted[:, inside])
        return share

    return by_voxels(recording, recording.shape[1], measure)[columns]


def _mean(repeats: np.ndarray) -> np.ndarray:
    return np.asarray(repeats, dtype=np.float64).mean(0)
