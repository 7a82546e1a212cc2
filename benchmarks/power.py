"""How many voxels are found in maps of prediction and of change, with false discovery rate below .05.

    python benchmarks/power.py        # one test story of 291 TRs, 4,000 voxels, shares of them with signal

Prints JSON; `--output` writes it to a file as well.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from brainwavlm.evaluation.statistics.block_permutation import paired_block_p
from brainwavlm.evaluation.statistics.permutation_test import PermutationTest, circular_shift_p
from brainwavlm.evaluation.statistics.tests import measured_block_rows

N_ROWS = 291


def power(share: float, size: float, phi: float, n_voxels: int) -> dict:
    """Share of true voxels that are found, and share of false ones among those found.

    `size` is what r of the tuned model exceeds that of the frozen one by in true voxels, and what r of a prediction is.
    """
    random = np.random.default_rng([round(1000 * share), round(100 * size), round(100 * phi)])

    def series() -> np.ndarray:
        white = random.standard_normal((N_ROWS + 50, n_voxels))
        return lfilter([np.sqrt(1 - phi**2)], [1, -phi], white, axis=0)[50:]

    true_voxel = np.arange(n_voxels) < share * n_voxels
    response, errors = series(), [series(), series()]
    story = np.repeat("story", N_ROWS)

    def prediction(r: np.ndarray, error: np.ndarray) -> np.ndarray:
        return r * response + np.sqrt(1 - r**2) * error

    first = prediction(np.full(n_voxels, 0.2), errors[0])
    second = prediction(np.where(true_voxel, 0.2 + size, 0.2), errors[1])
    blocks = measured_block_rows(response, first, story)
    change = paired_block_p(response, first, second, story, 1000, 0, blocks)
    alone = circular_shift_p(response, prediction(true_voxel * size, errors[1]), story, 1000, 0)
    return {
        "share": share,
        "size": size,
        "ar1": phi,
        "block_rows": blocks,
        "change": _found(change, true_voxel),
        "prediction": _found(alone, true_voxel),
    }


def _found(test: PermutationTest, true_voxel: np.ndarray) -> dict[str, float]:
    called = test.q < 0.05
    return {
        "found": round(float(called[true_voxel].mean()), 3),
        "false": round(float((called & ~true_voxel).sum() / max(called.sum(), 1)), 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--voxels", type=int, default=4000)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rows = [
        power(share, size, phi, arguments.voxels)
        for phi in (0.0, 0.4, 0.8)
        for share in (0.01, 0.02, 0.05, 0.15)
        for size in (0.15, 0.3)
    ]
    text = json.dumps(rows, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")
