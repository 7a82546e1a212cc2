"""How well a prediction follows a recording, voxel by voxel, and the tables that say so."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.files import replacing, write_json
from brainwavlm.formatting.html import block, sentence, simulated_badge, table
from brainwavlm.formatting.numbers import format_p
from brainwavlm.results.resamples import FILE, Resamples

_COLUMNS_AT_ONCE = 4096


@dataclass(frozen=True)
class Scores:
    """What an evaluation of runs found.

    Attributes
    ----------
    table : DataFrame
        One row a run and target: run, subject, seed, target, n_voxels, r_frozen, r_tuned, difference, low,
        high (95 % interval of the paired difference), relative_gain, r_readout, the shares of the ceiling, p of each
        mean and of their difference, numbers of significant voxels, and what time alone predicts.
    voxels : DataFrame
        One row a run and voxel: run, subject, voxel, targets (False or True), r_frozen, r_tuned, r_readout,
        normalised, alpha, p, q (false discovery rate) and p_max (family-wise) of each and of the difference.
    summary : dict
        What `summary.json` says: how it was computed, and whether the responses are simulated.
    layers : DataFrame
        Where hidden states were asked for, one row a run, state and target: run, subject, seed, layer, target,
        n_voxels, r_frozen, r_tuned, difference, low, high (95 % interval of the paired difference), adapted (whether a
        block up to that state carries adapters or was trained). Else empty.
    resamples : Resamples or None
        Both means in every resample of the test stories, so that runs can be paired later.
    downstream : DataFrame
        Where tasks were asked for, one row a run, task and state: run, subject, seed, task, layer, n_labels, n_clips,
        auc_frozen, auc_tuned, difference, low, high, adapted. Else empty.
    """

    table: pd.DataFrame
    voxels: pd.DataFrame
    summary: dict[str, Any]
    layers: pd.DataFrame = field(default_factory=pd.DataFrame)
    resamples: Resamples | None = None
    downstream: pd.DataFrame = field(default_factory=pd.DataFrame)

    def as_dict(self) -> dict[str, Any]:
        """The summary, and the scores by hidden state and of tasks where there are some, for `--json`."""
        asked = {"layers": self.layers, "downstream": self.downstream}
        tables = {name: frame_rows(frame) for name, frame in asked.items() if len(frame)}
        return self.summary | ({"tables": tables} if tables else {})

    def rows(self) -> list[dict[str, Any]]:
        """The most telling columns, for a table in the terminal."""
        return [
            {
                "run": row["run"],
                "target": row["target"],
                "voxels": int(row["n_voxels"]),
                "frozen": row["r_frozen"],
                "tuned": row["r_tuned"],
                "change": row["difference"],
                "95 % interval": "-"
                if math.isnan(row["low"])
                else f"{row['low']:+.3f} to {row['high']:+.3f}",
                "gain": "-" if math.isnan(row["relative_gain"]) else f"{100 * row['relative_gain']:+.1f} %",
                "readout": None if math.isnan(row["r_readout"]) else row["r_readout"],
            }
            for row in self.table.to_dict("records")
        ]

    def test_rows(self) -> list[dict[str, Any]]:
        """Tests of each mean and of the voxels, for a table in the terminal."""
        nulls = {run["name"]: run["frozen"]["null"] for run in self.summary["runs"]}
        return [
            {
                "run": row["run"],
                "target": row["target"],
                "p tuned": format_p(row["p_tuned"], nulls[row["run"]]["least_p"]),
                "p change": format_p(row["p_difference"], nulls[row["run"]]["least_p_difference"]),
                "frozen q": int(row["voxels_frozen"]),
                "tuned q": int(row["voxels_tuned"]),
                "better": int(row["voxels_better"]),
                "worse": int(row["voxels_worse"]),
                "time only": None if math.isnan(row["r_time_only"]) else row["r_time_only"],
            }
            for row in self.table.to_dict("records")
        ]

    def save(self, folder: str | Path) -> Path:
        """Write table.csv, voxels.csv, resamples.npz and summary.json; layers.csv and downstream.csv where asked for.

        Each is written whole or not at all; the summary last.
        """
        folder = Path(folder)
        write_frame(folder / "table.csv", self.table)
        write_frame(folder / "voxels.csv", self.voxels)
        write_if_any(folder / "layers.csv", self.layers)
        write_if_any(folder / "downstream.csv", self.downstream)
        if self.resamples is not None:
            self.resamples.save(folder / FILE)
        write_json(folder / "summary.json", self.summary)
        return folder

    def _repr_html_(self) -> str:
        rows, marks = self.rows(), simulated_badge(bool(self.summary.get("simulated")))
        runs = {row["run"] for row in rows}
        title = "Scores on held-out stories"
        if len(runs) == 1:
            title = f"{title}: {runs.pop()}"
            rows = [{key: value for key, value in row.items() if key != "run"} for row in rows]
        return block(title, marks, table(rows), *map(sentence, self.summary.get("notes", [])))


def write_if_any(path: Path, frame: pd.DataFrame) -> None:
    """Write a table that has rows; one without takes away the file of an earlier result, which is not of this one."""
    if len(frame):
        write_frame(path, frame)
    else:
        path.unlink(missing_ok=True)


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a CSV file atomically; NaN is an empty field, numbers have 6 digits."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.6g", encoding="utf-8")


def frame_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """For JSON: a mapping a row, floats with 6 digits, None for NaN."""
    return [
        rounded({str(column): value for column, value in row.items()}) for row in frame.to_dict("records")
    ]


def rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON: floats with 6 digits, None for NaN."""
    return {
        key: (None if math.isnan(value) else float(f"{value:.6g}")) if isinstance(value, float) else value
        for key, value in row.items()
    }


def correlation(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """r[v] = cov_t(true, predicted) / sqrt(var_t(true) var_t(predicted)).

    NaN where either side has no variance or holds a NaN: such voxels have no score, and reports count them.

    Parameters
    ----------
    true, predicted : arrays (n_rows, n_voxels)

    Returns
    -------
    array (n_voxels,), float64
    """
    if true.shape != predicted.shape or true.ndim != 2:
        raise ValueError(f"true {true.shape} and predicted {predicted.shape} are not two equal matrices")
    r = np.empty(true.shape[1])
    for start in range(0, true.shape[1], _COLUMNS_AT_ONCE):
        columns = slice(start, start + _COLUMNS_AT_ONCE)
        r[columns] = (unit(true[:, columns]) * unit(predicted[:, columns])).sum(0)
    return r


def unit(values: np.ndarray) -> np.ndarray:
    """u[t, v] = (values[t, v] - mean_t) / norm_t, so that r = sum_t u_a u_b; NaN for a constant column.

    Parameters
    ----------
    values : array (n_rows, n_voxels), floating

    Returns
    -------
    array (n_rows, n_voxels), float64
    """
    # Rounding leaves a few eps of the mean as spread in a constant column, and the sum some more.
    eps = max(8 * np.finfo(values.dtype).eps, len(values) * np.finfo(np.float64).eps)
    values = values.astype(np.float64)
    mean = values.mean(0)
    centred = values - mean
    norm = np.sqrt((centred**2).sum(0))
    constant = norm <= eps * np.sqrt(len(values)) * np.abs(mean)
    return centred / np.where(constant | (norm == 0), np.nan, norm)
