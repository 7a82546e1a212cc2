"""What chance gives: circular-shift nulls and the false discovery rate.

Neighbouring rows of a recording resemble each other, so the textbook p of a correlation is far too small;
tests/evaluation/test_statistics.py shows it on AR(1) noise. Voxels and rows are not independent samples:
whole stories are what is shifted here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from brainwavlm.evaluation.scores import unit

_BYTES_AT_ONCE = 256e6


@dataclass(frozen=True)
class ShiftTest:
    """Correlations against their circular-shift null.

    Attributes
    ----------
    r, p : arrays (n_voxels,)
        NaN where a voxel has no correlation.
    mean : dict of str to (r, p, null95)
        By target: mean correlation, its p, and the 95th percentile of the mean under the null.
    n_shifts : int
    shortened : tuple of str
        Stories too short to stay `min_seconds` away from zero; there a quarter of the story is kept away.
    p_max : array (n_voxels,)
        p against the largest correlation of all voxels in each shift: family-wise error over voxels.
    """

    r: np.ndarray
    p: np.ndarray
    mean: dict[str, tuple[float, float, float]]
    n_shifts: int
    shortened: tuple[str, ...]
    p_max: np.ndarray


def circular_shift_p(
    true: np.ndarray,
    predicted: np.ndarray,
    story_of_row: np.ndarray,
    tr: float,
    n_shifts: int,
    min_seconds: float,
    seed: int,
    targets: Mapping[str, np.ndarray] | None = None,
) -> ShiftTest:
    """p[v] = (b[v] + 1) / (n_shifts + 1), b[v] the shifts with a correlation at least as large as the true one.

    Each shift turns the prediction of every story against its recording by one random offset a story, the
    same for all voxels. A prediction keeps its autocorrelation, and voxels keep their correlation with each
    other. All shifts of a story come exactly from one Fourier transform:
    c[k] = sum_t true[t] predicted[t - k mod n], with both centred over all rows.

    Why `min_seconds` is 0 where this package calls it: all offsets together, zero among them, are a group, and
    only then is p exact. The sum of c over all offsets is fixed, so leaving out those near zero lowers the rest
    when c[0] is high by chance: on AR(1) noise (.8) with 20 s left out on either side, 15 % of voxels reach
    p <= .05 for three stories of 50 TRs of 2 s, and 7 % for one story of 291 TRs, against 5 to 6 % with all.

    Parameters
    ----------
    true, predicted : arrays (n_rows, n_voxels)
    story_of_row : array (n_rows,)
        Rows of a story are consecutive and in order.
    tr : float
        Seconds a row.
    n_shifts : int
    min_seconds : float
        Least distance of an offset from zero in both directions; 0: all offsets.
    seed : int
    targets : mapping of str to bool array (n_voxels,), or None
        Also test the mean correlation over these voxels.

    Returns
    -------
    ShiftTest
    """
    stories = list(stories_of(story_of_row))
    offsets, shortened = _offsets(stories, int(np.ceil(min_seconds / tr)), n_shifts, seed)
    targets = dict(targets or {})
    n_voxels = true.shape[1]
    r, p = np.empty(n_voxels), np.empty(n_voxels)
    null_sums = {name: np.zeros(n_shifts) for name in targets}
    largest = np.full(n_shifts, -np.inf)
    for columns in batches(n_voxels, 8 * (n_shifts + 6 * len(true))):
        a, b = unit(true[:, columns]), unit(predicted[:, columns])
        r[columns] = (a * b).sum(0)
        null = np.zeros((n_shifts, a.shape[1]))
        for (_, rows), shifts in zip(stories, offsets, strict=True):
            null += _circular_correlation(a[rows], b[rows])[shifts]
        # The transform rounds at 1e-16; a tie counts against the model.
        at_least = (null >= r[columns] - 1e-12).sum(0)
        p[columns] = np.where(np.isnan(r[columns]), np.nan, (at_least + 1) / (n_shifts + 1))
        if (known := ~np.isnan(r[columns])).any():
            largest = np.maximum(largest, null[:, known].max(1))
        for name, mask in targets.items():
            null_sums[name] += null[:, mask[columns] & ~np.isnan(r[columns])].sum(1)
    means = {}
    for name, mask in targets.items():
        n = int((mask & ~np.isnan(r)).sum())
        if n == 0:
            means[name] = (np.nan, np.nan, np.nan)
            continue
        mean, null_mean = float(np.nanmean(r[mask])), null_sums[name] / n
        p_mean = (int((null_mean >= mean - 1e-12).sum()) + 1) / (n_shifts + 1)
        means[name] = (mean, p_mean, float(np.quantile(null_mean, 0.95)))
    below = np.searchsorted(np.sort(largest), r - 1e-12, side="left")
    p_max = np.where(np.isnan(r), np.nan, (n_shifts - below + 1) / (n_shifts + 1))
    return ShiftTest(r, p, means, n_shifts, shortened, p_max)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """q_(i) = min over j >= i of p_(j) m / j, p_(1) <= ... <= p_(m): the false discovery rate if p_(i) is called.

    Parameters
    ----------
    p : array (m,)
        NaN stays NaN and is not counted.

    Returns
    -------
    array (m,)

    References
    ----------
    Benjamini and Hochberg 1995.
    """
    p = np.asarray(p, dtype=np.float64)
    q = np.full_like(p, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    m = len(order)
    raw = p[order] * m / np.arange(1, m + 1)
    q[order] = np.minimum.accumulate(raw[::-1])[::-1]
    return q


def _circular_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(a, axis=0) * np.fft.rfft(b, axis=0).conj()
    return np.fft.irfft(spectrum, n=len(a), axis=0)


def _offsets(
    stories: list[tuple[str, slice]], least: int, n_shifts: int, seed: int
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    generator = np.random.default_rng(seed)
    offsets, shortened = [], []
    for name, rows in stories:
        n = rows.stop - rows.start
        away = least
        if 2 * least > n:
            away = n // 4
            shortened.append(name)
        last = n - max(away, 1)
        offsets.append(generator.integers(away, last, size=n_shifts, endpoint=True))
    return offsets, tuple(shortened)


def stories_of(story_of_row: np.ndarray) -> Iterator[tuple[str, slice]]:
    """Name and rows of each story; ValueError where the rows of one are not consecutive."""
    story_of_row = np.asarray(story_of_row)
    edges = [0, *(np.flatnonzero(story_of_row[1:] != story_of_row[:-1]) + 1), len(story_of_row)]
    names = [str(story_of_row[start]) for start in edges[:-1]]
    if len(set(names)) < len(names):
        raise ValueError("rows of a story are not consecutive")
    for name, (start, stop) in zip(names, pairwise(edges), strict=True):
        yield name, slice(int(start), int(stop))


def batches(n_voxels: int, bytes_a_voxel: float) -> Iterator[slice]:
    """Voxels in parts that take no more than 256 MB each."""
    size = max(int(_BYTES_AT_ONCE / bytes_a_voxel), 1)
    for start in range(0, n_voxels, size):
        yield slice(start, min(start + size, n_voxels))
