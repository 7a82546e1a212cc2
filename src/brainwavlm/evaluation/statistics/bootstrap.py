"""Intervals of mean correlations and of their paired differences: resamples of test stories.

Stories are drawn with replacement, each with all its rows; below 5 stories, blocks of at least 10 TRs within each
story. Every model gets the same draw, so that differences are paired.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from brainwavlm.evaluation.scores import unit
from brainwavlm.evaluation.statistics.permutation_test import batches, stories_of

BLOCK_ROWS = 10
FEWEST_STORIES = 5
# Not the seed of a run: runs that are scored on the same rows share their draws, whatever evaluation they are in.
SEED = 0


@dataclass(frozen=True)
class Resampled:
    """Mean correlations of several models over targets, as measured and in every resample.

    Attributes
    ----------
    means : dict of target to dict of model to array (n_resamples + 1,)
        The first value is what was measured.
    n_voxels : dict of str to int
        Voxels of each target that have a correlation under every model.
    drawn : str
        What was resampled, for reports.
    varied : bool
        False where each story is one block: one piece a story leaves nothing to draw, so there is no interval.
    """

    means: dict[str, dict[str, np.ndarray]]
    n_voxels: dict[str, int]
    drawn: str
    varied: bool

    @property
    def n_resamples(self) -> int:
        """Resamples that were drawn."""
        return max((len(values) - 1 for means in self.means.values() for values in means.values()), default=0)

    def interval(self, values: np.ndarray) -> tuple[float, float]:
        """2.5 and 97.5 % of the resamples of something made of `means`, (n_resamples + 1,); NaN without any."""
        if not self.varied or np.isnan(values[0]):
            return np.nan, np.nan
        low, high = np.quantile(values[1:], [0.025, 0.975])
        return float(low), float(high)

    def draws(self, values: np.ndarray) -> np.ndarray:
        """The resamples alone of something made of `means`, (n_resamples,); NaN where there was nothing to draw."""
        return values[1:] if self.varied else np.full(len(values) - 1, np.nan)

    def draw_pairs(self, first: str, second: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By target, what two models reach in each resample, (n_resamples,) each."""
        return {
            target: (self.draws(means[first]), self.draws(means[second]))
            for target, means in self.means.items()
        }


def resampled_means(
    true: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    story_of_row: np.ndarray,
    targets: Mapping[str, np.ndarray],
    n_resamples: int,
    seed: int,
) -> Resampled:
    """mean_v r_m[v] over the rows of each resample, for every model m on the same draws.

    Each resample draws as many stories as there are, with replacement. Below 5 stories, blocks of at least 10
    TRs are drawn within each story instead. Correlations come from sums over stories or blocks, so no rows
    are copied.

    Parameters
    ----------
    true : array (n_rows, n_voxels)
    predictions : mapping of model to array (n_rows, n_voxels)
    story_of_row : array (n_rows,)
        Rows of a story are consecutive and in order.
    targets : mapping of str to bool array (n_voxels,)
    n_resamples : int
    seed : int
    """
    pieces, counts, drawn = drawn_pieces(story_of_row, n_resamples, seed)
    counts = np.concatenate([np.ones((1, counts.shape[1])), counts])  # row 0: what was measured
    sums = {name: {model: np.zeros(n_resamples + 1) for model in predictions} for name in targets}
    known = {name: np.zeros(n_resamples + 1) for name in targets}
    n_bytes = 8 * ((8 + 2 * len(predictions)) * n_resamples + 8 * len(true))
    for columns in batches(true.shape[1], n_bytes):
        r = [
            _resampled(true[:, columns], predicted[:, columns], pieces, counts)
            for predicted in predictions.values()
        ]
        missing = [np.isnan(values) for values in r]
        usable = ~np.any([gaps[0] for gaps in missing], axis=0)
        for name, mask in targets.items():
            here = mask[columns] & usable
            # A resample may hold no variance for a voxel; it then counts for no model.
            present = ~np.any([gaps[:, here] for gaps in missing], axis=0)
            known[name] += present.sum(1)
            for model, values in zip(predictions, r, strict=True):
                sums[name][model] += np.where(present, values[:, here], 0.0).sum(1)
    means = {
        name: {model: _mean(total, known[name]) for model, total in of_models.items()}
        for name, of_models in sums.items()
    }
    varied = bool((counts[1:] != counts[1]).any())
    return Resampled(means, {name: int(n[0]) for name, n in known.items()}, drawn, varied)


def _mean(total: np.ndarray, known: np.ndarray) -> np.ndarray:
    return total / np.maximum(known, 1) if known[0] else np.full(len(total), np.nan)


def drawn_pieces(
    story_of_row: np.ndarray, n_resamples: int, seed: int, of: str = "TRs"
) -> tuple[list[slice], np.ndarray, str]:
    """Pieces of rows, how often each resample draws each (n_resamples, n_pieces), and what they are.

    Whole stories; below 5 stories, blocks of at least 10 rows within each, as many as the story has.

    Parameters
    ----------
    story_of_row : array (n_rows,)
        Rows of a story are consecutive and in order.
    n_resamples : int
    seed : int
    of : str
        What a row is, for the report.
    """
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
    drawn = (
        f"{len(pieces)} block{'s' if len(pieces) > 1 else ''} of at least {BLOCK_ROWS} {of} within "
        f"{len(stories)} test stor{'ies' if len(stories) > 1 else 'y'}"
    )
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
