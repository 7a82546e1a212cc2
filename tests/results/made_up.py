"""Results with numbers that were made up, for the program's own writers: what a test does not care for is filled in."""

import pandas as pd

from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.schemas import COLUMNS, TEXT, WHOLE

STORIES = {"bees": "train", "chess": "train", "ferry": "validation", "museum": "test"}
VERSIONS = {"brainwavlm": "0.1.0", "torch": "2.13.0"}


def filled(file, rows):
    """A table with all columns that the file must have."""
    fill = {name: "made-up" if name in TEXT else 1 if name in WHOLE else 0.1 for name in COLUMNS[file]}
    return pd.DataFrame([fill | row for row in rows])


def run_entry(name, target="cortex", config=None, n_voxels=1, simulated=True, subject="sim01"):
    """What summary.json says of a run."""
    history = [
        {
            "epoch": k,
            "loss": None if k == 0 else -0.08 - 0.03 * k**0.5,
            "validation_r": 0.2 + 0.0126 * k - 0.0009 * k * k,
            "gradient_norm": None if k == 0 else 3.0 / k,
        }
        for k in range(11)
    ]
    return {
        "name": name,
        "path": f"runs/{name}",
        "subject": subject,
        "target": target,
        "seed": 0,
        "method": "lora",
        "simulated": simulated,
        "control": "none",
        "finished": True,
        "best": {"epoch": 7, "validation_r": 0.2441, "checkpoint": "7-70"},
        "history": history,
        "splits": {s: [n for n, at in STORIES.items() if at == s] for s in ("train", "validation", "test")},
        "intervals": "12 blocks of at least 10 TRs of these 2 test stories",
        "config": {} if config is None else config.model_dump(mode="json"),
        "frozen": {
            "dataset": "made-up",
            "licence": "CC0",
            "facts": ["Made up for tests."],
            "unusable_voxels": {},
            "n_voxels": n_voxels,
            "voxels_without_r": 0,
            "tr": 2.0,
            "tr_reference": "onset",
            "rows": {"held_out": 70, "fitted": 460},
            "folds": "5 folds of whole stories",
            "normalised_by": "CC_norm on the repeats of museum",
        },
    }


def small_evaluation(rows, simulated=True, layers=(), tasks=(), replicates=None):
    """An evaluation with these rows of its table, and a voxel a run."""
    table = filled("table.csv", rows)
    names = list(dict.fromkeys(table["run"]))
    summary = {
        "simulated": simulated,
        "runs": [run_entry(name, simulated=simulated) for name in names],
        "notes": [],
        "versions": VERSIONS,
    }
    return Evaluation(
        table,
        filled("voxels.csv", [{"run": name} for name in names]),
        summary,
        filled("layers.csv", layers),
        replicates,
        filled("downstream.csv", tasks),
    )
