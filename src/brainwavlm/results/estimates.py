"""Means over the seeds of a group, differences between groups, and spreads; intervals over resampled test stories.

`compare` and the table of claims of a study both come to their numbers here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

N_SEED_RESAMPLES = 10_000
Estimate = tuple[float, float, float]  # with the ends of its interval


@dataclass(frozen=True)
class Score:
    """Frozen and tuned model of one run in one target.

    Attributes
    ----------
    seed : int
    r_frozen, r_tuned : float
        As measured; AUC for a task.
    frozen, tuned : arrays (n_resamples,)
        In every resample; empty or NaN where there was nothing to draw.
    rows : str
        Scores with the same rows and as many resamples had the same draws.
    """

    seed: int
    r_frozen: float
    r_tuned: float
    frozen: np.ndarray
    tuned: np.ndarray
    rows: str


def interval(draws: np.ndarray) -> tuple[float, float]:
    """2.5 and 97.5 % of resamples; NaN where there are none."""
    known = draws[~np.isnan(draws)]
    if not known.size:
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def mean_over_seeds(scores: Sequence[Score], value: Callable[[Score], tuple[float, np.ndarray]]) -> Estimate:
    """Mean over cells of something made of a score, measured and in every resample.

    Parameters
    ----------
    scores : sequence of Score
        One a cell, of one listener and target.
    value : function from Score to (measured, array (n_resamples,))

    Returns
    -------
    estimate, low, high
        NaN for the interval where cells were not scored on the same draws.
    """
    measured = [value(score) for score in scores]
    estimate = float(np.mean([known for known, _ in measured]))
    if not same_draws(scores):
        return estimate, np.nan, np.nan
    return estimate, *interval(np.mean([draws for _, draws in measured], axis=0))


def mean_difference(first: Sequence[Score], second: Sequence[Score]) -> Estimate:
    """Mean tuned r of the second scores less that of the first; NaN for the interval where draws are not the same."""
    means = [np.mean([score.r_tuned for score in scores]) for scores in (first, second)]
    difference = float(means[1] - means[0])
    if not same_draws([*first, *second]):
        return difference, np.nan, np.nan
    draws = [np.mean([score.tuned for score in scores], axis=0) for scores in (first, second)]
    return difference, *interval(draws[1] - draws[0])


def ratio_of_deviations(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Estimate:
    """std(second) / std(first) over seeds (n - 1), with an interval over resamples of the seeds of each.

    Seeds are drawn with replacement, in either group by itself. With five seeds this is coarse: the deviation of five
    numbers is itself known to about a third, and resamples with ties make the interval's lower ends too low.

    Parameters
    ----------
    first, second : sequences of float
        Tuned r, one a seed.
    seed : int
        Of the resampling.
    """
    generator = np.random.default_rng(seed)
    drawn = [
        np.asarray(values)[generator.integers(len(values), size=(N_SEED_RESAMPLES, len(values)))].std(
            1, ddof=1
        )
        for values in (first, second)
    ]
    below = np.std(first, ddof=1)
    if below == 0:
        return np.nan, np.nan, np.nan
    known = drawn[0] > 0
    return float(np.std(second, ddof=1) / below), *interval(drawn[1][known] / drawn[0][known])


def gain(score: Score) -> tuple[float, np.ndarray]:
    """Tuned minus frozen, measured and in every resample."""
    return score.r_tuned - score.r_frozen, score.tuned - score.frozen


def same_draws(scores: Sequence[Score]) -> bool:
    """Whether all were scored on the same draws, so that they are paired."""
    return len({(score.rows, len(score.tuned)) for score in scores}) == 1


def deviation(values: Sequence[float]) -> float:
    """Standard deviation (n - 1); NaN of one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def over_seeds(values: Sequence[float]) -> dict[str, float]:
    """Deviation over seeds, and the 95 % interval of the mean over seeds: mean -+ t(n - 1) deviation / sqrt(n).

    With two seeds t is 12.7: next to nothing is known of how seeds differ.
    """
    from scipy.stats import t as student_t

    spread, n = deviation(values), len(values)
    half = float(student_t.ppf(0.975, n - 1)) * spread / n**0.5 if n > 1 else np.nan
    mean = float(np.mean(values))
    return {"deviation": spread, "seed_low": mean - half, "seed_high": mean + half}
