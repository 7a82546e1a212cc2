"""What a transfer found, kept and read back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from brainwavlm.results.comparison import _filled, _summary
from brainwavlm.results.tables import read_frame

TRANSFER_FILES = ("matrix.csv", "curve.csv", "needed.csv", "summary.json")


_TRANSFER = "Transfer again: brainwavlm transfer RUN... --output FOLDER"


@dataclass(frozen=True)
class Transfer:
    """What `transfer` found: its summary and tables; curve and needed are empty where no amounts were asked for."""

    path: Path
    summary: dict[str, Any]
    matrix: pd.DataFrame
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    needed: pd.DataFrame = field(default_factory=pd.DataFrame)


def read_transfer(folder: Path) -> Transfer:
    """The results in a folder that `transfer` wrote. RunError where a file is missing or damaged."""
    about = ("run", "tuned_on", "scored_on")
    curve, needed = pd.DataFrame(), pd.DataFrame()
    if (folder / "curve.csv").is_file():
        curve = read_frame(
            folder / "curve.csv",
            (*about, "target"),
            ("asked", "minutes", "r_frozen", "r_tuned"),
            _TRANSFER,
        )
        needed = read_frame(
            folder / "needed.csv",
            (*about, "target"),
            ("full_minutes", "r_frozen", "minutes_needed"),
            _TRANSFER,
        )
    return Transfer(
        folder,
        _summary(folder / "summary.json", "cells", _TRANSFER),
        _filled(
            folder / "matrix.csv",
            (*about, "stories", "target"),
            ("n_voxels", "r_frozen", "r_tuned", "r_readout", "difference", "low", "high"),
            _TRANSFER,
        ),
        curve,
        needed,
    )
