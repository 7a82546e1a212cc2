"""What a comparison of runs found: groups over their seeds, and differences between groups."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brainwavlm.formatting.html import block, sentence, simulated_badge, table
from brainwavlm.results.schemas import COMPARE_AGAIN, ComparisonSummary
from brainwavlm.results.tables import frame_rows, read_summary, read_table, write_frame, write_summary

_TABLES = ("runs", "groups", "epochs", "differences")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison of runs found.

    Attributes
    ----------
    runs : DataFrame
        One row a run and target: group, run, subject, seed, target, n_voxels, r_frozen, r_tuned, best_epoch. Here and
        below columns that begin with shared_ are those of the readout whose directions all voxels share.
    groups : DataFrame
        One row a group and target: n_runs, mean and deviation over seeds of r_tuned, their lowest and highest,
        r_frozen, and the gain over it with its 95 % interval over test stories.
    epochs : DataFrame
        One row a group, epoch, score and target: n_runs, mean, deviation, lowest and highest over seeds. The score is
        `validation` (the run's own readout on its validation stories) or `ridge` (fresh, on test stories).
    differences : DataFrame
        One row a pair of groups and target: difference of the means over seeds (second minus first), its 95 % interval
        over test stories, and the deviation of the difference over seeds where both groups have the same ones.
    summary : dict
        What `summary.json` says.
    path : Path
        The folder that it was read from; of one that was never saved, a name.
    """

    runs: pd.DataFrame
    groups: pd.DataFrame
    epochs: pd.DataFrame
    differences: pd.DataFrame
    summary: dict[str, Any]
    path: Path = Path("comparison")

    @classmethod
    def open(cls, folder: str | Path) -> "Comparison":
        """The comparison in a folder.

        Raises
        ------
        RunError
            A file is missing or damaged, or of a version that this one cannot read.
        """
        folder = Path(folder)
        summary = read_summary(folder / "summary.json", ComparisonSummary, COMPARE_AGAIN)
        runs, groups, epochs, differences = (
            read_table(folder / f"{name}.csv", COMPARE_AGAIN) for name in _TABLES
        )
        return cls(runs, groups, epochs, differences, summary, folder)

    def save(self, folder: str | Path) -> Path:
        """Write runs.csv, groups.csv, epochs.csv, differences.csv and summary.json, each whole; the summary last."""
        folder = Path(folder)
        for name in _TABLES:
            write_frame(folder / f"{name}.csv", getattr(self, name))
        write_summary(folder / "summary.json", self.summary, ComparisonSummary)
        return folder

    @property
    def simulated(self) -> bool:
        """Whether any of the responses are simulated."""
        return bool(self.summary["simulated"])

    def as_dict(self) -> dict[str, Any]:
        """All tables and the summary, for `--json`."""
        return {**self.summary, "tables": {name: frame_rows(getattr(self, name)) for name in _TABLES}}

    def _repr_html_(self) -> str:
        columns = ("group", "target", "n_runs", "mean", "deviation", "r_frozen", "gain", "low", "high")
        marks = simulated_badge(bool(self.summary.get("simulated")))
        parts = [table(frame_rows(self.groups[[name for name in columns if name in self.groups]]))]
        if len(self.differences):
            parts += [sentence("Second minus first:"), table(frame_rows(self.differences))]
        return block("Comparison over seeds", marks, *parts, *map(sentence, self.summary.get("notes", [])))
