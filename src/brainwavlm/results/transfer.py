"""What a transfer found: scores of tuned models in other listeners."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from brainwavlm.results.replicates import Replicates
from brainwavlm.results.result import Result
from brainwavlm.results.schemas import TRANSFER_AGAIN, TransferSummary
from brainwavlm.results.tables import frame_rows


@dataclass(frozen=True, eq=False)
class Transfer(Result):
    """What runs give in other listeners.

    Attributes
    ----------
    matrix : DataFrame
        One row a run, listener, choice of test stories and target: run, tuned_on, seed, scored_on, layer, stories
        (`all`, or `unheard`: only those that tuning did not use), target, n_voxels, r_frozen, r_tuned, difference,
        low, high (95 % interval over test stories), r_readout (of the run's own readout, over the n_readout voxels
        that it predicts: in a listener who tuned it, or at the same vertices of a common surface), shared (test stories
        that tuning used, joined by +).
    curve : DataFrame
        One row a run, listener, amount of the listener's data, draw and target: asked (minutes; empty: all), draw,
        minutes, n_stories, target, r_frozen, r_tuned. Empty where no amounts were asked for.
    needed : DataFrame
        One row a run, listener and target: full_minutes, r_frozen with all of them, and the minutes with which the
        tuned model reaches it (empty: not with the amounts that were tried).
    summary : dict
        What `summary.json` says.
    replicates : Replicates or None
        Both means of each row of the matrix without each test story.
    path : Path
        The folder that it was read from; of one that was never saved, a name.
    """

    FILES: ClassVar = {"matrix": "matrix.csv", "curve": "curve.csv", "needed": "needed.csv"}
    PERHAPS = ("curve", "needed")
    SUMMARY, AGAIN, title = TransferSummary, TRANSFER_AGAIN, "Scores in other listeners"
    matrix: pd.DataFrame
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    needed: pd.DataFrame = field(default_factory=pd.DataFrame)
    summary: dict[str, Any] = field(default_factory=dict)
    replicates: Replicates | None = None
    path: Path = Path("transfer")

    def rows(self) -> list[dict[str, Any]]:
        """The most telling columns of the matrix, for people."""
        columns = ("run", "tuned_on", "scored_on", "stories", "target", "r_frozen", "r_tuned", "difference")
        return frame_rows(self.matrix[[*columns, "low", "high"]])
