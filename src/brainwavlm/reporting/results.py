"""An evaluation folder, read back for reporting: table.csv, voxels.csv and summary.json."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.errors import RunError
from brainwavlm.runs import read_json

TABLE_COLUMNS = ("run", "target", "n_voxels", "r_frozen", "r_tuned", "difference", "low", "high")
_AGAIN = "Evaluate again: brainwavlm evaluate RUN... --output FOLDER"
_TEXT: Any = {"run": str, "target": str, "subject": str}
MOST_GROUPS = 6
REMAINDER = "other voxels"
VOXEL_COLUMNS = ("run", "subject", "voxel", "r_frozen", "r_tuned")


@dataclass(frozen=True)
class RunVoxels:
    """Scores of one run, voxel by voxel.

    Attributes
    ----------
    voxel : array (n_voxels,) int
        Column of the subject's responses.
    frozen, tuned : arrays (n_voxels,) float64
        Test correlation; NaN where there is none.
    masks : dict of str to bool array (n_voxels,)
        By target.
    """

    voxel: np.ndarray
    frozen: np.ndarray
    tuned: np.ndarray
    masks: dict[str, np.ndarray]

    def groups(self) -> dict[str, np.ndarray]:
        """Each voxel in the smallest named region that holds it; the rest together.

        Whole cortex, hemispheres and combinations of names (A-B) tell no places apart and are left out.
        """
        left = np.ones(len(self.voxel), dtype=bool)
        groups: dict[str, np.ndarray] = {}
        for name, mask in sorted(self.masks.items(), key=lambda item: int(item[1].sum())):
            is_place = name not in ("cortex", "LH", "RH") and not set(name) & set("+-&>/")
            if is_place and mask.any() and not mask.all() and len(groups) < MOST_GROUPS:
                groups[name] = mask & left
                left &= ~mask
        if left.any():
            groups[REMAINDER if groups else "voxels"] = left
        return groups


@dataclass(frozen=True)
class Results:
    """What an evaluation found. Open one with `read_results`."""

    path: Path
    summary: dict[str, Any]
    table: pd.DataFrame
    voxels: pd.DataFrame

    @property
    def simulated(self) -> bool:
        """Whether any of the responses are simulated."""
        return bool(self.summary["simulated"])

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What summary.json says of each run: name, subject, target, simulated, best, history, config, frozen."""
        return self.summary["runs"]

    @cached_property
    def target_names(self) -> list[str]:
        """Targets in the table's order."""
        return list(dict.fromkeys(self.table["target"]))

    def rows(self, run: str) -> list[dict[str, Any]]:
        """The table's rows of a run."""
        rows = self.table[self.table["run"] == run].to_dict("records")
        return [{str(column): value for column, value in row.items()} for row in rows]

    def of_run(self, run: str) -> RunVoxels:
        """The voxels of a run."""
        rows = self.voxels[self.voxels["run"] == run]
        # A target that only other runs have leaves empty fields in this run's rows.
        known = [name for name in self.target_names if name in rows and rows[name].notna().all()]
        masks = {name: rows[name].to_numpy(dtype=bool) for name in known}
        return RunVoxels(
            rows["voxel"].to_numpy(dtype=np.int64),
            rows["r_frozen"].to_numpy(dtype=np.float64),
            rows["r_tuned"].to_numpy(dtype=np.float64),
            masks,
        )


def read_results(folder: str | Path) -> Results:
    """The results in a folder that `evaluate` wrote.

    Raises
    ------
    RunError
        A file or a column is missing, or the files disagree on the runs.
    """
    folder = Path(folder)
    summary = read_json(folder / "summary.json")
    for key in ("simulated", "runs"):
        if key not in summary:
            raise RunError(folder / "summary.json", f"no {key}.", "the summary of an evaluation.", _AGAIN)
    table = _read_csv(folder / "table.csv", TABLE_COLUMNS)
    voxels = _read_csv(folder / "voxels.csv", VOXEL_COLUMNS)
    for run in summary["runs"]:
        for name, frame in (("table.csv", table), ("voxels.csv", voxels)):
            if run["name"] not in set(frame["run"]):
                raise RunError(folder / name, f"no row of run {run['name']}.", "rows of every run.", _AGAIN)
    return Results(folder, summary, table, voxels)


def _read_csv(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    if not path.is_file():
        raise RunError(path, "no such file.", "a file of an evaluation.", _AGAIN)
    # A run may be called "NA": only empty fields are missing numbers.
    frame = pd.read_csv(path, dtype=_TEXT, keep_default_na=False, na_values=[""], encoding="utf-8")
    missing = [name for name in columns if name not in frame]
    if missing:
        raise RunError(path, f"no column {', '.join(missing)}.", f"the columns {', '.join(columns)}.", _AGAIN)
    return frame
