"""One story's windows and TRs on one clock: which windows make which row of its design matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from brainwavlm.datasets.usable_rows import gaps
from brainwavlm.encoding.alignment import delayed, increasing, lanczos_matrix, moments
from brainwavlm.errors import AlignmentError


@dataclass(frozen=True)
class StoryClock:
    """How one story's windows become rows of a design matrix.

    Delays are seconds: rows that were recorded, and before each stretch of them that is evenly spaced `halo` rows that
    were not, so that the delays of its first TRs see the sound that was heard before them. A recording without gaps is
    one stretch. Halo rows before the sound's onset, or too far before the first window, are silence: their weights are
    zero, and so are they after normalisation.

    Attributes
    ----------
    matrix : array (n_rows, n_windows), float64
        Lanczos weights of all rows, recorded or not.
    kept : int array (n_trs,)
        Rows that were recorded.
    delays : tuple of int
        In TRs.
    slow : int
        Every so many TRs are a row of the responses, and the kernel is that of so slow a clock.
    """

    matrix: np.ndarray
    kept: np.ndarray
    delays: tuple[int, ...]
    slow: int = 1

    @property
    def halo(self) -> int:
        """Rows before the first TR of a stretch: the longest delay."""
        return max(self.delays)

    @property
    def mass(self) -> np.ndarray:
        """Sum of each row's weights, (n_rows, 1) float32: the same but near the ends of the sound."""
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
        return delayed(self.rows(features), self.delays, self.kept)

    def rows(self, features: np.ndarray) -> np.ndarray:
        """Resampled and z-scored rows, not yet delayed, (n_rows, n_dims) float32; silent ones are 0."""
        rows, mass = (self.matrix @ features).astype(np.float32), self.mass
        mean, scale = moments(rows[self.kept], mass[self.kept])
        return (rows - mass * mean) / scale


def story_clock(
    window_times: ArrayLike,
    tr_times: ArrayLike,
    delays: Sequence[int],
    lobes: int = 3,
    slow: int = 1,
    tr: float | None = None,
) -> StoryClock:
    """Put a story's windows and TRs on one clock.

    Rows at t - k * tr, k = 1 .. max(delays), are added before the first TR t, and before each that does not come one
    TR after the row before it: after a gap, where volumes were censored, at the second of two runs.

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
    slow : int
        Above 1 each row has the kernel of a clock that ticks every so many TRs. There is still a row at each TR: delays
        count in TRs, and reach rows between the ticks.
    tr : float or None
        Seconds; None: the median of what lies between two rows.

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
    tr_times = increasing(tr_times, "tr_times", at_least=2)
    if len(tr_times) < 2 * slow:
        raise AlignmentError(
            "tr_times",
            f"{len(tr_times)} TRs, with every {slow} of them a row.",
            f"at least {2 * slow} TRs in each story.",
            "Lower training.slow, or leave the story out.",
        )
    spacing = float(np.median(np.diff(tr_times))) if tr is None else tr
    times, kept = rows_with_halo(tr_times, max(delays), spacing)
    heard = (times >= 0) & ((times - np.min(window_times)) / (slow * spacing) > -lobes)
    heard[kept] = True
    matrix = np.zeros((len(times), np.size(window_times)))
    matrix[heard] = lanczos_matrix(window_times, times[heard], lobes, slow * spacing)
    return StoryClock(matrix, kept, delays, slow)


def rows_with_halo(tr_times: np.ndarray, halo: int, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Times of all rows of a clock, (n_rows,), and which of them were recorded, (n_trs,); see `story_clock`."""
    first = np.concatenate([[0], gaps(tr_times, spacing)])
    kept = np.arange(len(tr_times))
    kept += halo * np.searchsorted(first, kept, side="right")
    times = np.empty(kept[-1] + 1)
    times[kept] = tr_times
    for row in first:
        times[kept[row] - halo : kept[row]] = tr_times[row] - spacing * np.arange(halo, 0, -1)
    return times, kept
