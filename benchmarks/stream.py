"""Windows against the stream on the embedded data set: frozen and tuned test r. SIMULATED responses.

    python benchmarks/stream.py --output benchmarks/results/stream.json

For each subject and seed, with the preset `demo` (2 s of context, a reading each second, mean over frames), the same
run in both modes; both are scored alike, on the test stories. Prints a line for each run, then the table of
docs/results/settings.md. `--table FILE` prints that table from an earlier output.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from brainwavlm import evaluate, load_config, tune
from brainwavlm.config import parse_overrides

MODES = ("windows", "stream")
TARGETS = ("cortex", "AC", "language", "cortex-silent")


def scores(folder: Path, subject: str, seed: int, settings: dict) -> list[dict]:
    """One row a mode and target: r frozen, r tuned, difference with its interval, seconds of tuning."""
    rows = []
    for mode in MODES:
        facts = {"subject": subject, "seed": seed, "windows.mode": mode, "evaluation.targets": TARGETS}
        config = load_config(preset="demo", overrides={**settings, **facts})
        began = time.perf_counter()
        run = tune(config, folder / f"{subject}-{seed}-{mode}")
        seconds = time.perf_counter() - began
        epochs, best = len(run.result["history"]), run.result["best"]["epoch"]
        table = evaluate([run], cache=folder / "features").table
        for _, row in table[table["target"].isin(TARGETS)].iterrows():
            numbers = {key: float(row[key]) for key in ("r_frozen", "r_tuned", "difference", "low", "high")}
            place = {"mode": mode, "subject": subject, "seed": seed, "target": row["target"]}
            rows.append(
                {**place, **numbers, "best_epoch": best, "epochs": epochs, "seconds": round(seconds, 1)}
            )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def table(rows: list[dict]) -> str:
    """Means over seeds in Markdown, with what the stream loses or gains in per cent of the windows' r."""
    heads = ["subject", "target", "seeds"]
    heads += [f"{what}: {cell}" for what in ("frozen", "tuned") for cell in (*MODES, "change")]
    heads += [f"{mode}, s" for mode in MODES]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for subject, target in dict.fromkeys((row["subject"], row["target"]) for row in rows):
        some = [row for row in rows if (row["subject"], row["target"]) == (subject, target)]
        seeds = sorted({row["seed"] for row in some})
        cells = [subject, target, ", ".join(map(str, seeds))]
        for key in ("r_frozen", "r_tuned"):
            windows, stream = (_mean(some, mode, key) for mode in MODES)
            cells += [f"{windows:.4f}", f"{stream:.4f}", f"{100 * (stream / windows - 1):+.1f} %"]
        cells += [f"{_mean(some, mode, 'seconds'):.0f}" for mode in MODES]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(rows: list[dict], mode: str, key: str) -> float:
    return float(np.mean([row[key] for row in rows if row["mode"] == mode]))


def main() -> None:
    """Run both modes, or print the table of an earlier output."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--subjects", nargs="+", default=["sim01"])
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", help="key=value over the preset"
    )
    parser.add_argument("--output", type=Path)
    parser.add_argument("--table", type=Path, help="print the table of this output, and run nothing")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(json.loads(arguments.table.read_text())))
        return
    settings, rows = parse_overrides(arguments.settings), []
    with tempfile.TemporaryDirectory() as name:
        for subject in arguments.subjects:
            for seed in arguments.seeds:
                rows += scores(Path(name), subject, seed, settings)
    print(table(rows))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
