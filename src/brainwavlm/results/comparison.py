"""What a comparison of runs found: groups over their seeds, and differences between groups."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from brainwavlm.formatting.html import sentence, table
from brainwavlm.results.result import Result
from brainwavlm.results.schemas import COMPARE_AGAIN, ComparisonSummary
from brainwavlm.results.tables import frame_rows


@dataclass(frozen=True, eq=False)
class Comparison(Result):
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

    FILES: ClassVar = {
        "runs": "runs.csv",
        "groups": "groups.csv",
        "epochs": "epochs.csv",
        "differences": "differences.csv",
    }
    SUMMARY, AGAIN, title = ComparisonSummary, COMPARE_AGAIN, "Comparison over seeds"
    runs: pd.DataFrame
    groups: pd.DataFrame
    epochs: pd.DataFrame
    differences: pd.DataFrame
    summary: dict[str, Any]
    path: Path = Path("comparison")

    def rows(self) -> list[dict[str, Any]]:
        """The most telling columns of the groups, for people."""
        columns = ("group", "target", "n_runs", "mean", "deviation", "r_frozen", "gain", "low", "high")
        return frame_rows(self.groups[[name for name in columns if name in self.groups]])

    def _html(self) -> list[str]:
        differences = [sentence("Second minus first:"), table(frame_rows(self.differences))]
        return super()._html() + (differences if len(self.differences) else [])
