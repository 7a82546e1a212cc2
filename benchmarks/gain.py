"""What tuning gains on the embedded data set, over seeds and subjects. SIMULATED responses: a test of the method.

    python benchmarks/gain.py --output benchmarks/results/gain.json

For each subject and seed, with the preset `demo`:
- tuned on cortex and tuned on AC, each against the frozen model, on the test stories;
- the same on scrambled data: a copy in which every story's responses are rolled by more than 60 s (`scrambled`);
- tuned on controls (docs/how-to/controls.md), scored on the true test responses (`control ...`).
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from brainwavlm import evaluate, load_config, load_dataset, tune

SIGNAL = "cortex-silent"
TARGETS = (SIGNAL, "AC", "language", "mixed", "silent")


def scrambled_copy(folder: Path, seconds: float = 60.0) -> Path:
    """The embedded data set with every story's responses, and repeats, rolled by one offset a story and subject."""
    source = load_dataset("demo")
    shutil.copytree(source.path, folder, ignore=shutil.ignore_patterns("model", "planted", "texts"))
    random = np.random.default_rng(0)
    for name in source.subject_names:
        for story, recording in source.subject(name).recordings.items():
            n_trs = recording.shape[0]
            least = int(seconds / source.tr) + 1
            offset = int(random.integers(least, max(n_trs - least, least) + 1))
            with h5py.File(folder / "responses" / name / f"{story}.h5", "r+") as file:
                file["data"][...] = np.roll(file["data"][...], offset, axis=0)
                if "individual_repeats" in file:
                    file["individual_repeats"][...] = np.roll(file["individual_repeats"][...], offset, axis=1)
    return folder


def gains(folder: Path, subject: str, seeds: list[int], overrides: dict, arms: dict[str, dict]) -> list[dict]:
    """One row a seed, arm and target: r frozen, r tuned, difference with interval, relative gain."""
    rows = []
    for seed in seeds:
        runs, seconds = {}, {}
        for arm, more in arms.items():
            config = load_config(
                preset="demo",
                overrides={
                    "subject": subject,
                    "seed": seed,
                    "evaluation.targets": TARGETS,
                    **overrides,
                    **more,
                },
            )
            began = time.perf_counter()
            runs[arm] = tune(config, folder / f"{subject}-{seed}-{arm.replace(' ', '-')}")
            seconds[arm] = round(time.perf_counter() - began, 1)
        table = evaluate(list(runs.values()), cache=folder / "features").table
        for arm, run in runs.items():
            part = table[table["run"] == run.path.name]
            for _, row in part[part["target"].isin(TARGETS)].iterrows():
                kept = (
                    "subject",
                    "seed",
                    "target",
                    "n_voxels",
                    "r_frozen",
                    "r_tuned",
                    "difference",
                    "low",
                    "high",
                )
                values = {key: row[key].item() if hasattr(row[key], "item") else row[key] for key in kept}
                gain = float(row["difference"] / row["r_frozen"])
                best = run.result["best"]["epoch"]
                rows.append(
                    {"arm": arm, **values, "relative": gain, "best_epoch": best, "seconds": seconds[arm]}
                )
            print(json.dumps(rows[-len(part) :][:2]), flush=True)
    return rows


def main() -> None:
    """Run all arms and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--subjects", nargs="+", default=["sim01", "sim02"])
    parser.add_argument("--controls", nargs="+", default=["shifted"], help="kinds of control.kind")
    parser.add_argument("--skip-controls", action="store_true")
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", help="key=value over the preset"
    )
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    from brainwavlm.config import parse_overrides

    overrides = parse_overrides(arguments.settings)
    arms: dict[str, dict] = {"cortex": {}, "AC": {"target": "AC"}}
    if not arguments.skip_controls:
        arms |= {f"control {kind}": {"control.kind": kind} for kind in arguments.controls}
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for subject in arguments.subjects:
            rows += gains(folder / "true", subject, arguments.seeds, overrides, arms)
        if not arguments.skip_controls:
            copy = {"dataset": str(scrambled_copy(folder / "data"))}
            for subject in arguments.subjects:
                rows += gains(
                    folder / "scrambled", subject, arguments.seeds, {**overrides, **copy}, {"scrambled": {}}
                )
    for row in rows:
        print(
            f"{row['arm']:24} {row['subject']} seed {row['seed']} {row['target']:14} "
            f"{row['r_frozen']:.3f} -> {row['r_tuned']:.3f}  {100 * row['relative']:+6.1f} %  "
            f"[{row['low']:+.4f}, {row['high']:+.4f}]  epoch {row['best_epoch']}, {row['seconds']:.0f} s"
        )
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
