"""What chance reaches: the result of every permutation test, its counts, and the test by circular shifts.

All tests return one result, so that tables and files do not ask how the null was drawn. Neighbouring rows of a
recording resemble each other, so the textbook p of a correlation is far too small (tests/evaluation/statistics show it
on AR(1) noise); voxels and rows are not independent samples: whole stories are what is shifted here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np

from brainwavlm.evaluation.scores import unit

Alternative = Literal["greater", "two-sided"]
_BYTES_AT_ONCE = 256e6
FEWEST_FOR_TAIL = 100


@dataclass(frozen=True)
class PermutationTest:
    """A statistic a voxel against its null.

    Attributes
    ----------
    statistic : array (n_voxels,)
        NaN where a voxel has none.
    p : array (n_voxels,)
        p[v] = (b[v] + 1) / (n + 1), b[v] the permutations with a value at least as large; never 0. Where none but those
        that change nothing has, the normal tail of the null if that is smaller: see `Null`.
    p_max : array (n_voxels,)
        The same with the largest value of all voxels in each permutation: the chance that any voxel does so well
        where none should (family-wise error).
    n_permutations : int
    mean : dict of str to (mean, p, null95)
        By target: mean statistic, its p, and the 95th percentile of the mean (two-sided: of its size) under the null.
    least_p : float
        The smallest p that a voxel could have; 0 with a normal tail.
    """

    statistic: np.ndarray
    p: np.ndarray
    p_max: np.ndarray
    n_permutations: int
    mean: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    least_p: float = 0.0

    def untestable(self, level: float) -> dict[str, float] | None:
        """Smallest p and number of voxels where q below a level cannot be tested; None where it can.

        It cannot where no voxel has such a q, nor could by itself: least_p n_voxels is not below the level.
        """
        n_voxels = int((~np.isnan(self.p)).sum())
        if self.least_p * n_voxels < level or (self.q < level).any():
            return None
        return {"least_p": self.least_p, "n_voxels": n_voxels}

    def n_below(self, level: float, mask: np.ndarray) -> float:
        """How many voxels of a mask (n_voxels,) have q below a level; NaN where that cannot be tested."""
        return np.nan if self.untestable(level) else int((self.q < level)[mask].sum())

    @property
    def q(self) -> np.ndarray:
        """False discovery rate over all tested voxels (Benjamini-Hochberg), (n_voxels,); NaN where p is."""
        from scipy.stats import false_discovery_control  # a third of a second to import

        q, tested = np.full_like(self.p, np.nan), ~np.isnan(self.p)
        q[tested] = false_discovery_control(self.p[tested])
        return q


class Null:
    """Counts of values at least as large as the measured, and the largest value of each permutation.

    One story of 291 rows has 291 offsets and no p below .003, which after a correction for many voxels shows nothing
    unless a tenth of them carries signal. A voxel that exceeds all permutations gets the normal tail instead:
    p[v] = P(Z >= T[v] / rms over permutations of T), if that is smaller (calibration: benchmarks/false_positives.py).

    Parameters
    ----------
    n_permutations, n_voxels : int
    alternative : str
        greater: large values count. two-sided: values of large size.
    targets : mapping of str to bool array (n_voxels,), or None
        Also test the mean over these voxels.
    rounding : float
        A value this much below the measured one is a tie, which counts against the model.
    unchanged : bool array (n_permutations,) or None
        Permutations that change nothing; None: no normal tail.
    least_p : float
        One over the number of permutations that there are; of fewer than 100 no tail is taken.
    """

    def __init__(
        self,
        n_permutations: int,
        n_voxels: int,
        alternative: Alternative,
        targets: Mapping[str, np.ndarray] | None = None,
        rounding: float = 1e-6,  # of sums in float32
        unchanged: np.ndarray | None = None,
        least_p: float = 0.0,
    ) -> None:
        self.unchanged = unchanged if least_p <= 1 / FEWEST_FOR_TAIL else None
        self.least_p = max(least_p, 1 / (n_permutations + 1)) if self.unchanged is None else 0.0
        self.spread = np.full(n_voxels, np.nan)
        self.statistic = np.full(n_voxels, np.nan)
        self.at_least = np.zeros(n_voxels, dtype=np.int64)
        self.largest = np.full(n_permutations, -np.inf)
        self.rounding = rounding
        self.two_sided = alternative == "two-sided"
        self.targets = dict(targets or {})
        self.sums = {name: np.zeros(n_permutations) for name in self.targets}

    def add(self, columns: slice, measured: np.ndarray, values: np.ndarray) -> None:
        """Some voxels: measured (n,), values under the null (n_permutations, n)."""
        self.statistic[columns] = measured
        known = ~np.isnan(measured)
        for name, mask in self.targets.items():
            self.sums[name] += values[:, mask[columns] & known].sum(1, dtype=np.float64)
        size = np.abs(measured) if self.two_sided else measured
        values = np.abs(values) if self.two_sided else values
        self.at_least[columns] = (values >= size - self.rounding).sum(0)
        if self.unchanged is not None:
            changed = values[~self.unchanged]
            self.spread[columns] = np.sqrt(np.einsum("pv,pv->v", changed, changed) / max(len(changed), 1))
        if known.any():
            self.largest = np.maximum(self.largest, values[:, known].max(1))

    def test(self) -> PermutationTest:
        """The result, when all voxels are added."""
        n = len(self.largest)
        size = np.abs(self.statistic) if self.two_sided else self.statistic
        below = np.searchsorted(np.sort(self.largest), size - self.rounding, side="left")
        p, p_max = (self.at_least + 1) / (n + 1), (n - below + 1) / (n + 1)
        if self.unchanged is not None:
            p = np.where(self.at_least <= self.unchanged.sum(), np.fmin(p, self._tail(size)), p)
        unknown = np.isnan(self.statistic)
        return PermutationTest(
            self.statistic,
            np.where(unknown, np.nan, p),
            np.where(unknown, np.nan, p_max),
            n,
            {name: self._mean(name) for name in self.targets},
            self.least_p,
        )

    def _tail(self, size: np.ndarray) -> np.ndarray:
        from scipy.special import ndtr

        return (2 if self.two_sided else 1) * ndtr(-size / np.where(self.spread > 0, self.spread, np.nan))

    def _mean(self, name: str) -> tuple[float, float, float]:
        known = self.targets[name] & ~np.isnan(self.statistic)
        if not known.any():
            return np.nan, np.nan, np.nan
        mean, null = float(self.statistic[known].mean()), self.sums[name] / known.sum()
        size, sizes = (abs(mean), np.abs(null)) if self.two_sided else (mean, null)
        p = (int((sizes >= size - self.rounding).sum()) + 1) / (len(null) + 1)
        return mean, p, float(np.quantile(sizes, 0.95))


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

    true, predicted (n_rows, n_voxels); rows of a story are consecutive and in order. The mean correlation over each of
    `targets` (n_voxels,) is tested too.
    """
    generator = np.random.default_rng(seed)
    stories = [rows for _, rows in stories_of(story_of_row)]
    offsets = [generator.integers(0, rows.stop - rows.start, size=n_shifts) for rows in stories]
    # The transform rounds in float64.
    unchanged, least_p = ~np.any(offsets, axis=0), 1 / n_offsets(story_of_row)
    null = Null(n_shifts, true.shape[1], "greater", targets, 1e-12, unchanged, least_p)
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


def stories_of(story_of_row: np.ndarray) -> Iterator[tuple[str, slice]]:
    """Name and rows of each story; ValueError where the rows of one are not consecutive."""
    story_of_row = np.asarray(story_of_row)
    edges = [0, *(np.flatnonzero(story_of_row[1:] != story_of_row[:-1]) + 1), len(story_of_row)]
    names = [str(story_of_row[start]) for start in edges[:-1]]
    if len(set(names)) < len(names):
        raise ValueError("rows of a story are not consecutive")
    for name, (start, stop) in zip(names, pairwise(edges), strict=True):
        yield name, slice(int(start), int(stop))


def n_offsets(story_of_row: np.ndarray) -> float:
    """In how many ways stories can be turned, each by itself."""
    return float(np.prod([float(rows.stop - rows.start) for _, rows in stories_of(story_of_row)]))


def batches(n_voxels: int, bytes_a_voxel: float) -> Iterator[slice]:
    """Voxels in parts that take no more than 256 MB each."""
    size = max(int(_BYTES_AT_ONCE / bytes_a_voxel), 1)
    for start in range(0, n_voxels, size):
        yield slice(start, min(start + size, n_voxels))
