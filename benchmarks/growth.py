"""How time and memory grow with hours of sound: three sizes, each in its own process, and a line through them.

    python benchmarks/growth.py --output benchmarks/results/growth.json

One epoch of tuning of the embedded speech model (windows of 2 s every second) on a fake subject of 2,000 voxels, with
four stories held at once and nothing kept of the frontend. The moments before the epoch are counted with it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import TR, fake_subject

N_TRS, N_VOXELS = 100, 2_000
SIZES = (4, 8, 16)


def epoch(folder: Path, n_stories: int) -> dict[str, float]:
    """Hours of training sound, seconds of one epoch, peak memory of this process in GB."""
    from brainwavlm.config import load_config
    from brainwavlm.encoding.tuning import tune

    data = fake_subject(folder / "data", n_stories + 2, N_VOXELS, N_TRS)
    overrides = {
        "dataset": str(data),
        "subject": "uts",
        "training.epochs": 1,
        "training.frontend_cache_gb": 0.0,
        "training.stories_in_memory": 4,
    }
    config = load_config(preset="demo", overrides=overrides)
    began = time.perf_counter()
    tune(config, folder / "run")
    return {
        "stories": n_stories,
        "hours": n_stories * N_TRS * TR / 3600,
        "seconds": round(time.perf_counter() - began, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 3),
    }


def fitted(rows: list[dict[str, float]]) -> dict[str, float]:
    """Lines through seconds and peak memory against hours, and how much of the seconds' variance the line explains."""
    hours, seconds, peak = (np.array([row[key] for row in rows]) for key in ("hours", "seconds", "peak_gb"))
    slope, offset = np.polyfit(hours, seconds, 1)
    left = seconds - slope * hours - offset
    return {
        "seconds_per_hour": round(float(slope), 1),
        "seconds_before": round(float(offset), 1),
        "explained": round(1 - float(left.var() / seconds.var()), 4),
        "mb_per_hour": round(1000 * float(np.polyfit(hours, peak, 1)[0]), 1),
    }


def main() -> None:
    """Print JSON; `--output` writes it to a file as well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stories", type=int, help="one size, in this process")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.stories:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(epoch(Path(folder), arguments.stories)))
        return
    rows = []
    for size in SIZES:
        command = [sys.executable, __file__, "--stories", str(size)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        rows.append(json.loads(said.splitlines()[-1]))
        print(json.dumps(rows[-1]), flush=True)
    result = {"sizes": rows, "fit": fitted(rows)}
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
