"""What a transfer found: scores of tuned models in other listeners."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from brainwavlm.formatting.html import block, sentence, simulated_badge, table
from brainwavlm.results.replicates import FILE, Replicates, read_if_there
from brainwavlm.results.schemas import TRANSFER_AGAIN, TransferSummary
from brainwavlm.results.tables import (
    frame_rows,
    read_if_any,
    read_summary,
    read_table,
    write_frame,
    write_if_any,
    write_summary,
)


@dataclass(frozen=True, eq=False)
class Transfer:
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

    matrix: pd.DataFrame
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    needed: pd.DataFrame = field(default_factory=pd.DataFrame)
    summary: dict[str, Any] = field(default_factory=dict)
    replicates: Replicates | None = None
    path: Path = Path("transfer")

    @classmethod
    def open(cls, folder: str | Path) -> "Transfer":
        """The transfer in a folder.

        Raises
        ------
        RunError
            A file is missing or damaged, or of a version that this one cannot read.
        """
        folder = Path(folder)
        summary = read_summary(folder / "summary.json", TransferSummary, TRANSFER_AGAIN)
        return cls(
            read_table(folder / "matrix.csv", TRANSFER_AGAIN),
            read_if_any(folder / "curve.csv", TRANSFER_AGAIN),
            read_if_any(folder / "needed.csv", TRANSFER_AGAIN),
            summary,
            read_if_there(folder / FILE),
            folder,
        )

    def save(self, folder: str | Path) -> Path:
        """Write matrix.csv, replicates.npz, summary.json; curve.csv and needed.csv where amounts were asked for."""
        folder = Path(folder)
        write_frame(folder / "matrix.csv", self.matrix)
        if self.replicates is not None:
            self.replicates.save(folder / FILE)
        write_if_any(folder / "curve.csv", self.curve)
        write_if_any(folder / "needed.csv", self.needed)
        write_summary(folder / "summary.json", self.summary, TransferSummary)
        return folder

    @property
    def simulated(self) -> bool:
        """Whether any of the responses are simulated."""
        return bool(self.summary["simulated"])

    def as_dict(self) -> dict[str, Any]:
        """All tables and the summary, for `--json`."""
        tables = {name: frame_rows(getattr(self, name)) for name in ("matrix", "curve", "needed")}
        return {**self.summary, "tables": tables}

    def _repr_html_(self) -> str:
        columns = ("run", "tuned_on", "scored_on", "stories", "target", "r_frozen", "r_tuned", "difference")
        marks = simulated_badge(bool(self.summary.get("simulated")))
        rows = table(frame_rows(self.matrix[[*columns, "low", "high"]]))
        return block("Scores in other listeners", marks, rows, *map(sentence, self.summary.get("notes", [])))
