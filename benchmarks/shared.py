"""What a frontend shared between windows changes, on the embedded data set. SIMULATED responses.

    python benchmarks/shared.py --seeds 0 --output benchmarks/results/shared.json

The embedded speech model has group norm, as base models have, so `windows.frontend: shared` is an approximation: how
far features move, relative to their norm, at each hidden state; and frozen and tuned test r with either.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from brainwavlm import evaluate, load_config, load_dataset, tune
from brainwavlm.config import WindowConfig
from brainwavlm.datasets.demo import DEMO_MODEL
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.features import extract

TARGETS = ("cortex-silent", "AC")


def features_moved(windows: WindowConfig, n_stories: int = 3) -> dict[int, float]:
    """|shared - exact| / |exact - mean| over the windows of some stories, by hidden state."""
    backbone = load_backbone(DEMO_MODEL, "all")
    stories = sorted(load_dataset("demo").stories.items())[:n_stories]
    shared = windows.model_copy(update={"frontend": "shared"})
    pairs = [
        [extract(backbone, story.audio, way).layers for way in (windows, shared)] for _, story in stories
    ]
    moved = {}
    for layer in backbone.layers:
        exact, other = (np.concatenate([pair[side][layer] for pair in pairs]) for side in (0, 1))
        moved[layer] = float(np.linalg.norm(other - exact) / np.linalg.norm(exact - exact.mean(0)))
    return moved


def scores(folder: Path, subject: str, seed: int) -> list[dict]:
    """A row a way and target: r frozen and tuned."""
    rows = []
    for way in ("exact", "shared"):
        facts = {"subject": subject, "seed": seed, "windows.frontend": way, "evaluation.targets": TARGETS}
        run = tune(load_config(preset="demo", overrides=facts), folder / f"{subject}-{seed}-{way}")
        table = evaluate([run], cache=folder / "features").table
        for _, row in table[table["target"].isin(TARGETS)].iterrows():
            place = {"frontend": way, "subject": subject, "seed": seed, "target": row["target"]}
            rows.append(place | {key: round(float(row[key]), 4) for key in ("r_frozen", "r_tuned")})
            print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Print JSON; `--output` writes it to a file as well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--subject", default="sim01")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    windows = load_config(preset="demo").windows
    moved = {str(layer): round(value, 3) for layer, value in features_moved(windows).items()}
    print(json.dumps({"features moved": moved}), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for seed in arguments.seeds for row in scores(Path(folder), arguments.subject, seed)]
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps({"features_moved": moved, "scores": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
