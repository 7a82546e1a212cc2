"""Correlations against their circular-shift null.

Neighbouring rows of a recording resemble each other, so the textbook p of a correlation is far too small;
tests/evaluation/statistics/test_circular_shift.py shows it on AR(1) noise. Voxels and rows are not independent samples:
whole stories are what is shifted here.
"""

from collections.abc import Mapping

import numpy as np

from brainwavlm.evaluation.scores import unit
from brainwavlm.evaluation.statistics.permutation_test import Null, PermutationTest, batches, stories_of

_ROUNDING = 1e-12  # of the transform, which works in float64


def circular_shift_p(
    true: np.ndarray,
    predicted: np.ndarray,
    story_of_row: np.ndarray,
    n_shifts: int,
    seed: int,
    targets: Mapping[str, np.ndarray] | None = None,
) -> PermutationTest:
    """p[v] = (b[v] + 1) / (n_shifts + 1), b[v] the shifts with a correlation at least as large as the true one.

    Each shift turns the prediction of every story against its recording by one random offset a story, the
    same for all voxels. A prediction keeps its autocorrelation, and voxels keep their correlation with each
    other. All shifts of a story come exactly from one Fourier transform:
    c[k] = sum_t true[t] predicted[t - k mod n], with both centred over all rows.

    Why offsets near zero stay in: all offsets together, zero among them, are a group, and only then is p exact. The
    sum of c over all offsets is fixed, so leaving out those near zero lowers the rest when c[0] is high by chance: on
    AR(1) noise (.8) with 20 s left out on either side, 15 % of voxels reach p <= .05 for three stories of 50 TRs of
    2 s, and 7 % for one story of 291 TRs, against 5 to 6 % with all.

    Parameters
    ----------
    true, predicted : arrays (n_rows, n_voxels)
    story_of_row : array (n_rows,)
        Rows of a story are consecutive and in order.
    n_shifts : int
    seed : int
    targets : mapping of str to bool array (n_voxels,), or None
        Also test the mean correlation over these voxels.

    Returns
    -------
    PermutationTest
        Of r.
    """
    generator = np.random.default_rng(seed)
    stories = [rows for _, rows in stories_of(story_of_row)]
    offsets = [generator.integers(0, rows.stop - rows.start, size=n_shifts) for rows in stories]
    null = Null(n_shifts, true.shape[1], "greater", targets, _ROUNDING)
    for columns in batches(true.shape[1], 8 * (n_shifts + 6 * len(true))):
        a, b = unit(true[:, columns]), unit(predicted[:, columns])
        shifted = np.zeros((n_shifts, a.shape[1]))
        for rows, shifts in zip(stories, offsets, strict=True):
            shifted += _circular_correlation(a[rows], b[rows])[shifts]
        null.add(columns, (a * b).sum(0), shifted)
    return null.test()


def _circular_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(a, axis=0) * np.fft.rfft(b, axis=0).conj()
    return np.fft.irfft(spectrum, n=len(a), axis=0)
