"""Intervals of mean correlations and of their paired differences: the jackknife over test stories.

    theta[i]   a statistic of all rows but those of story i; all models leave out the same, so differences are paired
    interval   theta -+ t(.975, n - 1) sqrt((n - 1) / n sum_i (theta[i] - mean_i theta[i])^2), n stories

Below 3 test stories nothing can be said of how stories differ. Then blocks of these stories are left out in turn, and
the interval holds for these stories alone. Blocks are of 20 TRs, in stories of fewer than 80 TRs shorter, but never
below 10: with blocks of 10 throughout 90 % of intervals held the truth where noise was AR(1) of .8, with 20 92 %
(benchmarks/coverage.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from brainwavlm.evaluation.scores import unit
from brainwavlm.evaluation.statistics.permutation_test import batches, stories_of
from brainwavlm.results.estimates import jackknife_interval

BLOCK_ROWS, FEW_BLOCKS = 10, 4
FEWEST_STORIES = 3
SHARED = ", shared"  # after the name of a model: read out by the map whose directions all voxels share

# (true, predicted, pieces) to a score over all pieces, and over all but each, (n_pieces + 1, n_voxels)
Measure = Callable[[np.ndarray, np.ndarray, list[slice]], np.ndarray]


@dataclass(frozen=True)
class Jackknife:
    """Means of several models over targets, as measured and with each piece of the test rows left out.

    Attributes
    ----------
    means : dict of target to dict of model to array (n_pieces + 1,)
        The first value is what was measured.
    n_voxels : dict of str to int
        Voxels of each target that have a correlation under every model.
    unit : str
        What was left out in turn, for reports.
    """

    means: dict[str, dict[str, np.ndarray]]
    n_voxels: dict[str, int]
    unit: str

    def interval(self, values: np.ndarray) -> tuple[float, float]:
        """95 % interval of something made of `means`, (n_pieces + 1,); NaN where there is one piece."""
        return jackknife_interval(float(values[0]), values[1:])


def jackknife_of_means(
    true: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    story_of_row: np.ndarray,
    targets: Mapping[str, np.ndarray],
    of: str = "TRs",
    measure: Measure | None = None,
) -> Jackknife:
    """mean_v r_m[v] over all rows, and without each piece of them, for every model m.

    Correlations come from sums over pieces, so no rows are copied. true and predictions are (n_rows, n_voxels), rows of
    a story consecutive and in order; targets (n_voxels,). `of` is what a row is, for the report; `measure` another
    score in place of r: `r_squared`.
    """
    measure = measure or _correlations
    pieces, unit_of_pieces = left_out_pieces(story_of_row, of)
    n_means = len(pieces) + 1
    sums = {name: {model: np.zeros(n_means) for model in predictions} for name in targets}
    known = {name: np.zeros(n_means) for name in targets}
    n_bytes = 8 * ((8 + 2 * len(predictions)) * n_means + 8 * len(true))
    for columns in batches(true.shape[1], n_bytes):
        r = [measure(true[:, columns], predicted[:, columns], pieces) for predicted in predictions.values()]
        missing = [np.isnan(values) for values in r]
        usable = ~np.any([gaps[0] for gaps in missing], axis=0)
        for name, mask in targets.items():
            here = mask[columns] & usable
            # Without a piece a voxel may have no variance left; it then counts for no model.
            present = ~np.any([gaps[:, here] for gaps in missing], axis=0)
            known[name] += present.sum(1)
            for model, values in zip(predictions, r, strict=True):
                sums[name][model] += np.where(present, values[:, here], 0.0).sum(1)
    means = {
        name: {model: shares(total, known[name]) for model, total in of_models.items()}
        for name, of_models in sums.items()
    }
    return Jackknife(means, {name: int(n[0]) for name, n in known.items()}, unit_of_pieces)


def shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Shares part / whole; NaN where the whole is nothing."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)


def left_out_pieces(
    story_of_row: np.ndarray, of: str = "TRs", groups: str = "stories"
) -> tuple[list[slice], str]:
    """Pieces of rows that are left out in turn, and what they are: stories, or blocks of one or two stories.

    Rows of a story are consecutive and in order. `of` and `groups` are what a row is, and what stands for stories where
    it is speakers or utterances, for the report.
    """
    stories = [rows for _, rows in stories_of(story_of_row)]
    if len(stories) >= FEWEST_STORIES:
        return stories, f"{len(stories)} test {groups}"
    pieces: list[slice] = []
    for rows in stories:
        n_rows = rows.stop - rows.start
        n_blocks = max(n_rows // (2 * BLOCK_ROWS), min(n_rows // BLOCK_ROWS, FEW_BLOCKS), 1)
        edges = np.linspace(rows.start, rows.stop, n_blocks + 1).round().astype(int)
        pieces += [slice(start, stop) for start, stop in pairwise(edges)]
    blocks = f"{len(pieces)} block{'s' if len(pieces) > 1 else ''} of at least {BLOCK_ROWS} {of}"
    return pieces, f"{blocks} of {'these 2 test stories' if len(stories) > 1 else 'this test story'}"


@lru_cache(maxsize=1)  # asked for again for each sum over the same pieces
def kept_pieces(n_pieces: int) -> np.ndarray:
    """Which pieces count, (n_pieces + 1, n_pieces): all of them, then all but each one."""
    return np.concatenate([np.ones((1, n_pieces)), 1 - np.eye(n_pieces)])


def sums_over(values: np.ndarray, pieces: Sequence[slice]) -> np.ndarray:
    """Sums over the rows of all pieces, and of all but each one, (n_pieces + 1, n) float64."""
    sums = np.stack([values[rows].sum(0, dtype=np.float64) for rows in pieces])
    return np.asarray(kept_pieces(len(pieces)) @ sums)


def _correlations(true: np.ndarray, predicted: np.ndarray, pieces: list[slice]) -> np.ndarray:
    """Correlation over all pieces, and over all but each one, (n_pieces + 1, n_voxels)."""
    # Centring first keeps the sums of squares exact; r does not change.
    t, p = unit(true), unit(predicted)
    n = np.maximum(sums_over(np.ones((len(true), 1)), pieces), 1)
    sum_t, sum_p = sums_over(t, pieces), sums_over(p, pieces)
    covariance = sums_over(t * p, pieces) - sum_t * sum_p / n
    power = (sums_over(t * t, pieces) - sum_t**2 / n) * (sums_over(p * p, pieces) - sum_p**2 / n)
    return covariance / np.sqrt(np.where(power > 1e-20, power, np.nan))


def r_squared(true: np.ndarray, predicted: np.ndarray, pieces: list[slice]) -> np.ndarray:
    """R2 = 1 - sum (t - p)^2 / sum (t - mean t)^2 over all pieces, and over all but each one, as `_correlations`."""
    t = true - true.mean(0)  # exact sums of squares
    error, power, sums = (sums_over(some, pieces) for some in ((true - predicted) ** 2, t**2, t))
    power = power - sums**2 / np.maximum(sums_over(np.ones((len(true), 1)), pieces), 1)
    return 1 - error / np.where(power > 1e-20, power, np.nan)
