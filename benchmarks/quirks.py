"""What each habit of the authors' public script costs on the embedded data set. SIMULATED responses.

    python benchmarks/quirks.py --seeds 0 1 --output benchmarks/results/quirks.json

The preset `demo` with one switch of `authors-2026` at a time, and with all of them, each tuned and then scored alike:
ridge on the tuned features, test stories. Prints the table of docs/results/authors-script.md;
`--table FILE` prints it from an earlier output.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from brainwavlm import evaluate, load_config, tune
from brainwavlm.config import parse_overrides

TARGETS = ("cortex-silent", "AC")
SWITCHES: dict[str, dict] = {
    "clip_kernel": {"quirks.clip_kernel": True},
    "block_delays": {"quirks.block_delays": True},
    "block_zscore": {"quirks.block_zscore": True},
    "validation_rows": {"quirks.validation_rows": 10},
    "epoch_by_ridge": {"quirks.epoch_by_ridge": True},
    "std_unbiased": {"quirks.std_unbiased": True},
    "fixed_story_order": {"quirks.fixed_story_order": True},
    "short_tail": {"quirks.short_tail": True},
    "train_noise": {"backbone.train_noise": True},
    "no schedule, no clipping": {
        "training.schedule": "constant",
        "training.warmup": 0.0,
        "training.clip": None,
    },
    "frame: first": {"windows.frame": "first"},
}
EVERYTHING = {key: value for switch in SWITCHES.values() for key, value in switch.items()}
ARMS = {"none": {}, **SWITCHES, "all of these": EVERYTHING}


def scored(folder: Path, name: str, subject: str, seed: int, settings: dict) -> list[dict]:
    """Tune and score one arm: a row a target."""
    facts = {"subject": subject, "seed": seed, "evaluation.targets": TARGETS}
    run = tune(
        load_config(preset="demo", overrides={**settings, **ARMS[name], **facts}), folder / f"{name}-{seed}"
    )
    table = evaluate([run], cache=folder / "features").table
    rows = []
    for _, row in table[table["target"].isin(TARGETS)].iterrows():
        place = {"switch": name, "subject": subject, "seed": seed, "target": row["target"]}
        rows.append(place | {key: float(row[key]) for key in ("r_frozen", "r_tuned", "difference")})
    print(json.dumps(rows[0]), flush=True)
    return rows


def table(rows: list[dict]) -> str:
    """Means over seeds in Markdown; the last columns are the change of tuned r against no switch at all."""
    lines = ["| switch | " + " | ".join(f"{t}: frozen | tuned | change" for t in TARGETS) + " |"]
    lines.append("| --- |" + " --- | --- | --- |" * len(TARGETS))
    for name in dict.fromkeys(row["switch"] for row in rows):
        cells = [name]
        for target in TARGETS:
            frozen, tuned, plain = (
                np.mean([row[key] for row in rows if row["switch"] == switch and row["target"] == target])
                for switch, key in ((name, "r_frozen"), (name, "r_tuned"), ("none", "r_tuned"))
            )
            cells += [f"{frozen:.3f}", f"{tuned:.3f}", f"{tuned - plain:+.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the arms and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--subject", default="sim01")
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", help="key=value over the preset"
    )
    parser.add_argument("--output", type=Path)
    parser.add_argument("--table", type=Path, help="print the table of an earlier output, and stop")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(json.loads(arguments.table.read_text())))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in arguments.seeds:
            for name in ARMS:
                rows += scored(
                    Path(folder), name, arguments.subject, seed, parse_overrides(arguments.settings)
                )
                if arguments.output:
                    arguments.output.parent.mkdir(parents=True, exist_ok=True)
                    arguments.output.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
