"""What a partition found: how much of a score each space of features explains, before and after tuning."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from brainwavlm.results.result import Result
from brainwavlm.results.run_voxels import RunVoxels
from brainwavlm.results.schemas import PARTITION_AGAIN, PartitionSummary
from brainwavlm.results.tables import frame_rows, told


@dataclass(frozen=True, eq=False)
class Partition(Result):
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

    FILES: ClassVar = {"table": "partition.csv", "voxels": "partition_voxels.csv"}
    SUMMARY, AGAIN, title = PartitionSummary, PARTITION_AGAIN, "R2 by region, measure and space"
    table: pd.DataFrame
    voxels: pd.DataFrame
    summary: dict[str, Any]
    path: Path = Path("partition")

    @classmethod
    def _further(cls, name: str, parts: Mapping[str, pd.DataFrame]) -> list[str]:
        if name == "table":
            return []
        table = parts["table"]
        shares = (table["measure"] + "_" + table["space"]).unique()
        columns = [f"{share}_{model}" for share in shares for model in ("frozen", "tuned")]
        return [*dict.fromkeys(table["target"]), *columns]

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
        return self.path / self.FILES["voxels"]

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

    def as_dict(self) -> dict[str, Any]:
        """The table and the summary, for `--json`."""
        return {**self.summary, "tables": {"partition": frame_rows(self.table)}}

    def rows(self) -> list[dict[str, Any]]:
        """The table, for people."""
        return told(self.table, "run", "target", "measure", "space", "r2_frozen", "r2_tuned", "change, 95 %")
