"""Processor time until the program has said its help or planned a study, against importing what it is made of.

python benchmarks/startup.py --output benchmarks/results/startup.json
python benchmarks/startup.py --cells 1000 --rounds 1
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

COMMANDS = {
    "brainwavlm --help": ["-m", "brainwavlm", "--help"],
    "brainwavlm runs": ["-m", "brainwavlm", "runs", "."],
    "import torch, transformers": ["-c", "import torch, transformers"],
    "python": ["-c", ""],
}


def dry_run(n_cells: int, folder: Path) -> list[str]:
    """The dry run of a study of about so many cells of two kinds on the embedded data set."""
    grid = {"subject": ["sim01", "sim02"], "target": ["cortex", "AC"], "adapter.method": ["lora", "full"]}
    study = {"format": 1, "name": "planned", "preset": "demo"}
    study["experiments"] = {"grid": {"grid": {**grid, "seed": list(range(max(n_cells // 8, 1)))}}}
    file = folder / "study.yaml"
    file.write_text(json.dumps(study))  # JSON is YAML
    return ["-m", "brainwavlm", "study", "run", str(file), "--output", str(folder / "out"), "--dry-run"]


def processor_time() -> float:
    """Seconds of all children that have ended, and of theirs."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def main() -> None:
    """Take turns; print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cells", type=int, default=0, help="also a dry run of so many cells")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder  # where timings are kept
        commands, first = dict(COMMANDS), f"dry run of {arguments.cells} cells"
        if arguments.cells:
            command = dry_run(arguments.cells, Path(folder))
            commands |= {first: command, f"{first} again, kinds timed before": command}
        spent: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.rounds + 1):
            for name, command in commands.items():
                if name == first:
                    shutil.rmtree(Path(folder) / ".cache" / "brainwavlm" / "timings", ignore_errors=True)
                before = processor_time()
                subprocess.run([sys.executable, *command], check=True, capture_output=True)
                spent[name].append(processor_time() - before)
    result = {name: round(statistics.median(values[1:]), 2) for name, values in spent.items()}
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
