"""What the waiting of threads costs: a tuning step when they spin and when they sleep, with and without neighbours.

    python benchmarks/waiting.py --output benchmarks/results/waiting.json

OpenMP's threads spin for a while after each parallel loop, in the hope of the next one (OMP_WAIT_POLICY active, the
default of libgomp); with PASSIVE, which `brainwavlm` sets, they sleep at once. Steps of the preset demo, whose small
products are the worst case for sleeping. The policies take turns, each in a process of its own; medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

STEPS = """
import json, statistics, time
from pathlib import Path
from brainwavlm.config import load_config
from brainwavlm.encoding.blocks import epoch_steps
from brainwavlm.encoding.tuning import TuningLoop
from brainwavlm.progress import Progress
loop = TuningLoop(load_config(preset="demo", overrides={"train_minutes": 2}), Path(), Progress())
loop.log = lambda *_, **__: None
loop.begin()
loop.state.step = 1
steps = [step for _, some in epoch_steps(loop.lengths, loop.config, 0) for step in some]
wall, processor = [], []
for number in range(9):
    began, spent = time.perf_counter(), time.process_time()
    loop.train_step(steps[number % len(steps)])
    wall.append(time.perf_counter() - began)
    processor.append(time.process_time() - spent)
print(json.dumps([statistics.median(wall[1:]), statistics.median(processor[1:])]))
"""


def step(policy: str) -> list[float]:
    """Wall and processor seconds of a step."""
    environment = {**os.environ, "OMP_WAIT_POLICY": policy}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STEPS],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print JSON; `--output` writes it to a file as well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    result = {}
    for n_neighbours in (0, 2):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n_neighbours)]
        time.sleep(1)
        try:
            spent = {policy: [] for policy in ("ACTIVE", "PASSIVE")}
            for _ in range(arguments.rounds):
                for policy, rounds in spent.items():
                    rounds.append(step(policy))
        finally:
            for process in busy:
                process.kill()
        result[f"{n_neighbours} neighbours"] = {
            policy: dict(
                zip(
                    ("wall, s", "processor, s"),
                    map(statistics.median, zip(*rounds, strict=True)),
                    strict=True,
                )
            )
            for policy, rounds in spent.items()
        }
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
