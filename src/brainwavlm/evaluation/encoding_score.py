"""Held-out scores of one set of features in one subject, and the files that keep them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.config import RunConfig
from brainwavlm.datasets.base import Subject
from brainwavlm.datasets.responses import Recording, Split
from brainwavlm.encoding.ridge import at_grid_edge, story_folds
from brainwavlm.encoding.targets import target_masks
from brainwavlm.evaluation.ridge_predictions import (
    RidgePredictions,
    held_out_fits,
    predict_held_out,
    rows_by_story,
    story_designs,
)
from brainwavlm.evaluation.scores import correlation, rounded, write_frame
from brainwavlm.evaluation.statistics.bootstrap import SEED, resampled_means
from brainwavlm.evaluation.statistics.permutation_test import PermutationTest
from brainwavlm.evaluation.statistics.tests import LEVEL, correlation_test, described_null
from brainwavlm.files import write_json
from brainwavlm.speech.features import StoryFeatures


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
    time_only : PermutationTest or None
        What time alone predicts of the same rows.
    summary : dict
        What `summary.json` says, but for its targets.
    """

    voxel: np.ndarray
    story_of_row: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    alphas: np.ndarray
    r_normalised: np.ndarray
    test: PermutationTest
    masks: dict[str, np.ndarray]
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

    def target_summary(
        self, intervals: Mapping[str, tuple[float, float]], n_resamples: int, drawn: str
    ) -> dict[str, Any]:
        """What the summary says of the targets, with the 95 % interval of the mean of each, and what was drawn."""
        targets = [target_row(self, name, intervals[name]) for name in self.masks]
        return {"bootstrap": f"{n_resamples} resamples of {drawn}", "targets": targets}

    def with_intervals(self, n_resamples: int) -> "EncodingScore":
        """The same score, whose summary tells of its targets, with intervals over resamples of held-out stories."""
        resampled = resampled_means(
            self.true, {"": self.predicted}, self.story_of_row, self.masks, n_resamples, SEED
        )
        intervals = {name: resampled.interval(means[""]) for name, means in resampled.means.items()}
        return replace(
            self, summary=self.summary | self.target_summary(intervals, n_resamples, resampled.drawn)
        )

    def save(self, folder: str | Path) -> None:
        """Write scores.csv and summary.json, each whole or not at all; the summary last."""
        write_frame(Path(folder) / "scores.csv", self.voxels())
        write_json(Path(folder) / "summary.json", self.summary)


def target_row(score: EncodingScore, name: str, interval: tuple[float, float]) -> dict[str, Any]:
    """What the summary says of one target."""
    r, p, null95 = score.test.mean[name]
    mask = score.masks[name]
    normalised = score.r_normalised[mask]
    known = ~np.isnan(normalised)
    low, high = interval
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


def score_features(
    features: Mapping[str, StoryFeatures],
    subject: Subject,
    splits: Mapping[Split, Sequence[Recording]],
    config: RunConfig,
    kept: np.ndarray,
    leave_one_out: bool = False,
    ceiling: np.ndarray | None = None,
    device: str = "cpu",
    time_only: PermutationTest | None = None,
) -> EncodingScore:
    """Ridge from delayed features to voxels, scored on held-out stories.

    r[v] = correlation over all rows of the held-out stories. Responses are z-scored within each story.

    Parameters
    ----------
    features : mapping of story to StoryFeatures
        With the layer config.backbone.layer.
    subject : Subject
    splits : mapping of train, validation and test to recordings
    config : RunConfig
        Its alignment, ridge, evaluation, target and seed.
    kept : bool array (n_voxels,)
        Voxels to score: finite and varying in every story.
    leave_one_out : bool
        Predict every story from a fit on all others, and z-score predictions within each story: for data
        sets too small for a test split.
    ceiling : array (n_voxels,) or None
        Noise ceiling, for targets and, where no held-out story has repeats, for r_normalised.
    device : str
        Where ridge computes.
    time_only : PermutationTest or None
        What time alone predicts of the same rows and voxels (`score_time`), to stand beside the score.

    Returns
    -------
    EncodingScore

    Raises
    ------
    ConfigError
        No held-out story, or none to fit.
    """
    held_out_fits(splits, leave_one_out)  # raises what cannot be scored before anything is read
    designs = story_designs(features, splits, config)
    held = predict_held_out(designs, splits, config, kept, leave_one_out, device)
    masks, missing = kept_masks(config, subject, ceiling, held.columns)
    evaluation, tr = config.evaluation, held.stories[0].tr
    test = correlation_test(held.true, held.predicted, held.story_of_row, evaluation, config.seed, masks)
    normalised, source = _normalised(held, None if ceiling is None else ceiling[held.columns], config)
    summary: dict[str, Any] = {
        "subject": subject.name,
        "split": "leave-one-out" if leave_one_out else "test",
        "tr": tr,
        "tr_reference": config.alignment.tr_reference,
        "delays": list(config.alignment.delays),
        "held_out": [recording.story.name for recording in held.stories],
        "fitted": "all other stories" if leave_one_out else [r.story.name for r in held.fitted],
        "rows": {"held_out": len(held.true), "fitted": sum(r.shape[0] for r in held.fitted)},
        "folds": story_folds(np.repeat(*rows_by_story(held.fitted)), config.ridge.folds)[1],
        "null": described_null(held.story_of_row, evaluation),
        "n_voxels": len(held.columns),
        "voxels_without_r": int(np.isnan(test.statistic).sum()),
        "alphas_at_grid_edge": dict(
            zip(("smallest", "largest"), at_grid_edge(held.all_alphas, config.ridge), strict=True)
        ),
        "normalised_by": source,
        "missing_targets": missing,
    }
    return EncodingScore(
        held.columns,
        held.story_of_row,
        held.true,
        held.predicted,
        held.alphas,
        normalised,
        test,
        masks,
        time_only,
        summary,
    )


def kept_masks(
    config: RunConfig, subject: Subject, ceiling: np.ndarray | None, columns: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Targets of the table among the scored voxels (n_kept,), and why others are missing."""
    masks, missing = target_masks(target_names(config, ceiling), subject, ceiling)
    return {name: mask[columns] for name, mask in masks.items() if mask[columns].any()}, missing


def target_names(config: RunConfig, ceiling: np.ndarray | None) -> list[str]:
    """Targets of the table: those configured, the run's own, and the signal voxels where a ceiling is known."""
    signal = [f"ceiling>{config.evaluation.ceiling_floor:g}"] if ceiling is not None else []
    return list(dict.fromkeys([*config.evaluation.targets, config.target, *signal]))


def _normalised(
    held: RidgePredictions, ceiling: np.ndarray | None, config: RunConfig
) -> tuple[np.ndarray, str]:
    """Share of the ceiling (n_kept,), NaN for voxels with a low or no ceiling, and how it was found.

    The ceiling is that of the mean of repeats, so r is taken over the repeated stories where there are any.
    """
    if ceiling is None:
        return np.full(len(held.columns), np.nan), "no noise ceiling"
    repeated = [recording.story.name for recording in held.stories if _n_repeats(recording) > 1]
    rows = np.isin(held.story_of_row, repeated) if repeated else np.ones(len(held.true), dtype=bool)
    over = f"the repeated stories {', '.join(repeated)}" if repeated else "all held-out stories"
    known = np.where(ceiling > config.evaluation.ceiling_floor, ceiling, np.nan)
    return correlation(held.true[rows], held.predicted[rows]) / known, f"r over {over} / noise ceiling"


def _n_repeats(recording: Recording) -> int:
    first = recording.repeats(slice(0, 1))
    return 0 if first is None else len(first)
