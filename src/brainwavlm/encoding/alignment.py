"""From windows to TRs: Lanczos resampling, normalisation and FIR delays.

Tuning, ridge and probes all use this file, so that a row of a design matrix means the same everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from brainwavlm.errors import AlignmentError

# A numpy array or a torch tensor: the functions of that signature keep the kind, and a tensor's graph.
Array = TypeVar("Array", bound=Any)


def lanczos_matrix(source_times: ArrayLike, target_times: ArrayLike, lobes: int = 3) -> np.ndarray:
    """Weights that resample features from window ends to TRs.

    w[i, j] = sinc(c * d) * sinc(c * d / lobes) where |c * d| < lobes, else 0
    with d = target_times[i] - source_times[j] and c = 1 / mean(diff(target_times)).

    Negative lobes are kept: clipping them lowers the gain at 0.1 Hz by a sixth.

    Parameters
    ----------
    source_times : array (n_source,)
        Seconds from sound onset, increasing.
    target_times : array (n_target,)
        Seconds from sound onset, at least two, increasing.
    lobes : int
        Half-width of the kernel in target samples.

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
    source_times = _increasing(source_times, "source_times", at_least=1)
    target_times = _increasing(target_times, "target_times", at_least=2)
    spacing = np.mean(np.diff(target_times))
    distance = (target_times[:, None] - source_times[None, :]) / spacing
    weights = np.where(np.abs(distance) < lobes, np.sinc(distance) * np.sinc(distance / lobes), 0.0)
    unreached = np.flatnonzero(~(np.abs(distance) < lobes).any(axis=1))
    if len(unreached):
        raise AlignmentError(
            "target_times",
            f"{len(unreached)} of {len(target_times)} TRs, the first at {target_times[unreached[0]]:.2f} s, "
            f"have no window within {lobes * spacing:.2f} s; the windows span "
            f"{source_times[0]:.2f} to {source_times[-1]:.2f} s.",
            "sound for each row of the responses.",
            "Check the sound's length and tr_times with: brainwavlm check DATASET",
        )
    return weights


def delayed(features: Array, delays: Sequence[int]) -> Array:
    """Finite impulse response design: copies of the features, each shifted down by one delay.

    delayed[t, k * n_dims + d] = features[t - delays[k], d], zero before the first row.

    Parameters
    ----------
    features : array (n_rows, n_dims)
        Rows in TRs. A torch tensor works too and keeps its graph.
    delays : sequence of int
        In TRs, each zero or more.

    Returns
    -------
    array (n_rows, n_delays * n_dims), delay-major, of the kind that was given.

    References
    ----------
    Huth et al. 2016, methods: delays of 1 to 4 TRs stand for the haemodynamic response.
    """
    n_rows = features.shape[0]
    source_rows = np.arange(n_rows)[:, None] - np.asarray(delays, dtype=int)[None, :]
    heard = source_rows >= 0
    stacked = features[np.maximum(source_rows, 0)]  # (n_rows, n_delays, n_dims)
    mask = heard[:, :, None]
    if not isinstance(features, np.ndarray):
        mask = features.new_tensor(mask)
    return (stacked * mask).reshape(n_rows, -1)


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


def scale_of(deviation: Array, level: Array) -> Array:
    """The deviation, or 1 where it is only rounding of values near `level`."""
    # float32 sums over some hundred rows leave up to 1e-5 of the level as spread in a constant column.
    varies = deviation > 1e-5 * abs(level) + 1e-12
    return deviation * varies + ~varies


@dataclass(frozen=True)
class StoryClock:
    """How one story's windows become rows of a design matrix.

    The matrix has `halo` rows before the first TR, so that the delays of the first TRs see the sound that
    was heard before them. Rows that lie before the sound's onset are no part of it: they are silence, and
    stay zero after normalisation.

    Attributes
    ----------
    matrix : array (n_heard + n_trs, n_windows), float64
        Lanczos weights for the halo rows that have sound, then for the TRs.
    silent : int
        Halo rows before the sound's onset.
    delays : tuple of int
        In TRs.
    slow : int
        Every so many TRs are a row of the responses, and the kernel is that of so slow a clock.
    """

    matrix: np.ndarray
    silent: int
    delays: tuple[int, ...]
    slow: int = 1

    @property
    def halo(self) -> int:
        """Rows before the first TR: the longest delay."""
        return max(self.delays)

    @property
    def n_trs(self) -> int:
        """TRs of the recording."""
        return self.matrix.shape[0] + self.silent - self.halo

    @property
    def mass(self) -> np.ndarray:
        """Sum of each row's weights, (n_heard + n_trs, 1) float32: the same but near the ends of the sound."""
        return self.matrix.sum(axis=1, keepdims=True).astype(np.float32)

    def design(self, features: np.ndarray) -> np.ndarray:
        """Design matrix of a whole story: resampled, z-scored over its TRs (see `moments`), delayed.

        Parameters
        ----------
        features : array (n_windows, n_dims)

        Returns
        -------
        array (n_trs, n_delays * n_dims), float32
        """
        return delayed(self.rows(features), self.delays)[self.halo :]

    def rows(self, features: np.ndarray) -> np.ndarray:
        """Resampled and z-scored rows, not yet delayed, (halo + n_trs, n_dims) float32; silent ones are 0."""
        rows, mass = (self.matrix @ features).astype(np.float32), self.mass
        mean, scale = moments(rows[-self.n_trs :], mass[-self.n_trs :])
        silence = np.zeros((self.silent, rows.shape[1]), rows.dtype)
        return np.concatenate([silence, (rows - mass * mean) / scale])


def story_clock(
    window_times: ArrayLike,
    tr_times: ArrayLike,
    delays: Sequence[int],
    lobes: int = 3,
    halo_from_sound: bool = True,
    slow: int = 1,
) -> StoryClock:
    """Put a story's windows and TRs on one clock.

    Rows at tr_times[0] - k * spacing, k = 1 .. max(delays), are added before the first TR, as far as they
    lie after the sound's onset.

    Parameters
    ----------
    window_times : array (n_windows,)
        Window ends, seconds from sound onset.
    tr_times : array (n_trs,)
        Seconds from sound onset at which the features are read, one a row of the responses.
    delays : sequence of int
        In TRs.
    lobes : int
        Half-width of the Lanczos kernel in TRs.
    halo_from_sound : bool
        False leaves the rows before the first TR at zero although sound was heard then (the public scripts
        of the field do so).
    slow : int
        Above 1 each row has the kernel of a clock that ticks every so many TRs. There is still a row at each TR: delays
        count in TRs, and reach rows between the ticks.

    Returns
    -------
    StoryClock
    """
    delays = tuple(int(delay) for delay in delays)
    if not delays or min(delays) < 0:
        raise AlignmentError(
            "delays",
            f"{list(delays)}",
            "one or more delays of 0 TRs or more.",
            "Set delays, e.g. [1, 2, 3, 4].",
        )
    tr_times = _increasing(tr_times, "tr_times", at_least=2)
    spacing = np.mean(np.diff(tr_times))
    halo = max(delays)
    before = tr_times[0] - spacing * np.arange(halo, 0, -1)
    heard = before[before >= 0] if halo_from_sound else before[:0]
    if len(tr_times) < 2 * slow:
        raise AlignmentError(
            "tr_times",
            f"{len(tr_times)} TRs, with every {slow} of them a row.",
            f"at least {2 * slow} TRs in each story.",
            "Lower training.slow, or leave the story out.",
        )
    times = np.concatenate([heard, tr_times])
    matrix = np.empty((len(times), np.size(window_times)))
    for first in range(slow):
        matrix[first::slow] = lanczos_matrix(window_times, times[first::slow], lobes)
    return StoryClock(matrix=matrix, silent=halo - len(heard), delays=delays, slow=slow)


def _increasing(times: ArrayLike, name: str, at_least: int) -> np.ndarray:
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
