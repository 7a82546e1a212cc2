"""Means over the seeds of a group, with intervals over resampled test stories, and ratios of spreads."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import t as student_t

from brainwavlm.study.claims.scores import Score

N_SEED_RESAMPLES = 10_000
Estimate = tuple[float, float, float]  # with the ends of its interval


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
    return len({(score.rows, int((~np.isnan(score.tuned)).sum()), len(score.tuned)) for score in scores}) == 1


def deviation(values: Sequence[float]) -> float:
    """Standard deviation (n - 1); NaN of one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def over_seeds(values: Sequence[float]) -> dict[str, float]:
    """Deviation over seeds, and the 95 % interval of the mean over seeds: mean -+ t(n - 1) deviation / sqrt(n).

    With two seeds t is 12.7: next to nothing is known of how seeds differ.
    """
    spread, n = deviation(values), len(values)
    half = float(student_t.ppf(0.975, n - 1)) * spread / n**0.5 if n > 1 else np.nan
    mean = float(np.mean(values))
    return {"deviation": spread, "seed_low": mean - half, "seed_high": mean + half}
