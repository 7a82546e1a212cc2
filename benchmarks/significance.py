"""Time and memory of the permutation tests at the size of ds003020's UTS03, and their false positives on AR(1) noise.

    python benchmarks/significance.py time       # 95,556 voxels, 291 TRs, 1,000 permutations
    python benchmarks/significance.py noise      # 4,000 voxels without signal, several autocorrelations and blocks

Not named after its subject: `statistics` is a module of Python, which scripts beside it would then import from here.
Prints JSON; `--output` writes it to a file as well.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.signal import lfilter

from brainwavlm.evaluation.statistics.block_permutation import block_permutation_p, paired_block_p
from brainwavlm.evaluation.statistics.permutation_test import circular_shift_p

N_VOXELS, N_TRS, N_PERMUTATIONS = 95_556, 291, 1000


def measure_time(n_voxels: int) -> dict:
    """Seconds of each test, and the peak memory of all of them in one process, of which the data are a part."""
    random = np.random.default_rng(0)
    true, first, second = (random.standard_normal((N_TRS, n_voxels), dtype=np.float32) for _ in range(3))
    story = np.repeat("wheretheressmoke", N_TRS)
    seconds = {}
    for name, run in {
        "circular shifts": lambda: circular_shift_p(true, first, story, N_PERMUTATIONS, 0),
        "blocks": lambda: block_permutation_p(true, first, story, N_PERMUTATIONS, 0, 30),
        "paired blocks": lambda: paired_block_p(true, first, second, story, N_PERMUTATIONS, 0, 30),
    }.items():
        start = time.perf_counter()
        run()
        seconds[name] = round(time.perf_counter() - start, 1)
    return {
        "voxels": n_voxels,
        "rows": N_TRS,
        "permutations": N_PERMUTATIONS,
        "seconds": seconds,
        "data_gb": round(3 * true.nbytes / 1e9, 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }


def measure_noise(n_voxels: int) -> list[dict]:
    """Share of p <= .05 where there is nothing to find: .05 is right, its standard error is in the row."""
    rows = []
    for phi in (0.0, 0.4, 0.6, 0.8):
        random = np.random.default_rng(round(10 * phi))
        true, first, second = (
            lfilter([1], [1, -phi], random.standard_normal((N_TRS + 100, n_voxels)), axis=0)[100:]
            for _ in range(3)
        )
        story = np.repeat("wheretheressmoke", N_TRS)
        row = {"ar1": phi, "voxels": n_voxels, "standard_error": round((0.05 * 0.95 / n_voxels) ** 0.5, 4)}
        pearson = stats.pearsonr(true, first, axis=0, alternative="greater").pvalue
        row["iid pearson"] = _share(pearson)
        row["circular shifts"] = _share(circular_shift_p(true, first, story, 400, 0).p)
        for block_rows in (1, 10, 20, 30):
            test = block_permutation_p(true, first, story, 400, 0, block_rows)
            row[f"blocks of {block_rows}"] = _share(test.p)
        # Two models that know equally much of the signal, each with noise of its own.
        signal = 0.5 * true
        for block_rows in (1, 10, 20, 30):
            test = paired_block_p(true, signal + first, signal + second, story, 400, 0, block_rows)
            row[f"paired blocks of {block_rows}"] = _share(test.p)
        rows.append(row)
    return rows


def _share(p: np.ndarray) -> float:
    return round(float((p <= 0.05).mean()), 4)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["time", "noise"])
    parser.add_argument("--voxels", type=int)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    found: dict | list[dict]
    if arguments.what == "time":
        found = measure_time(arguments.voxels or N_VOXELS)
    else:
        found = measure_noise(arguments.voxels or 4000)
    text = json.dumps(found, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")
