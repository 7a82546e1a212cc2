"""How long `check` takes on a data set of many stories, cold and with what it keeps of sounds, beside another version.

python benchmarks/check.py --against ../earlier/src
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from memory import N_TRS, N_VOXELS, fake_subject


def seconds(folder: Path, source: Path, home: Path) -> dict[str, float]:
    """Time and processor time of one check in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(source), "HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "brainwavlm", "check", str(folder)]
    before = os.times()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    spent = [now - then for now, then in zip(os.times(), before, strict=True)]
    return {"s": spent[4], "processor, s": spent[2] + spent[3]}


def main() -> None:
    """Take turns; print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stories", type=int, default=84)
    parser.add_argument("--rows", type=int, default=N_TRS)
    parser.add_argument("--voxels", type=int, default=N_VOXELS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="folder `src` of another version")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    ours = Path(__file__).parents[1] / "src"
    spent: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = fake_subject(
            Path(place) / "fake", arguments.stories, arguments.voxels, arguments.rows, own_sounds=True
        )
        for number in range(arguments.rounds):
            home = Path(place) / f"home{number}"
            rows = [("other", arguments.against)] if arguments.against else []
            for name, source in [*rows, ("cold", ours), ("warm", ours)]:
                at = home / "other" if name == "other" else home
                spent.setdefault(name, []).append(seconds(folder, source, at))
    result = {
        name: {what: round(statistics.median(one[what] for one in some), 2) for what in some[0]}
        for name, some in spent.items()
    }
    print(json.dumps(result | {"each": spent}, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
