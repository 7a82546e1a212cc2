"""What a partition found: how much of a score each space of features explains, before and after tuning."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brainwavlm.formatting.html import block, sentence, simulated_badge, table
from brainwavlm.formatting.numbers import plus_minus
from brainwavlm.results.run_voxels import RunVoxels
from brainwavlm.results.schemas import PARTITION_AGAIN, PartitionSummary
from brainwavlm.results.tables import frame_rows, read_summary, read_table, write_frame, write_summary

_TABLES = {"table": "partition.csv", "voxels": "partition_voxels.csv"}


@dataclass(frozen=True, eq=False)
class Partition:
    """Shares of R2 by region, measure and space; `evaluation.partition` says what each measure is.

    Attributes
    ----------
    table : DataFrame
        One row a run, target, measure (total, alone, product, unique, shared) and space: n_voxels, mean R2 of the
        frozen and of the tuned model, each with low and high (95 % interval over test stories), and their difference.
    voxels : DataFrame
        One row a run and voxel: targets (0 or 1), and each measure of both models, as `product_mel_tuned`.
    summary : dict
        What `summary.json` says.
    path : Path
        The folder that it was read from; of one that was never saved, a name.
    """

    table: pd.DataFrame
    voxels: pd.DataFrame
    summary: dict[str, Any]
    path: Path = Path("partition")

    @classmethod
    def open(cls, folder: str | Path) -> "Partition":
        """The partition in a folder.

        Raises
        ------
        RunError
            A file is missing or damaged, or of a version that this one cannot read.
        """
        folder = Path(folder)
        summary = read_summary(folder / "summary.json", PartitionSummary, PARTITION_AGAIN)
        table = read_table(folder / _TABLES["table"], PARTITION_AGAIN)
        shares = (table["measure"] + "_" + table["space"]).unique()
        columns = [f"{share}_{model}" for share in shares for model in ("frozen", "tuned")]
        further = [*dict.fromkeys(table["target"]), *columns]
        voxels = read_table(folder / _TABLES["voxels"], PARTITION_AGAIN, further)
        return cls(table, voxels, summary, folder)

    def save(self, folder: str | Path) -> Path:
        """Write partition.csv, partition_voxels.csv and summary.json, each whole; the summary last."""
        folder = Path(folder)
        for key, name in _TABLES.items():
            write_frame(folder / name, getattr(self, key))
        write_summary(folder / "summary.json", self.summary, PartitionSummary)
        return folder

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What summary.json says of each run."""
        return self.summary["runs"]

    @property
    def target_names(self) -> list[str]:
        """Targets in the table's order."""
        return list(dict.fromkeys(self.table["target"]))

    @property
    def voxels_path(self) -> Path:
        """The file of `voxels`."""
        return self.path / _TABLES["voxels"]

    def spaces_of(self, run: str) -> list[str]:
        """The spaces that have a share of their own, features before the model."""
        rows = self.table[(self.table["run"] == run) & (self.table["measure"] == "unique")]
        return sorted(dict.fromkeys(rows["space"]), key=lambda space: space == "model")

    def of_run(self, run: str, space: str = "model") -> RunVoxels:
        """The unique share of a space in each voxel of a run."""
        rows = self.voxels[self.voxels["run"] == run]
        names = {f"unique_{space}_{model}": f"r_{model}" for model in ("frozen", "tuned")}
        targets = [name for name in self.target_names if rows[name].notna().all()]
        return RunVoxels.of_rows(rows.rename(columns=names), targets, ())

    @property
    def simulated(self) -> bool:
        """Whether any of the responses are simulated."""
        return bool(self.summary["simulated"])

    def as_dict(self) -> dict[str, Any]:
        """The table and the summary, for `--json`."""
        return {**self.summary, "tables": {"partition": frame_rows(self.table)}}

    def rows(self) -> list[dict[str, Any]]:
        """For a table in the terminal."""
        return [
            {
                "run": row["run"],
                "target": row["target"],
                "measure": row["measure"],
                "space": row["space"],
                "frozen": row["r2_frozen"],
                "tuned": row["r2_tuned"],
                "change, 95 %": plus_minus(row["difference"], row["low"], row["high"]),
            }
            for row in self.table.to_dict("records")
        ]

    def _repr_html_(self) -> str:
        marks = simulated_badge(self.simulated)
        notes = map(sentence, self.summary.get("notes", []))
        return block("R2 by region, measure and space", marks, table(self.rows()), *notes)
