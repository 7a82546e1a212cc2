"""A step of the demo under settings of the process, which have to be there before it begins: pages and waiting.

    python benchmarks/environment.py --processor "EPYC, AVX2" --output benchmarks/results/environment.json

Runs of one epoch of `brainwavlm tune --preset demo` take turns, with `--busy` also beside two processes that compute.
Medians over runs: seconds a step; processor time and page faults of the whole run, by step.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

SETTINGS = {
    "small pages": {"THP_MEM_ALLOC_ENABLE": "0", "GOMP_SPINCOUNT": "300000"},
    "large pages": {"GOMP_SPINCOUNT": "300000"},
    "large pages, threads spin shortly": {"GOMP_SPINCOUNT": "1000"},
    "large pages, threads wait passively": {"OMP_WAIT_POLICY": "passive"},
}
BUSY = "import numpy as np\na = np.random.rand(700, 700)\nwhile True: a @ a"
COMMAND = [sys.executable, "-m", "brainwavlm", "tune", "--preset", "demo", "--set", "training.epochs=1"]


def one_run(settings: dict[str, str], folder: Path) -> dict[str, float]:
    """Seconds a step, and processor time a step of the whole run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [*COMMAND, "--output", str(folder)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **settings})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    log = (json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines())
    times = [event["time"] for event in log if event["event"] == "step"]
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "step": (times[-1] - times[0]) / (len(times) - 1),
        "cpu": spent / len(times),
        "faults": (after.ru_minflt - before.ru_minflt) / len(times),
    }


def main() -> None:
    """Take turns; print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", action="store_true", help="also beside two processes that compute")
    parser.add_argument("--processor", default=platform.machine(), help="its name, for the table")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in SETTINGS}
    with tempfile.TemporaryDirectory() as folder:
        for state, n_busy in (("idle", 0), ("busy", 2))[: 1 + arguments.busy]:
            neighbours = [
                subprocess.Popen([sys.executable, "-c", BUSY], env={**os.environ, "OMP_NUM_THREADS": "1"})
                for _ in range(n_busy)
            ]
            try:
                time.sleep(n_busy)
                runs: dict[str, list[dict[str, float]]] = {name: [] for name in SETTINGS}
                for turn in range(arguments.rounds):
                    for name, settings in SETTINGS.items():
                        runs[name].append(
                            one_run(settings, Path(folder, f"{state}-{turn}-{len(runs[name])}-{name}"))
                        )
                        print(state, name, {key: round(value, 2) for key, value in runs[name][-1].items()})
            finally:
                for neighbour in neighbours:
                    neighbour.kill()
                    neighbour.wait()
            for name, some in runs.items():
                found[name][state] = {
                    key: round(statistics.median(one[key] for one in some), 2) for key in some[0]
                }
    result = {
        "settings": found,
        "rounds": arguments.rounds,
        "threads": torch.get_num_threads(),
        "processor": arguments.processor,
    }
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
