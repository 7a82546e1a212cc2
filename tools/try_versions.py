"""Whether tests pass with other versions of Python and of the packages that the project is built on.

    pip install uv
    python tools/try_versions.py --pythons 3.11 3.12 3.13                       # all fast tests: an hour or more
    python tools/try_versions.py --pythons 3.11 3.12 3.13 -- tests/speech       # some

Each Python gets the versions of constraints.txt and the newest ones that pyproject.toml allows, the first Python also
the oldest; each combination an environment of its own in --folder. Writes docs/reference/versions.md after each.
"""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/versions.md"
RESOLUTIONS = {
    "pinned": ["--constraint", str(ROOT / "constraints.txt")],
    "newest": [],
    "oldest": ["--resolution", "lowest-direct"],
}
SHOWN = ("torch", "transformers", "peft", "accelerate", "numpy", "pandas")
CHOICE = "not slow and not browser"
PAGE_TEXT = """# Versions

Tests with other versions of Python and of packages than those in which the project is developed, by
`python tools/try_versions.py` on {system}, {gpu}, {date}. *Pinned*: `constraints.txt`, and beside it what was newest.
*Oldest*: each dependency at the lowest version that `pyproject.toml` allows. *Newest*: what the package index had.

{table}

Each row ran `pytest -m "{choice}" {tests}`.

**Not run** in these environments: {rest}other systems than {system}{no_gpu}. macOS has a job in
`.github/workflows/ci.yml`; Windows has none, as locks of runs need `fcntl`. The numbers of a run may differ in their
last digits between versions; that a killed run ends bit-identical holds within one environment.
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
    how = [
        "-m",
        "pytest",
        "-q",
        "-n",
        os.environ.get("WORKERS", "2"),
        "--dist",
        "loadfile",
        "-o",
        "filterwarnings=default",
    ]
    how += ["-m", CHOICE, *tests]
    with (place / "tests.log").open("w") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([binary, *how], cwd=ROOT, stdout=log, stderr=log, env=environment)
    lines = (place / "tests.log").read_text().strip().splitlines()
    last = next((line for line in reversed(lines) if re.search(r"\d (passed|failed|error)", line)), lines[-1])
    result = re.sub(r", \d+ warnings?| in [\d.]+s.*$", "", last.strip("= "))
    return {"versions": which, "Python": python, **{name: versions[name] for name in SHOWN}, "tests": result}


def page(rows: Sequence[dict[str, str]], tests: Sequence[str]) -> str:
    """What was run, where, and how it ended."""
    lines = [
        f"| {' | '.join(row)} |" for row in (rows[0], ["---"] * len(rows[0]), *(r.values() for r in rows))
    ]
    gpu = shutil.which("nvidia-smi")
    return PAGE_TEXT.format(
        system=f"{platform.system()} {platform.machine()}",
        gpu="with a GPU" if gpu else "on a CPU",
        date=datetime.date.today(),
        table="\n".join(lines),
        choice=CHOICE,
        tests=" ".join(tests or ["tests"]),
        rest="the other tests, " if tests else "",
        no_gpu="" if gpu else ", a GPU",
    )


def main() -> None:
    """Try all combinations; exit code 1 where tests failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pythons", nargs="+", default=["3.11"])
    parser.add_argument("--which", nargs="+", default=list(RESOLUTIONS), choices=list(RESOLUTIONS))
    parser.add_argument("--folder", type=Path, default=ROOT / "build/versions")
    parser.add_argument("tests", nargs="*", help="files or folders of tests, after --; none: all")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    for number, python in enumerate(arguments.pythons):
        for which in arguments.which:
            if which != "oldest" or number == 0:
                rows.append(tried(python, which, arguments.folder.resolve(), arguments.tests))
                print(rows[-1], flush=True)
                PAGE.write_text(page(rows, arguments.tests), encoding="utf-8")
    sys.exit(any("failed" in row["tests"] or "passed" not in row["tests"] for row in rows))


if __name__ == "__main__":
    main()
