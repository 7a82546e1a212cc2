"""Whether the fast tests pass with other versions of Python and of the packages that the project is built on.

    pip install uv
    python tools/try_versions.py --pythons 3.11 3.12 3.13

Each Python gets the versions of constraints.txt and the newest ones that pyproject.toml allows, the first Python also
the oldest; each combination an environment of its own in --folder. Writes docs/reference/versions.md.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/versions.md"
RESOLUTIONS = {
    "pinned": ["--constraint", str(ROOT / "constraints.txt")],
    "newest": [],
    "oldest": ["--resolution", "lowest-direct"],
}
SHOWN = ("torch", "transformers", "peft", "accelerate", "numpy", "pandas")
HEAD = """# Versions

The tests of `make test` with other versions than the pinned ones, on Linux, by `python tools/try_versions.py`. Oldest:
each dependency at the lowest version that `pyproject.toml` allows.

"""


def tried(python: str, which: str, folder: Path, tests: list[str]) -> dict[str, str]:
    """Versions of one combination, and how its tests ended."""
    place = folder / f"{python}-{which}"
    binary = str(place / "bin/python")
    if not (place / "installed").exists():
        subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", python, str(place)], check=True)
        install = ["uv", "pip", "install", "--quiet", "--python", binary]
        subprocess.run([*install, *RESOLUTIONS[which], str(ROOT)], check=True)
        # What tests need besides may be new: nobody uses its oldest versions.
        before = subprocess.run(
            ["uv", "pip", "freeze", "--python", binary], check=True, capture_output=True, text=True
        )
        kept = [line for line in before.stdout.splitlines() if "==" in line]
        (place / "kept.txt").write_text("\n".join(kept))
        subprocess.run(
            [*install, "--constraint", str(place / "kept.txt"), "--editable", f"{ROOT}[dev]"], check=True
        )
        (place / "installed").touch()
    listing = subprocess.run(
        ["uv", "pip", "list", "--format=json", "--python", binary], check=True, capture_output=True
    )
    versions = {one["name"]: one["version"] for one in json.loads(listing.stdout)}
    # Warnings of packages of other times are no faults of ours.
    how = ["-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-o", "filterwarnings=default"]
    how += ["-m", "not slow and not browser", *tests]
    with (place / "tests.log").open("w") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([binary, *how], cwd=ROOT, stdout=log, stderr=log, env=environment)
    lines = (place / "tests.log").read_text().strip().splitlines()
    last = next((line for line in reversed(lines) if re.search(r"\d (passed|failed|error)", line)), lines[-1])
    result = re.sub(r", \d+ warnings?| in [\d.]+s.*$", "", last.strip("= "))
    return {"versions": which, "Python": python, **{name: versions[name] for name in SHOWN}, "tests": result}


def main() -> None:
    """Try all combinations; exit code 1 where tests failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pythons", nargs="+", default=["3.11"])
    parser.add_argument("--which", nargs="+", default=list(RESOLUTIONS), choices=list(RESOLUTIONS))
    parser.add_argument("--folder", type=Path, default=ROOT / "build/versions")
    parser.add_argument("tests", nargs="*", help="files of tests; none: all, and the page is written")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rows = [
        tried(python, which, arguments.folder.resolve(), arguments.tests)
        for number, python in enumerate(arguments.pythons)
        for which in arguments.which
        if which != "oldest" or number == 0
    ]
    columns = list(rows[0])
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    lines += [f"| {' | '.join(row.values())} |" for row in rows]
    print("\n".join(lines))
    if not arguments.tests:
        PAGE.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(any("failed" in row["tests"] or "passed" not in row["tests"] for row in rows))


if __name__ == "__main__":
    main()
