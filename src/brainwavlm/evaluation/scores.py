"""How well a prediction follows a recording, voxel by voxel and in the mean over targets."""

from collections.abc import Mapping

import numpy as np

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
