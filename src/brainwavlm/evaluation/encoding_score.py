"""Held-out scores of one set of features in one subject, and the files that keep them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.evaluation.null import PermutationTest
from brainwavlm.evaluation.scores import rounded, write_frame
from brainwavlm.evaluation.significance import LEVEL
from brainwavlm.run_files import write_json


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
    test : PermutationTest
        r and p of each voxel, and of the mean of each target.
    masks : dict of str to bool array (n_kept,)
        By target.
    intervals : dict of str to (low, high)
        95 % interval of the mean of each target over resamples of test stories.
    time_only : PermutationTest or None
        What time alone predicts of the same rows.
    summary : dict
        What `summary.json` says.
    """

    voxel: np.ndarray
    story_of_row: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    alphas: np.ndarray
    r_normalised: np.ndarray
    test: PermutationTest
    masks: dict[str, np.ndarray]
    intervals: dict[str, tuple[float, float]]
    time_only: PermutationTest | None
    summary: dict[str, Any]

    @property
    def r(self) -> np.ndarray:
        """Correlation over all held-out rows, (n_kept,); NaN where nothing varies."""
        return self.test.statistic

    def voxels(self) -> pd.DataFrame:
        """One row a voxel: whose, targets (0 or 1), r, share of the ceiling, alpha, p, q, p_max, r of time alone."""
        columns = {
            "subject": self.summary["subject"],
            "voxel": self.voxel,
            "split": self.summary["split"],
            **{name: mask.astype(np.int8) for name, mask in self.masks.items()},
            "r": self.r,
            "r_normalised": self.r_normalised,
            "alpha": self.alphas,
            "p": self.test.p,
            "q": self.test.q,
            "p_max": self.test.p_max,
        }
        if self.time_only is not None:
            columns["r_time_only"] = self.time_only.statistic
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
    low, high = score.intervals[name]
    time_r, time_p, _ = (
        score.time_only.mean[name] if score.time_only is not None else (np.nan, np.nan, np.nan)
    )
    return rounded(
        {
            "target": name,
            "n_voxels": int((mask & ~np.isnan(score.r)).sum()),
            "mean_r": r,
            "low": low,
            "high": high,
            "p": p,
            "null_95": null95,
            "voxels_q_below_.05": int((score.test.q[mask] < LEVEL).sum()),
            "voxels_p_max_below_.05": int((score.test.p_max[mask] < LEVEL).sum()),
            "time_only_r": time_r,
            "time_only_p": time_p,
            "mean_r_normalised": float(normalised[known].mean()) if known.any() else None,
            "n_normalised": int(known.sum()),
        }
    )
