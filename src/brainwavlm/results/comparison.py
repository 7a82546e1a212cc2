"""What a comparison found, kept and read back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brainwavlm.errors import RunError
from brainwavlm.files import read_json
from brainwavlm.results.tables import read_frame

COMPARISON_FILES = ("runs.csv", "groups.csv", "epochs.csv", "differences.csv", "summary.json")


_COMPARE = "Compare again: brainwavlm compare RUN... --output FOLDER"


_SPREAD = ("n_runs", "mean", "deviation", "lowest", "highest")


@dataclass(frozen=True)
class Comparison:
    """What `compare` found: its summary and tables."""

    path: Path
    summary: dict[str, Any]
    runs: pd.DataFrame
    groups: pd.DataFrame
    epochs: pd.DataFrame
    differences: pd.DataFrame


def read_comparison(folder: Path) -> Comparison:
    """The results in a folder that `compare` wrote. RunError where a file is missing or damaged."""
    return Comparison(
        folder,
        _summary(folder / "summary.json", "groups", _COMPARE),
        _filled(
            folder / "runs.csv",
            ("group", "run", "subject", "seed", "target"),
            ("r_frozen", "r_tuned"),
            _COMPARE,
        ),
        _filled(
            folder / "groups.csv",
            ("group", "target"),
            ("n_voxels", *_SPREAD, "r_frozen", "gain", "low", "high"),
            _COMPARE,
        ),
        read_frame(folder / "epochs.csv", ("group", "score", "target"), ("epoch", *_SPREAD), _COMPARE),
        read_frame(
            folder / "differences.csv",
            ("first", "second", "target"),
            ("difference", "low", "high", "deviation_over_seeds"),
            _COMPARE,
        ),
    )


def _filled(path: Path, texts: tuple[str, ...], numbers: tuple[str, ...], again: str) -> pd.DataFrame:
    frame = read_frame(path, texts, numbers, again)
    if frame.empty:
        raise RunError(path, "no rows.", "at least one.", again)
    return frame


def _summary(path: Path, listed: str, again: str) -> dict[str, Any]:
    summary = read_json(path, "simulated", "notes", "versions", listed)
    kinds = {"simulated": bool, "notes": list, "versions": dict, listed: list}
    for key, kind in kinds.items():
        if not isinstance(summary[key], kind):
            raise RunError(path, f"{key} is {str(summary[key])[:40]!r}.", f"a {kind.__name__}.", again)
    return summary
