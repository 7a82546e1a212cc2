"""One story's windows and TRs on one clock: which windows make which row of its design matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from brainwavlm.encoding.alignment import delayed, increasing, lanczos_matrix, moments
from brainwavlm.errors import AlignmentError


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
    tr_times = increasing(tr_times, "tr_times", at_least=2)
    spacing = np.mean(np.diff(tr_times))
    halo = max(delays)
    before = tr_times[0] - spacing * np.arange(halo, 0, -1)
    heard = before[before >= 0]
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
