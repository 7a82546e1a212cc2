"""How often the 95 % interval of a difference between two models holds the true one, in simulated data.

    python benchmarks/coverage.py                 # the geometries of docs/explanation/statistics.md, 300 data sets each

A response is a signal and noise; each of two models predicts the signal with noise of its own, and in some geometries
better or worse from story to story. Rows are AR(1); voxels share a part of the noise. With three stories or more the
truth is the difference over all stories that there might be, with fewer that over these stories. Prints JSON;
`--output` writes it to a file as well.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from brainwavlm.evaluation.contrasts import contrast
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.statistics.jackknife import FEWEST_STORIES, jackknife_of_means

# Stories, rows of each, deviation over stories of how much of the signal a model has.
GEOMETRIES = [
    *((1, 291, 0.0), (1, 291, 0.1), (3, 48, 0.0), (3, 48, 0.1)),
    *(
        (5, 200, 0.0),
        (5, 200, 0.1),
        (6, 200, 0.1),
        (8, 200, 0.0),
        (8, 200, 0.1),
        (20, 100, 0.0),
        (20, 100, 0.1),
    ),
]
N_VOXELS = 20
QUALITIES = np.array([0.5, 0.7])  # of the two models


def simulated(
    random: np.random.Generator, qualities: np.ndarray, n_rows: int, phi: float
) -> tuple[np.ndarray, np.ndarray]:
    """Responses (n_rows, n_voxels) of one story, and what two models predict (2, n_rows, n_voxels)."""

    def series(n_columns: int) -> np.ndarray:
        white = random.standard_normal((n_rows + 50, n_columns))
        return lfilter([np.sqrt(1 - phi**2)], [1, -phi], white, axis=0)[50:]

    signal = series(1) + 0.5 * series(N_VOXELS)
    noise = series(1) + series(N_VOXELS)
    errors = np.stack([0.5 * series(1) + series(N_VOXELS) for _ in qualities])
    return signal + noise, qualities[:, None, None] * signal + errors


def coverage(n_stories: int, n_rows: int, spread: float, n_sets: int, phi: float) -> dict:
    """Share of data sets whose interval holds the truth, and how wide intervals are."""
    random = np.random.default_rng([n_stories, n_rows, round(100 * spread), round(10 * phi)])

    def of_stories(n: int, long: int, qualities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [simulated(random, qualities[:, story], long, phi) for story in range(n)]
        return np.concatenate([t for t, _ in parts]), np.concatenate([p for _, p in parts], axis=1)

    def drawn(n: int) -> np.ndarray:
        return QUALITIES[:, None] + spread * random.standard_normal((2, n))

    def difference(true: np.ndarray, predicted: np.ndarray) -> float:
        first, second = (correlation(true, p).mean() for p in predicted)
        return float(second - first)

    everything = difference(*of_stories(4000, n_rows, drawn(4000)))
    held, widths = 0, []
    story = np.repeat(np.arange(n_stories), n_rows)
    targets = {"all": np.ones(N_VOXELS, dtype=bool)}
    for _ in range(n_sets):
        qualities = drawn(n_stories)
        truth = everything
        if n_stories < FEWEST_STORIES and spread:  # of these stories, heard for ever
            truth = difference(*of_stories(n_stories, 100_000, qualities))
        true, predicted = of_stories(n_stories, n_rows, qualities)
        models = {"frozen": predicted[0], "tuned": predicted[1]}
        row = contrast(jackknife_of_means(true, models, story, targets), "all")
        held += row["low"] <= truth <= row["high"]
        widths.append(row["high"] - row["low"])
    return {
        "stories": n_stories,
        "rows": n_rows,
        "spread": spread,
        "ar1": phi,
        "data_sets": n_sets,
        "coverage": round(held / n_sets, 3),
        "median_width": round(float(np.median(widths)), 4),
        "true_difference": round(everything, 4),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--ar1", type=float, nargs="+", default=[0.4, 0.8])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rows = [coverage(*geometry, arguments.sets, phi) for phi in arguments.ar1 for geometry in GEOMETRIES]
    text = json.dumps(rows, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")
