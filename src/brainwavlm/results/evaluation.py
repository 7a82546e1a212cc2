"""An evaluation folder, read back for reporting: table.csv, voxels.csv and summary.json."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.errors import RunError
from brainwavlm.results.schemas import AGAIN, read_summary
from brainwavlm.results.tables import read_frame, read_table, read_voxels

FILES = ("table.csv", "voxels.csv", "summary.json")
MOST_GROUPS = 6
REMAINDER = "other voxels"
MORE = (*("normalised_frozen", "normalised_tuned"), *("q_frozen", "q_tuned", "q_difference"))


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
    more : dict of str to array (n_voxels,) float64
        Shares of the ceiling and false discovery rates, where voxels.csv has them: evaluations of earlier versions
        lack some.
    """

    voxel: np.ndarray
    frozen: np.ndarray
    tuned: np.ndarray
    masks: dict[str, np.ndarray]
    more: dict[str, np.ndarray] = field(default_factory=dict)

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
    """What an evaluation found. Open one with `read_results`.

    Attributes
    ----------
    path : Path
    summary : dict
    table, voxels : DataFrame
    layers, downstream : DataFrame
        Scores by hidden state, and of tasks; empty where none were asked for.
    """

    path: Path
    summary: dict[str, Any]
    table: pd.DataFrame
    voxels: pd.DataFrame
    layers: pd.DataFrame = field(default_factory=pd.DataFrame)
    downstream: pd.DataFrame = field(default_factory=pd.DataFrame)

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
            {name: rows[name].to_numpy(dtype=np.float64) for name in MORE if name in rows},
        )


def read_results(folder: str | Path) -> Results:
    """The results in a folder that `evaluate` wrote.

    Raises
    ------
    RunError
        A file, column, row or key is missing, damaged or impossible, or the files disagree on the runs.
    """
    folder = Path(folder)
    summary = read_summary(folder / "summary.json")
    table = read_table(folder / "table.csv")
    voxels = read_voxels(folder / "voxels.csv", list(dict.fromkeys(table["target"])))
    names = [run["name"] for run in summary["runs"]]
    for name, frame in (("table.csv", table), ("voxels.csv", voxels)):
        found = list(dict.fromkeys(frame["run"]))
        for run in names:
            if run not in found:
                raise RunError(folder / name, f"no row of run {run}.", "rows of every run.", AGAIN)
        for run in found:
            if run not in names:
                raise RunError(folder / name, f"rows of run {run}.", "runs that summary.json names.", AGAIN)
    for run in summary["runs"]:
        rows = voxels[voxels["run"] == run["name"]]
        known = run["frozen"]["n_voxels"]
        if len(rows) != known:
            counted = f"{len(rows)} rows of run {run['name']}."
            raise RunError(folder / "voxels.csv", counted, f"{known}, as summary.json says.", AGAIN)
        others = sorted(set(rows["subject"]) - {run["subject"]})
        if others:
            wrong = f"rows of subject {others[0]} in run {run['name']}."
            raise RunError(folder / "voxels.csv", wrong, f"subject {run['subject']}.", AGAIN)
    change = ("layer", "difference", "low", "high")
    layers = _by_state(folder / "layers.csv", "target", (*change, "r_frozen", "r_tuned"), names)
    counts = ("n_labels", "n_clips")
    tasks = _by_state(folder / "downstream.csv", "task", (*change, *counts, "auc_frozen", "auc_tuned"), names)
    return Results(folder, summary, table, voxels, layers, tasks)


def _by_state(path: Path, what: str, numbers: Sequence[str], runs: list[str]) -> pd.DataFrame:
    """A table by hidden state, where it was asked for."""
    if not path.is_file():
        return pd.DataFrame()
    frame = read_frame(path, ("run", what), tuple(numbers), AGAIN)
    for run in dict.fromkeys(frame["run"]):
        if run not in runs:
            raise RunError(path, f"rows of run {run}.", "runs that summary.json names.", AGAIN)
    known = frame["layer"].notna() & (frame["layer"] >= 0) & (frame["layer"] % 1 == 0)
    if not known.all() or frame.empty:
        raise RunError(path, "a row without a hidden state, or no row.", "a hidden state in each row.", AGAIN)
    if frame.duplicated(["run", what, "layer"]).any():
        raise RunError(path, "a row twice.", f"one for each run, {what} and hidden state.", AGAIN)
    scores = frame[[name for name in numbers if name.startswith(("r_", "auc_"))]]
    least = 0 if "task" in frame else -1
    if not (scores.isna() | ((scores >= least) & (scores <= 1))).all(axis=None):
        raise RunError(
            path, f"a score that is not from {least} to 1.", "scores as `evaluate` writes them.", AGAIN
        )
    if (frame["low"] > frame["high"]).any():
        raise RunError(path, "an interval that ends before it begins.", "low up to high.", AGAIN)
    return frame
