"""What probes found: how well features of the stimulus are read off hidden states, untuned and tuned."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from brainwavlm.results.replicates import Replicates
from brainwavlm.results.result import Result
from brainwavlm.results.schemas import PROBE_AGAIN, ProbesSummary
from brainwavlm.results.tables import rows_or_none, told


@dataclass(frozen=True, eq=False)
class Probes(Result):
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

    FILES: ClassVar = {"table": "probes.csv", "seeds": "seeds.csv"}
    PERHAPS = ("seeds",)
    SUMMARY, AGAIN, title = ProbesSummary, PROBE_AGAIN, "Features read off hidden states"
    table: pd.DataFrame
    seeds: pd.DataFrame = field(default_factory=pd.DataFrame)
    summary: dict[str, Any] = field(default_factory=dict)
    replicates: Replicates | None = None
    path: Path = Path("probes")

    def rows(self) -> list[dict[str, Any]]:
        """The first score of each feature with its controls, for people."""
        keys = ["run", "layer", "feature", "score"]
        first = self.table.drop_duplicates(keys[:3])
        tuned = self.table.pivot(index=keys, columns="control", values="score_tuned")
        controls = tuned.reindex(pd.MultiIndex.from_frame(first[keys]), columns=self.summary["controls"])
        rows = told(first, *keys, "score_frozen", "score_tuned", "change, 95 %")
        return [row | one for row, one in zip(rows, rows_or_none(controls), strict=True)]
