"""What chance gives: circular-shift nulls, bootstrap intervals over stories, false discovery rate.

Neighbouring rows of a recording resemble each other, so the textbook p of a correlation is far too small;
tests/evaluation/test_statistics.py shows it on AR(1) noise. Voxels and rows are not independent samples:
stories, or blocks of at least 10 TRs, are what is shifted and resampled here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from brainwavlm.evaluation.scores import unit

BLOCK_ROWS = 10
FEWEST_STORIES = 5
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


@dataclass(frozen=True)
class Difference:
    """Mean correlation of two models over a target, and the 95 % interval of their paired difference."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    n_voxels: int


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
    for columns in _batches(n_voxels, 8 * (n_shifts + 6 * len(true))):
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


def story_bootstrap(
    true: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    story_of_row: np.ndarray,
    targets: Mapping[str, np.ndarray],
    n_resamples: int,
    seed: int,
) -> tuple[dict[str, Difference], str]:
    """Mean over a target of r_second - r_first, and its interval over resamples of test stories.

    Each resample draws as many stories as there are, with replacement, and computes both correlations over
    the drawn rows: paired, because both models get the same draw. Below 5 stories, blocks of at least 10
    TRs are drawn within each story instead. Correlations come from sums over stories or blocks, so no rows
    are copied.

    Parameters
    ----------
    true, first, second : arrays (n_rows, n_voxels)
        Responses, and the predictions of two models.
    story_of_row : array (n_rows,)
        Rows of a story are consecutive and in order.
    targets : mapping of str to bool array (n_voxels,)
    n_resamples : int
    seed : int

    Returns
    -------
    differences : dict of str to Difference
        Percentile interval, 2.5 to 97.5 %; NaN where each story is one block, so that there is nothing to draw.
    unit : str
        What was drawn, for reports.
    """
    pieces, counts, drawn = _draws(story_of_row, n_resamples, seed)
    counts = np.concatenate([np.ones((1, counts.shape[1])), counts])  # row 0: what was measured
    models = {"first": first, "second": second}
    sums = {name: np.zeros((3, n_resamples + 1)) for name in targets}
    for columns in _batches(true.shape[1], 8 * (10 * n_resamples + 8 * len(true))):
        r = {
            name: _resampled(true[:, columns], predicted[:, columns], pieces, counts)
            for name, predicted in models.items()
        }
        usable = ~np.isnan(r["first"][0]) & ~np.isnan(r["second"][0])
        for name, mask in targets.items():
            # A resample may hold no variance for a voxel; it then counts as no difference.
            values = [r[model][:, mask[columns] & usable] for model in models]
            known = ~np.isnan(values[0]) & ~np.isnan(values[1])
            sums[name] += [known.sum(1), *(np.where(known, value, 0.0).sum(1) for value in values)]
    # One piece a story leaves nothing to draw: that is no interval, not a certain one.
    varied = bool((counts[1:] != counts[1]).any())
    return {name: _difference(s[0], s[1], s[2], varied) for name, s in sums.items()}, drawn


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


def _draws(story_of_row: np.ndarray, n_resamples: int, seed: int) -> tuple[list[slice], np.ndarray, str]:
    """Pieces of rows, how often each resample draws each (n_resamples, n_pieces), and what they are."""
    generator = np.random.default_rng(seed)
    stories = [rows for _, rows in stories_of(story_of_row)]
    if len(stories) >= FEWEST_STORIES:
        shares = np.full(len(stories), 1 / len(stories))
        counts = generator.multinomial(len(stories), shares, size=n_resamples)
        return stories, counts, f"{len(stories)} test stories"
    pieces: list[slice] = []
    counts_by_story: list[np.ndarray] = []
    for rows in stories:
        n_blocks = max((rows.stop - rows.start) // BLOCK_ROWS, 1)
        edges = np.linspace(rows.start, rows.stop, n_blocks + 1).round().astype(int)
        pieces += [slice(start, stop) for start, stop in pairwise(edges)]
        shares = np.full(n_blocks, 1 / n_blocks)
        counts_by_story.append(generator.multinomial(n_blocks, shares, size=n_resamples))
    plural = "y" if len(stories) == 1 else "ies"
    drawn = f"{len(pieces)} blocks of at least {BLOCK_ROWS} TRs within {len(stories)} test stor{plural}"
    return pieces, np.concatenate(counts_by_story, axis=1), drawn


def _resampled(
    true: np.ndarray, predicted: np.ndarray, pieces: list[slice], counts: np.ndarray
) -> np.ndarray:
    """Correlation of every resample, (n_resamples, n_voxels)."""
    # Centring first keeps the sums of squares exact; r does not change.
    t, p = unit(true), unit(predicted)

    def total(values: np.ndarray) -> np.ndarray:
        return counts @ np.stack([values[rows].sum(0) for rows in pieces])

    n = counts @ np.array([rows.stop - rows.start for rows in pieces], dtype=np.float64)[:, None]
    sum_t, sum_p = total(t), total(p)
    covariance = total(t * p) - sum_t * sum_p / n
    power = (total(t * t) - sum_t**2 / n) * (total(p * p) - sum_p**2 / n)
    return covariance / np.sqrt(np.where(power > 1e-20, power, np.nan))


def _difference(known: np.ndarray, first: np.ndarray, second: np.ndarray, varied: bool) -> Difference:
    if not known[0]:
        return Difference(np.nan, np.nan, np.nan, np.nan, np.nan, 0)
    known = np.maximum(known, 1)
    change = (second - first) / known
    low, high = np.quantile(change[1:], [0.025, 0.975]) if varied else (np.nan, np.nan)
    return Difference(
        first=float(first[0] / known[0]),
        second=float(second[0] / known[0]),
        difference=float(change[0]),
        low=float(low),
        high=float(high),
        n_voxels=int(known[0]),
    )


def stories_of(story_of_row: np.ndarray) -> Iterator[tuple[str, slice]]:
    """Name and rows of each story; ValueError where the rows of one are not consecutive."""
    story_of_row = np.asarray(story_of_row)
    edges = [0, *(np.flatnonzero(story_of_row[1:] != story_of_row[:-1]) + 1), len(story_of_row)]
    names = [str(story_of_row[start]) for start in edges[:-1]]
    if len(set(names)) < len(names):
        raise ValueError("rows of a story are not consecutive")
    for name, (start, stop) in zip(names, pairwise(edges), strict=True):
        yield name, slice(int(start), int(stop))


def _batches(n_voxels: int, bytes_a_voxel: float) -> Iterator[slice]:
    size = max(int(_BYTES_AT_ONCE / bytes_a_voxel), 1)
    for start in range(0, n_voxels, size):
        yield slice(start, min(start + size, n_voxels))
