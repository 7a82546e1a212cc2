"""How well a prediction follows a recording, voxel by voxel and in the mean over targets; and its share of the ceiling.

With the names of `brainwavlm.datasets.noise_ceiling`, and a prediction p(t):

    CC_norm = corr(m, p) / CC_max             share of the ceiling that the prediction reaches
    SPE = (Var(m) - Var(m - p)) / SP          share of the signal's power that is explained
"""

from collections.abc import Mapping

import numpy as np

from brainwavlm.datasets.noise_ceiling import cc_max, powers
from brainwavlm.encoding.alignment import is_constant

_COLUMNS_AT_ONCE = 4096


def correlation(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """r[v] = cov_t(true, predicted) / sqrt(var_t(true) var_t(predicted)).

    NaN where either side has no variance or holds a NaN: such voxels have no score, and reports count them.

    Parameters
    ----------
    true, predicted : arrays (n_rows, n_voxels)

    Returns
    -------
    array (n_voxels,), float64
    """
    if true.shape != predicted.shape or true.ndim != 2:
        raise ValueError(f"true {true.shape} and predicted {predicted.shape} are not two equal matrices")
    r = np.empty(true.shape[1])
    for start in range(0, true.shape[1], _COLUMNS_AT_ONCE):
        columns = slice(start, start + _COLUMNS_AT_ONCE)
        r[columns] = (unit(true[:, columns]) * unit(predicted[:, columns])).sum(0)
    return r


def unit(values: np.ndarray) -> np.ndarray:
    """u[t, v] = (values[t, v] - mean_t) / norm_t, so that r = sum_t u_a u_b; NaN for a constant column.

    Parameters
    ----------
    values : array (n_rows, n_voxels), floating

    Returns
    -------
    array (n_rows, n_voxels), float64
    """
    dtype, values = values.dtype, values.astype(np.float64)
    mean = values.mean(0)
    centred = values - mean
    norm = np.sqrt((centred**2).sum(0))
    constant = is_constant(norm / np.sqrt(len(values)), mean, dtype, len(values))
    return centred / np.where(constant, np.nan, norm)


def mean_over(values: np.ndarray, mask: np.ndarray) -> float:
    """Mean over the voxels of a mask that have a value, both (n_voxels,); NaN where none has."""
    known = values[mask & ~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def target_means(
    true: np.ndarray, predicted: np.ndarray, masks: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Mean correlation over each target, of the voxels that have one; NaN where none has."""
    r = correlation(true, predicted)
    return {name: mean_over(r, mask) for name, mask in masks.items()}


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
