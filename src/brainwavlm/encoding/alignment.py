"""From windows to TRs: Lanczos resampling, normalisation and FIR delays.

Tuning, ridge and probes all use this file, so that a row of a design matrix means the same everywhere.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from brainwavlm.errors import AlignmentError

# A numpy array or a torch tensor: the functions of that signature keep the kind, and a tensor's graph.
Array = TypeVar("Array", bound=Any)


def lanczos_matrix(
    source_times: ArrayLike, target_times: ArrayLike, lobes: int = 3, spacing: float | None = None
) -> np.ndarray:
    """Weights that resample features from window ends to TRs.

    w[i, j] = sinc(c * d) * sinc(c * d / lobes) where |c * d| < lobes, else 0
    with d = target_times[i] - source_times[j] and c = 1 / spacing.

    Negative lobes are kept: clipping them lowers the gain at 0.1 Hz by a sixth.

    Parameters
    ----------
    source_times : array (n_source,)
        Seconds from sound onset, increasing.
    target_times : array (n_target,)
        Seconds from sound onset, at least two, increasing.
    lobes : int
        Half-width of the kernel in target samples.
    spacing : float or None
        Seconds of a target sample, for times that need not increase nor be evenly spaced; None:
        mean(diff(target_times)).

    Returns
    -------
    array (n_target, n_source), float64. `matrix @ features` resamples (n_source, n_dims) features.

    Raises
    ------
    AlignmentError
        When a TR has no window within reach: the sound is shorter than the recording.

    References
    ----------
    LeBel et al. 2023, the field's interpolation; parity: tests/parity/test_reference_numbers.py.
    """
    source_times = increasing(source_times, "source_times", at_least=1)
    if spacing is None:
        target_times = increasing(target_times, "tr_times", at_least=2)
        spacing = float(np.mean(np.diff(target_times)))
    target_times = np.asarray(target_times, dtype=np.float64)
    distance = (target_times[:, None] - source_times[None, :]) / spacing
    weights = np.where(np.abs(distance) < lobes, np.sinc(distance) * np.sinc(distance / lobes), 0.0)
    unreached = np.flatnonzero(~(np.abs(distance) < lobes).any(axis=1))
    if len(unreached):
        raise AlignmentError(
            "tr_times",
            f"{len(unreached)} of {len(target_times)} TRs, the first at {target_times[unreached[0]]:.2f} s, "
            f"have no window within {lobes * spacing:.2f} s; the windows span "
            f"{source_times[0]:.2f} to {source_times[-1]:.2f} s.",
            "sound for each row of the responses.",
            "Check the sound's length and tr_times with: brainwavlm check DATASET. Windows further apart "
            "than the kernel is wide leave such TRs too: lower windows.stride.",
        )
    return weights


def delayed(features: Array, delays: Sequence[int], rows: Any = None) -> Array:
    """Finite impulse response design: copies of the features, each shifted down by one delay.

    delayed[t, k * n_dims + d] = features[rows[t] - delays[k], d], zero before the first row.

    Parameters
    ----------
    features : array (n_rows, n_dims)
        Rows in TRs. A torch tensor works too and keeps its graph.
    delays : sequence of int
        In TRs, each zero or more.
    rows : int array (n_wanted,) or None
        Rows of the design, of the kind that features are; None: all.

    Returns
    -------
    array (n_wanted, n_delays * n_dims), delay-major, of the kind that was given.

    References
    ----------
    Huth et al. 2016, methods: delays of 1 to 4 TRs stand for the haemodynamic response.
    """
    arange: Any = np.arange
    join: Any = np.concatenate
    if not isinstance(features, np.ndarray):
        import torch  # whoever has arrays does without

        arange, join = partial(torch.arange, device=features.device), torch.cat
    rows = arange(features.shape[0]) if rows is None else rows
    return join([features[(rows - delay).clip(0)] * (rows >= delay)[:, None] for delay in delays], 1)


def moments(rows: Array, mass: Array) -> tuple[Array, Array]:
    """What z-scores resampled rows: mean = sum_t rows / sum_t mass, scale = rms_t of rows - mass * mean.

    The mass of a row is the sum of its kernel weights: windows a TR, but less near the ends of the sound, where
    part of the kernel finds no window. Rows without their mass times the mean treat that part as the story's mean.
    Plain z-scores treat it as zero, which makes outliers of tens of deviations where features have a large mean.

    Parameters
    ----------
    rows : array (n_rows, n_dims)
    mass : array (n_rows, 1)

    Returns
    -------
    mean, scale : arrays (n_dims,); the scale is 1 where nothing varies
    """
    mean = rows.sum(0) / mass.sum(0)
    return mean, scale_of((((rows - mass * mean) ** 2).mean(0)) ** 0.5, rows.mean(0))


def is_constant(deviation: Array, level: Array, dtype: DTypeLike = np.float32, n_rows: int = 0) -> Array:
    """Whether what spreads is only the rounding of values near `level`: the one rule for what has no z-score.

    deviation <= max(84 eps(dtype), n_rows eps(float64)) * |level|, which a NaN is not.

    Float32 sums over some hundred rows leave up to 1e-5 of the level, 84 eps, as spread in a constant column; sums
    over n rows in float64 up to n eps.
    """
    rounding = max(84 * np.finfo(dtype).eps, n_rows * np.finfo(np.float64).eps)
    return deviation <= rounding * abs(level)


def scale_of(deviation: Array, level: Array) -> Array:
    """The deviation, or 1 where a feature is constant."""
    constant = is_constant(deviation, level)
    return deviation * ~constant + constant


def zscored(rows: np.ndarray) -> np.ndarray:
    """z[t] = (rows[t] - mean_t) / deviation_t, 0 in a constant column; a column with a NaN is NaN.

    Parameters
    ----------
    rows : array (n_rows, n_columns), floating

    Returns
    -------
    array (n_rows, n_columns), float32
    """
    mean, deviation = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    constant = is_constant(deviation, mean, rows.dtype, len(rows))
    z = (rows - mean) / np.where(constant, 1.0, deviation)
    z[:, constant] = 0.0
    return z.astype(np.float32)


def increasing(times: ArrayLike, name: str, at_least: int) -> np.ndarray:
    """Times as float64, (n,); AlignmentError where there are too few of them or they do not increase."""
    times = np.asarray(times, dtype=np.float64)
    if (
        times.ndim != 1
        or len(times) < at_least
        or not np.isfinite(times).all()
        or (np.diff(times) <= 0).any()
    ):
        raise AlignmentError(
            name,
            f"shape {times.shape}, "
            + ("not increasing" if times.ndim == 1 and (np.diff(times) <= 0).any() else "not usable"),
            f"at least {at_least} finite, increasing times in seconds.",
            "Check tr_times of the response file, or the length of the sound.",
        )
    return times
