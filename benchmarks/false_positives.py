"""Share of p <= .05 (and .01, .001) where there is nothing to find: .05 is right.

    python benchmarks/false_positives.py held-out        # shifts, blocks and paired blocks, 1 to 4 stories
    python benchmarks/false_positives.py leave-one-out   # ridge with leave-one-out: refitted, and as it was before

Noise is AR(1), in four strengths, and 1/f. Prints JSON; `--output` writes it to a file as well.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from brainwavlm.config import EvaluationConfig, RidgeConfig
from brainwavlm.encoding.gram_ridge import GramRidge
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.evaluation.leave_one_out import turned
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.statistics.block_permutation import paired_block_p
from brainwavlm.evaluation.statistics.permutation_test import Null, circular_shift_p, stories_of
from brainwavlm.evaluation.statistics.tests import correlation_test, measured_block_rows

NOISES = ("0", "0.4", "0.8", "0.95", "1/f")
LEVELS = (0.05, 0.01, 0.001)


def noise(random: np.random.Generator, kind: str, n_rows: int, n_columns: int) -> np.ndarray:
    """Noise of one story, (n_rows, n_columns)."""
    white = random.standard_normal((n_rows + 200, n_columns))
    if kind != "1/f":
        return lfilter([1], [1, -float(kind)], white, axis=0)[200:]
    frequencies = np.maximum(np.arange(len(white) // 2 + 1), 1)[:, None]
    return np.fft.irfft(np.fft.rfft(white, axis=0) / np.sqrt(frequencies), n=len(white), axis=0)[:n_rows]


def shares(p: np.ndarray) -> dict[str, float]:
    """Share of p at or below each level."""
    return {f"{level:g}": round(float((p <= level).mean()), 4) for level in LEVELS}


def held_out(n_voxels: int) -> list[dict]:
    """Tests of finished predictions, by noise and by number of stories."""
    rows = []
    for kind in NOISES:
        for n_stories, n_rows in ((1, 291), (3, 48), (4, 200)):
            random = np.random.default_rng([NOISES.index(kind), n_stories])
            story = np.repeat(np.arange(n_stories), n_rows)

            def series() -> np.ndarray:
                parts = [noise(random, kind, n_rows, n_voxels) for _ in range(n_stories)]  # noqa: B023
                return np.concatenate(parts)

            true, first, second, common = (series() for _ in range(4))
            # Two models that know equally much, each with errors of its own.
            response = common + true
            pair = (common + first, common + second)
            blocks = measured_block_rows(response, pair[0], story)
            config = EvaluationConfig(null="blocks")
            rows.append(
                {
                    "noise": kind,
                    "stories": n_stories,
                    "rows": n_rows,
                    "voxels": n_voxels,
                    "shifts": shares(circular_shift_p(true, first, story, 1000, 0).p),
                    # Noise that remembers half a story leaves no two blocks to exchange: that is refused.
                    "blocks": shares(correlation_test(true, first, story, config, 0).p)
                    if 2 * blocks <= n_rows
                    else None,
                    "block_rows": blocks,
                    "paired blocks": shares(paired_block_p(response, *pair, story, 1000, 0, blocks).p),
                }
            )
    return rows


def leave_one_out(n_sets: int) -> list[dict]:
    """Leave-one-out over 12 stories of 25 rows (alice2016's geometry), 24 dimensions, 10 voxels a data set."""
    rows = []
    for kind in NOISES:
        random = np.random.default_rng(NOISES.index(kind))
        refitted, finished = [], []
        for _ in range(n_sets):
            one, other = _leave_one_out_p(random, kind)
            refitted.append(one)
            finished.append(other)
        rows.append(
            {
                "noise": kind,
                "data_sets": n_sets,
                "refitted": shares(np.concatenate(refitted)),
                "finished predictions turned": shares(np.concatenate(finished)),
            }
        )
    return rows


def _leave_one_out_p(random: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray]:
    n_stories, n_rows, n_dims, n_voxels, n_draws = 12, 25, 24, 10, 200
    story = np.repeat(np.arange(n_stories), n_rows)
    slices = [rows for _, rows in stories_of(story)]

    def series(n_columns: int) -> np.ndarray:
        parts = [noise(random, kind, n_rows, n_columns) for _ in range(n_stories)]
        return np.concatenate([(part - part.mean(0)) / part.std(0) for part in parts]).astype(np.float32)

    design, true = series(n_dims), series(n_voxels)
    ridge, solvers = RidgeConfig(), []
    for rows in slices:
        fitted = np.setdiff1d(np.arange(len(story)), np.arange(len(story))[rows])
        folds = story_folds(story[fitted], ridge.folds)[0]
        solvers.append((rows, fitted, GramRidge(design[fitted], folds, np.array(ridge.alphas))))

    def predicted(responses: np.ndarray) -> np.ndarray:
        values = np.empty_like(responses)
        for rows, fitted, solver in solvers:
            values[rows] = design[rows] @ solver.solve(responses[fitted])[1]
            values[rows] -= values[rows].mean(0)
            values[rows] /= np.maximum(values[rows].std(0), 1e-12)
        return values

    offsets = random.integers(0, n_rows, size=(n_stories, n_draws))
    drawn = np.concatenate([turned(true[rows], some) for rows, some in zip(slices, offsets, strict=True)])
    null = Null(n_draws, n_voxels, "greater", unchanged=~offsets.any(0))
    found = predicted(true)
    null.add(
        slice(0, n_voxels),
        correlation(true, found),
        correlation(drawn, predicted(drawn)).reshape(n_draws, n_voxels),
    )
    return null.test().p, circular_shift_p(true, found, story, n_draws, 0).p


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["held-out", "leave-one-out"])
    parser.add_argument("--size", type=int, help="voxels, or data sets of 10 voxels")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    table = (
        held_out(arguments.size or 4000)
        if arguments.what == "held-out"
        else leave_one_out(arguments.size or 150)
    )
    text = json.dumps(table, indent=2)
    print(text)
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(text + "\n", encoding="utf-8")
