"""What an evaluation found: scores of runs on held-out stories, against the model that they started from."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from brainwavlm.errors import RunError
from brainwavlm.formatting.html import table
from brainwavlm.formatting.numbers import format_p, voxel_count
from brainwavlm.results.replicates import FILE, Replicates, read_if_there
from brainwavlm.results.result import Result
from brainwavlm.results.run_voxels import RunVoxels
from brainwavlm.results.schemas import AGAIN as EVALUATE_AGAIN
from brainwavlm.results.schemas import RIDGE_AGAIN, EvaluationSummary, RidgeSummary
from brainwavlm.results.tables import (
    frame_rows,
    read_if_any,
    read_summary,
    read_table,
    records,
    table_path,
    told,
)

# Columns of voxels.csv.gz, and those of the table that count voxels below .05; empty where that cannot be tested.
VOXELS_BELOW = {"q_frozen": "voxels_frozen", "q_tuned": "voxels_tuned", "q_difference": "voxels_better"}
_FURTHER = ("layers", "downstream", "delays", "ridge_epochs")
PARTS = ("voxels", *_FURTHER, "replicates")
RIDGE_FILE = "scores.csv"
UNTUNED = "none"  # how the model of such a result was adapted
_CLEAN = {name: f"{name}_frozen" for name in ("clean_r", "clean_shared_r")}
# Names in summary.json and scores.csv, where there is one model, and in table.csv and voxels.csv.gz.
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


@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """What an evaluation of runs found.

    Attributes
    ----------
    table : DataFrame
        One row a run and target: run, subject, seed, best_epoch, target, n_voxels, r_frozen, r_tuned, difference, low,
        high (95 % interval of the paired difference), the same under the readout whose directions all voxels share
        (columns that begin with shared_), relative_gain, r_readout, the shares of the ceiling, p of each mean and of
        their difference, numbers of significant voxels, and what time alone predicts.
    voxels : DataFrame
        One row a run and voxel: run, subject, voxel, targets (False or True; NaN where another run alone has them),
        r_frozen, r_tuned, r_readout, normalised, alpha, p, q (false discovery rate) and p_max (family-wise) of each and
        of the difference.
    summary : dict
        What `summary.json` says: how it was computed, and whether the responses are simulated.
    layers : DataFrame
        Where hidden states were asked for, one row a run, state and target: run, subject, seed, layer, target,
        n_voxels, r_frozen, r_tuned, difference, low, high (95 % interval of the paired difference), adapted (whether a
        block up to that state carries adapters or was trained). Else empty.
    replicates : Replicates or None
        Both means without each test story, so that runs can be paired later.
    downstream : DataFrame
        Where tasks were asked for, one row a run, task and state: run, subject, seed, task, layer, n_labels, n_clips,
        auc_frozen, auc_tuned, difference, low, high, adapted. Else empty.
    delays : DataFrame
        When after a sound the runs' own readouts listen, one row a run and delay: run, subject, seed, seconds, and the
        share of the delay in the weights, median, low and high (quartiles) over voxels.
    ridge_epochs : DataFrame
        Where epochs were asked for, one row a run, epoch (0: untuned) and target: run, subject, seed, epoch, target, r.
    path : Path
        The folder that it was read from; of one that was never saved, a name.
    """

    FILES: ClassVar = {name: f"{name}.csv" for name in ("table", *_FURTHER)} | {"voxels": "voxels.csv.gz"}
    PERHAPS = tuple(FILES)
    SUMMARY, AGAIN = EvaluationSummary, EVALUATE_AGAIN
    table: pd.DataFrame
    voxels: pd.DataFrame
    summary: dict[str, Any]
    layers: pd.DataFrame = field(default_factory=pd.DataFrame)
    replicates: Replicates | None = None
    downstream: pd.DataFrame = field(default_factory=pd.DataFrame)
    delays: pd.DataFrame = field(default_factory=pd.DataFrame)
    ridge_epochs: pd.DataFrame = field(default_factory=pd.DataFrame)
    path: Path = Path("evaluation")

    @classmethod
    def open(cls, folder: str | Path, parts: Collection[str] = PARTS) -> "Evaluation":
        """The evaluation in a folder, or what `ridge` wrote as one: tables without columns of a tuned model.

        Parameters
        ----------
        folder : str or Path
        parts : collection of str
            What to read beside the table and the summary, of `PARTS`.

        Raises
        ------
        RunError
            A file is missing or damaged, or of a version that this one cannot read.
        """
        folder = Path(folder)
        if (folder / RIDGE_FILE).is_file():
            return cls(*_ridge_parts(folder), path=folder)
        summary = read_summary(folder / "summary.json", cls.SUMMARY, cls.AGAIN)
        runs, tables = {run["name"] for run in summary["runs"]}, {"voxels": pd.DataFrame()}
        for name in ("table", "voxels") if "voxels" in parts else ("table",):
            path = folder / cls.FILES[name]
            tables[name] = read_table(path, summary, cls.AGAIN)
            if set(tables[name]["run"]) != runs:  # files of two evaluations, or one that lost its end
                raise RunError(
                    path, "rows of other runs than summary.json.", "rows of each of its runs.", cls.AGAIN
                )
        for name in _FURTHER:
            if name in parts:
                tables[name] = read_if_any(folder / f"{name}.csv", summary, cls.AGAIN)
        replicates = read_if_there(folder / FILE, summary) if "replicates" in parts else None
        return cls(**tables, summary=summary, replicates=replicates, path=folder)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What summary.json says of each run: name, subject, target, simulated, best, history, config, frozen."""
        return self.summary["runs"]

    @cached_property
    def target_names(self) -> list[str]:
        """Targets in the table's order."""
        return list(dict.fromkeys(self.table["target"]))

    @property
    def tuned(self) -> bool:
        """Whether there is a tuned model: what `ridge` wrote has none, and no column of one."""
        return "r_tuned" in self.table

    @property
    def voxels_path(self) -> Path:
        """The file of `voxels`."""
        return table_path(self.path / (self.FILES["voxels"] if self.tuned else RIDGE_FILE))

    def rows_of(self, run: str) -> list[dict[str, Any]]:
        """The table's rows of a run."""
        return records(self.table[self.table["run"] == run])

    def of_run(self, run: str) -> RunVoxels:
        """The voxels of a run."""
        rows = self.voxels[self.voxels["run"] == run]
        # A target that only other runs have leaves empty fields in this run's rows.
        targets = [name for name in self.target_names if name in rows and rows[name].notna().all()]
        counts = self.table[self.table["run"] == run]
        untestable = [q for q, name in VOXELS_BELOW.items() if name in counts and counts[name].isna().all()]
        return RunVoxels.of_rows(rows, targets, untestable)

    def as_dict(self) -> dict[str, Any]:
        """The summary, and the scores by hidden state and of tasks where there are some, for `--json`."""
        asked = {"layers": self.layers, "downstream": self.downstream}
        tables = {name: frame_rows(frame) for name, frame in asked.items() if len(frame)}
        return self.summary | ({"tables": tables} if tables else {})

    @property
    def title(self) -> str:
        """What it is, and its run where it has one."""
        return "Scores on held-out stories" + (f": {self.runs[0]['name']}" if len(self.runs) == 1 else "")

    def rows(self) -> list[dict[str, Any]]:
        """The most telling columns, for people."""
        if not self.tuned:
            names = {"target": "target", "n_voxels": "voxels", "r_frozen": "mean r", "95 %": "95 %"}
            names |= {"shared_frozen": "shared map"}
            ends = zip(self.table["low_frozen"], self.table["high_frozen"], strict=True)
            table = self.table.assign(**{"95 %": [f"{low:.3f} to {high:.3f}" for low, high in ends]})
            return records(table[list(names)].rename(columns=names))
        gains = ["-" if math.isnan(gain) else f"{100 * gain:+.1f} %" for gain in self.table["relative_gain"]]
        readout = [None if math.isnan(r) else r for r in self.table["r_readout"]]
        columns = ("run", "target", "n_voxels", "r_frozen", "r_tuned", "change, 95 %", "gain", "shared map")
        rows = told(self.table.assign(gain=gains), *columns)
        return [row | {"readout": r} for row, r in zip(rows, readout, strict=True)]

    def test_rows(self) -> list[dict[str, Any]]:
        """Tests of each mean and of the voxels, for a table in the terminal."""
        nulls = {run["name"]: run["frozen"].get("null", {}) for run in self.runs}  # earlier versions lack it
        return [
            {
                "run": row["run"],
                "target": row["target"],
                "p tuned": format_p(row["p_tuned"], nulls[row["run"]].get("least_p", 0.0)),
                "p change": format_p(row["p_difference"], nulls[row["run"]].get("least_p_difference", 0.0)),
                "frozen q": voxel_count(row["voxels_frozen"]),
                "tuned q": voxel_count(row["voxels_tuned"]),
                "better": voxel_count(row["voxels_better"]),
                "worse": voxel_count(row["voxels_worse"]),
                "time only": None if math.isnan(row["r_time_only"]) else row["r_time_only"],
            }
            for row in self.table.to_dict("records")
        ]

    def _html(self) -> list[str]:
        apart = {"run"} if len(self.runs) == 1 else set()
        return [table([{key: row[key] for key in row if key not in apart} for row in self.rows()])]


def _ridge_parts(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Table, voxels and summary in a folder of `ridge`; columns of a tuned model are not there, its run is the folder.

    RunError where a file is missing or damaged, or of a version that this one cannot read.
    """
    known = read_summary(folder / "summary.json", RidgeSummary, RIDGE_AGAIN)
    voxels = read_table(folder / RIDGE_FILE, known, RIDGE_AGAIN)
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
