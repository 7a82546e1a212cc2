"""Held-out scores of one set of features in one subject, and the files that keep them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.evaluation.scores import rounded, write_frame
from brainwavlm.evaluation.statistics import ShiftTest, benjamini_hochberg
from brainwavlm.runs import write_json


@dataclass(frozen=True)
class EncodingScore:
    """Held-out scores of one set of features in one subject.

    Attributes
    ----------
    voxel : array (n_kept,) int
        Columns of the responses that were scored.
    story_of_row : array (n_rows,) of str
    true, predicted : arrays (n_rows, n_kept) float32
        Held-out responses, z-scored within each story, and their predictions.
    alphas : array (n_kept,)
        Penalty; its geometric mean where there is one fit a story.
    r_normalised : array (n_kept,)
        Share of the ceiling; NaN where the ceiling is at or below evaluation.ceiling_floor or unknown.
    test : ShiftTest
        r and p of each voxel, and of the mean of each target.
    masks : dict of str to bool array (n_kept,)
        By target.
    summary : dict
        What `summary.json` says.
    """

    voxel: np.ndarray
    story_of_row: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    alphas: np.ndarray
    r_normalised: np.ndarray
    test: ShiftTest
    masks: dict[str, np.ndarray]
    summary: dict[str, Any]

    @property
    def r(self) -> np.ndarray:
        """Correlation over all held-out rows, (n_kept,); NaN where nothing varies."""
        return self.test.r

    def voxels(self) -> pd.DataFrame:
        """One row a voxel: subject, voxel, split, targets (0 or 1), r, r_normalised, alpha, p, q."""
        columns = {
            "subject": self.summary["subject"],
            "voxel": self.voxel,
            "split": self.summary["split"],
            **{name: mask.astype(np.int8) for name, mask in self.masks.items()},
            "r": self.r,
            "r_normalised": self.r_normalised,
            "alpha": self.alphas,
            "p": self.test.p,
            "q": benjamini_hochberg(self.test.p),
        }
        return pd.DataFrame(columns)

    def rows(self) -> list[dict[str, Any]]:
        """One row a target, for a table in the terminal."""
        return self.summary["targets"]

    def save(self, folder: str | Path) -> None:
        """Write scores.csv and summary.json, each whole or not at all; the summary last."""
        write_frame(Path(folder) / "scores.csv", self.voxels())
        write_json(Path(folder) / "summary.json", self.summary)


def target_row(score: EncodingScore, name: str) -> dict[str, Any]:
    """What the summary says of one target."""
    r, p, null95 = score.test.mean[name]
    mask = score.masks[name]
    normalised = score.r_normalised[mask]
    known = ~np.isnan(normalised)
    q = benjamini_hochberg(score.test.p)[mask]
    return rounded(
        {
            "target": name,
            "n_voxels": int((mask & ~np.isnan(score.r)).sum()),
            "mean_r": r,
            "p": p,
            "null_95": null95,
            "voxels_q_below_.05": int((q < 0.05).sum()),
            "mean_r_normalised": float(normalised[known].mean()) if known.any() else None,
            "n_normalised": int(known.sum()),
        }
    )
