"""How long the program takes to say its help, against importing what it is made of.

python benchmarks/startup.py --output benchmarks/results/startup.json
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "brainwavlm --help": ["-m", "brainwavlm", "--help"],
    "brainwavlm runs": ["-m", "brainwavlm", "runs", "."],
    "import torch, transformers": ["-c", "import torch, transformers"],
    "python": ["-c", ""],
}


def main() -> None:
    """Take turns; print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    spent: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(arguments.rounds + 1):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            spent[name].append(time.perf_counter() - began)
    result = {name: round(statistics.median(values[1:]), 2) for name, values in spent.items()}
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
