"""How often the 95 % intervals of `partition` and of `probe --features dimension` hold the truth, in simulated data.

    python benchmarks/coverage_shares.py --output benchmarks/results/coverage-shares.json

partition: responses of AR(1) rows hold two correlated spaces of features, whose weight differs from story to story.
Banded ridge is fitted once; the truth is what it would score over all stories that there might be.
dimension: points of each story lie near a plane of its own; two models see them through different maps. The truth is
the mean over many data sets of the same size, since a dimension depends on how dense the points are.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from brainwavlm.config import RidgeConfig
from brainwavlm.encoding.banded_ridge import banded_predictions
from brainwavlm.evaluation.statistics.dimension import dimensions
from brainwavlm.evaluation.statistics.jackknife import kept_pieces
from brainwavlm.results.estimates import jackknife_interval

STORIES = (3, 5, 8, 20)
SPREADS = (0.0, 0.3)
ROWS, POINTS, VOXELS, COLUMNS, DIMS = 150, 60, 20, 8, 40


def share_estimates(random: np.random.Generator, spread: float, n_stories: int, n_sets: int) -> dict:
    """Estimates with what each story leaves out, (n_sets, n_stories + 1) by measure, and the truth under None."""
    weights = random.standard_normal((2, COLUMNS, VOXELS)) * np.sqrt([0.2, 0.1])[:, None, None] / COLUMNS**0.5

    def stories(n: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        def series(*shape: int) -> np.ndarray:
            white = random.standard_normal((n, rows + 50, *shape))
            return lfilter([0.6], [1, -0.8], white, axis=1)[:, 50:].reshape(n * rows, *shape)

        common = series(COLUMNS)
        spaces = np.stack([np.sqrt(0.5) * common + np.sqrt(0.5) * series(COLUMNS) for _ in range(2)])
        gains = np.repeat(1 + spread * random.standard_normal((n, 2)), rows, axis=0)
        responses = sum(gains[:, [i]] * (spaces[i] @ weights[i]) for i in range(2)) + series(VOXELS)
        return spaces, responses, np.repeat(np.arange(n), rows)

    fitted, responses, story = stories(12, ROWS)
    pool = 2000
    spaces, true, _ = stories(pool, ROWS)
    config = RidgeConfig(folds=4)
    errors = {}
    for some in ((0, 1), (0,), (1,)):
        predicted = banded_predictions(
            [fitted[i].astype(np.float32) for i in some],
            responses.astype(np.float32),
            story,
            [spaces[i].astype(np.float32) for i in some],
            config,
            10,
        ).sum(0)
        errors[some] = ((true - predicted) ** 2).reshape(pool, ROWS, VOXELS).sum(1)
    power = (true**2).reshape(pool, ROWS, VOXELS).sum(1)

    def measures(kept: np.ndarray) -> dict[str, np.ndarray]:
        """Of stories of the pool that each row of `kept` counts."""
        r2 = {some: (1 - (kept @ error) / (kept @ power)).mean(-1) for some, error in errors.items()}
        return {"total": r2[0, 1], "unique": r2[0, 1] - r2[(1,)], "shared": r2[(0,)] + r2[(1,)] - r2[0, 1]}

    truth = measures(np.ones((1, pool)))
    estimates: dict[str, list] = {name: [] for name in truth}
    for _ in range(n_sets):
        kept = np.zeros((n_stories + 1, pool))
        kept[:, random.choice(pool, n_stories, replace=False)] = kept_pieces(n_stories)
        for name, values in measures(kept).items():
            estimates[name].append(values)
    return {name: (float(truth[name][0]), np.array(some)) for name, some in estimates.items()}


def dimension_estimates(random: np.random.Generator, spread: float, n_stories: int, n_sets: int) -> dict:
    """The same of the difference between two models in each dimension; the truth is the mean of the estimates."""
    maps = [np.linalg.qr(random.standard_normal((DIMS, DIMS)))[0] * np.sqrt(scale) for scale in SPECTRA]
    pieces = [slice(POINTS * i, POINTS * (i + 1)) for i in range(n_stories)]
    estimates: dict[str, list] = {}
    for _ in range(n_sets):
        centres = spread * random.standard_normal((n_stories, 1, DIMS))
        scales = np.exp(spread * random.standard_normal((n_stories, 1, DIMS)))
        latent = (centres + scales * random.standard_normal((n_stories, POINTS, DIMS))).reshape(-1, DIMS)
        first, second = (dimensions(latent @ one.T, pieces) for one in maps)
        for name in first:
            estimates.setdefault(name, []).append(second[name] - first[name])
    return {
        name: (float(np.mean([one[0] for one in some])), np.array(some)) for name, some in estimates.items()
    }


# Variance of the latent numbers in two models: the second holds more dimensions.
SPECTRA = [1.0 / np.arange(1, DIMS + 1) ** power for power in (1.5, 1.0)]


def coverage(part: str, n_stories: int, spread: float, n_sets: int, n_fits: int) -> list[dict]:
    """A row a measure: how often its interval holds the truth, over `n_fits` times `n_sets` data sets."""
    random = np.random.default_rng([n_stories, round(100 * spread)])
    estimates = share_estimates if part == "partition" else dimension_estimates
    held: dict[str, list[bool]] = {}
    widths: dict[str, list[float]] = {}
    for _ in range(n_fits if part == "partition" else 1):
        n = n_sets if part == "partition" else n_sets * n_fits
        for name, (truth, values) in estimates(random, spread, n_stories, n).items():
            for one in values:
                low, high = jackknife_interval(float(one[0]), one[1:])
                held.setdefault(name, []).append(low <= truth <= high)
                widths.setdefault(name, []).append(high - low)
    about = {"part": part, "stories": n_stories, "spread": spread}
    return [
        {
            **about,
            "measure": name,
            "data_sets": len(some),
            "coverage": round(float(np.mean(some)), 3),
            "median_width": round(float(np.median(widths[name])), 4),
        }
        for name, some in held.items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", default=["partition", "dimension"])
    parser.add_argument("--sets", type=int, default=50, help="data sets of one fit")
    parser.add_argument("--fits", type=int, default=8)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rows = [
        row
        for part in arguments.parts
        for n_stories in (STORIES if part == "partition" else STORIES[:3])
        for spread in SPREADS
        for row in coverage(part, n_stories, spread, arguments.sets, arguments.fits)
    ]
    text = json.dumps(rows, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")
