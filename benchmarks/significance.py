"""Time and memory of the permutation tests at the size of ds003020's UTS03.

    python benchmarks/significance.py       # 95,556 voxels, 291 TRs, 1,000 permutations; false_positives.py has their p

Not named after its subject: `statistics` is a module of Python, which scripts beside it would then import from here.
Prints JSON; `--output` writes it to a file as well.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np

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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--voxels", type=int, default=N_VOXELS)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    text = json.dumps(measure_time(arguments.voxels), indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")
