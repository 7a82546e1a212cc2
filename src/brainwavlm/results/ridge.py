"""What `ridge` wrote, as tables and summary of an evaluation in which no model was tuned."""

from pathlib import Path
from typing import Any

import pandas as pd

from brainwavlm.results.schemas import RIDGE_AGAIN, RidgeSummary
from brainwavlm.results.tables import read_summary, read_table

FILE = "scores.csv"
UNTUNED = "none"  # how the model of such a result was adapted
_CLEAN = {name: f"{name}_frozen" for name in ("clean_r", "clean_shared_r")}
# Names in summary.json and scores.csv, where there is one model, and in table.csv and voxels.csv.
_TARGET = {
    "mean_r": "r_frozen",
    "low": "low_frozen",
    "high": "high_frozen",
    "shared_mean_r": "shared_frozen",
    "shared_low": "shared_low_frozen",
    "shared_high": "shared_high_frozen",
    "p": "p_frozen",
    "voxels_q_below_.05": "voxels_frozen",
    "time_only_r": "r_time_only",
    "time_only_p": "p_time_only",
    "mean_r_normalised": "normalised_frozen",
    **_CLEAN,
}
_VOXEL = {
    "r": "r_frozen",
    "shared_r": "shared_frozen",
    "r_normalised": "normalised_frozen",
    **{name: f"{name}_frozen" for name in ("alpha", "p", "q", "p_max")},
    **_CLEAN,
}


def ridge_parts(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Table, voxels and summary in a folder of `ridge`; columns of a tuned model are not there, its run is the folder.

    RunError where a file is missing or damaged, or of a version that this one cannot read.
    """
    known = read_summary(folder / "summary.json", RidgeSummary, RIDGE_AGAIN)
    voxels = read_table(folder / FILE, RIDGE_AGAIN)
    about = {"run": folder.resolve().name, "subject": known["subject"]}
    table = pd.DataFrame(known["targets"]).rename(columns=_TARGET).assign(**about, seed=known["seed"])
    numbers = [name for name in _TARGET.values() if name in table]
    same = ("subject", "target", "seed", "simulated", "splits", "intervals", "config")
    entry = {
        "name": about["run"],
        "method": UNTUNED,
        "control": "none",
        "best": None,
        "history": [],
        **{key: known[key] for key in same},
        "frozen": known,
    }
    summary = {key: known[key] for key in ("simulated", "notes", "versions")}
    voxels = voxels.rename(columns=_VOXEL).drop(columns="split").assign(run=about["run"])
    summary |= {"runs": [entry], "listeners": []}
    return table.astype(dict.fromkeys(numbers, float)), voxels, summary
