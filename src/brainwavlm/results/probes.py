"""What probes found: how well features of the stimulus are read off hidden states, untuned and tuned."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from brainwavlm.formatting.html import block, sentence, simulated_badge, table
from brainwavlm.formatting.numbers import plus_minus
from brainwavlm.results.replicates import FILE, Replicates, read_if_there
from brainwavlm.results.schemas import PROBE_AGAIN, ProbesSummary
from brainwavlm.results.tables import (
    frame_rows,
    read_if_any,
    read_summary,
    read_table,
    records,
    write_frame,
    write_if_any,
    write_summary,
)


@dataclass(frozen=True, eq=False)
class Probes:
    """Features of the stimulus, read off hidden states of runs and of the models that they started from.

    Attributes
    ----------
    table : DataFrame
        One row a run, hidden state, feature, control and score: run, subject, seed, layer, feature, kind, control
        (`none`: the score itself), score (r, r2, auc or f1), score_frozen, score_tuned, difference, low, high (95 %
        interval over test stories; of `shuffled` and `selectivity` also over draws), p of its t test, q (false
        discovery rate over the run's hidden states), low_frozen, high_frozen, low_tuned, high_tuned (of the scores
        themselves), n_stories, n_units, n_labels (labels or dimensions). A control that tuning does not touch
        (`random`, `low-level`) has one score in both columns and no difference.
    seeds : DataFrame
        Where runs are equal but for the seed, one row for each of these kinds of score: group, subject, layer, feature,
        kind, control, score, n_runs, the means over seeds, difference, low, high (over test stories), deviation of the
        differences over seeds, and seed_low, seed_high (95 % interval of their mean over seeds). Else empty.
    summary : dict
        What `summary.json` says.
    replicates : Replicates or None
        Both scores without each test story: target is the feature, stories the control, readout the score.
    path : Path
        The folder that it was read from; of one that was never saved, a name.
    """

    table: pd.DataFrame
    seeds: pd.DataFrame = field(default_factory=pd.DataFrame)
    summary: dict[str, Any] = field(default_factory=dict)
    replicates: Replicates | None = None
    path: Path = Path("probes")

    @classmethod
    def open(cls, folder: str | Path) -> "Probes":
        """The probes in a folder. RunError where a file is missing or damaged, or of a version that cannot be read."""
        folder = Path(folder)
        summary = read_summary(folder / "summary.json", ProbesSummary, PROBE_AGAIN)
        return cls(
            read_table(folder / "probes.csv", PROBE_AGAIN),
            read_if_any(folder / "seeds.csv", PROBE_AGAIN),
            summary,
            read_if_there(folder / FILE),
            folder,
        )

    def save(self, folder: str | Path) -> Path:
        """Write probes.csv, seeds.csv (where there are several seeds), replicates.npz and summary.json."""
        folder = Path(folder)
        write_frame(folder / "probes.csv", self.table)
        write_if_any(folder / "seeds.csv", self.seeds)
        if self.replicates is not None:
            self.replicates.save(folder / FILE)
        write_summary(folder / "summary.json", self.summary, ProbesSummary)
        return folder

    @property
    def simulated(self) -> bool:
        """Whether any run was tuned on simulated responses."""
        return bool(self.summary["simulated"])

    def as_dict(self) -> dict[str, Any]:
        """Both tables and the summary, for `--json`."""
        tables = {name: frame_rows(getattr(self, name)) for name in ("table", "seeds")}
        return {**self.summary, "tables": tables}

    def rows(self) -> list[dict[str, Any]]:
        """The first score of each feature with its controls, for a table in the terminal."""
        keys = ["run", "layer", "feature", "score"]
        first = self.table.drop_duplicates(["run", "layer", "feature"])
        rows = []
        for row in records(first):
            alike = self.table[(self.table[keys] == pd.Series(row)[keys]).all(axis=1)].set_index("control")
            tuned = alike["score_tuned"]
            rows.append(
                {
                    **{key: row[key] for key in keys},
                    "frozen": row["score_frozen"],
                    "tuned": row["score_tuned"],
                    "change, 95 %": plus_minus(row["difference"], row["low"], row["high"]),
                    **{name: tuned.get(name) for name in self.summary["controls"]},
                }
            )
        return rows

    def _repr_html_(self) -> str:
        marks = simulated_badge(self.simulated)
        return block(
            "Features read off hidden states",
            marks,
            table(self.rows()),
            *map(sentence, self.summary["notes"]),
        )
