"""Held-out scores of one set of features in one subject, and the files that keep them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.datasets.noise_ceiling import n_repeats
from brainwavlm.datasets.usable_rows import left_out
from brainwavlm.encoding.ridge import at_grid_edge
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.evaluation.leave_one_out import chance_test
from brainwavlm.evaluation.planted_truth import clean_correlations, clean_means
from brainwavlm.evaluation.ridge_predictions import RidgePredictions, stories_of_rows
from brainwavlm.evaluation.scores import correlation, mean_over
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.evaluation.statistics.jackknife import SHARED, Jackknife, jackknife_of_means
from brainwavlm.evaluation.statistics.permutation_test import PermutationTest
from brainwavlm.evaluation.statistics.tests import LEVEL, described_null, measured_block_rows
from brainwavlm.evaluation.time_baseline import score_time
from brainwavlm.progress import Progress
from brainwavlm.results.schemas import RidgeSummary
from brainwavlm.results.tables import rounded, write_frame, write_summary
from brainwavlm.runs.environment import versions
from brainwavlm.speech.features import StoryFeatures


@dataclass(frozen=True)
class EncodingScore(RidgePredictions):
    """Held-out scores of one set of features in one subject, with the predictions that they are of.

    Attributes
    ----------
    predicted, shared, all_alphas, reduced
        As in `RidgePredictions`.
    voxel : int array (n_kept,)
        Columns of the responses.
    story_of_row : array (n_rows,) of str
    true : array (n_rows, n_kept) float32
        Responses, z-scored within each story.
    r_normalised : array (n_kept,)
        Share of the ceiling; NaN where it is at or below evaluation.ceiling_floor or unknown.
    test : PermutationTest
        r and p of each voxel, and of the mean of each target.
    masks : dict of target to bool array (n_kept,)
    time_only : PermutationTest
        What time alone predicts of the same rows.
    clean_r : dict of str to array (n_kept,)
        See `clean_correlations`; empty of measured responses.
    summary : dict
    """

    voxel: np.ndarray
    story_of_row: np.ndarray
    true: np.ndarray
    r_normalised: np.ndarray
    test: PermutationTest
    masks: dict[str, np.ndarray]
    time_only: PermutationTest
    clean_r: dict[str, np.ndarray]
    summary: dict[str, Any]

    @property
    def r(self) -> np.ndarray:
        """Correlation over all held-out rows, (n_kept,); NaN where nothing varies."""
        return self.test.statistic

    @cached_property
    def shared_r(self) -> np.ndarray:
        """The same of the readout that voxels share."""
        return correlation(self.true, self.shared)

    def voxels(self) -> pd.DataFrame:
        """One row a voxel: whose, targets (0 or 1), r, share of the ceiling, alpha, p, q, p_max, r of time alone."""
        columns = {
            "subject": self.summary["subject"],
            "voxel": self.voxel,
            "split": self.summary["split"],
            **{name: mask.astype(np.int8) for name, mask in self.masks.items()},
            "r": self.r,
            "shared_r": self.shared_r,
            "r_normalised": self.r_normalised,
            "alpha": self.alphas,
            "p": self.test.p,
            "q": self.test.q,
            "p_max": self.test.p_max,
            "r_time_only": self.time_only.statistic,
            **self.clean_r,
        }
        return pd.DataFrame(columns)

    def with_intervals(self, jackknife: Jackknife, model: str) -> "EncodingScore":
        """The score with a summary that has the targets and their 95 % intervals over test stories.

        `model` is what this score's model is called in the jackknife.
        """
        targets = [
            target_row(self, name, means[model], means[model + SHARED], jackknife)
            for name, means in jackknife.means.items()
        ]
        return replace(self, summary={**self.summary, "intervals": jackknife.unit, "targets": targets})

    def jackknife(self, predictions: Mapping[str, np.ndarray]) -> Jackknife:
        """Means over the targets of models (n_rows, n_kept) that predict these rows, whole and without each story."""
        return jackknife_of_means(self.true, predictions, self.story_of_row, self.masks)

    def save(self, folder: str | Path) -> None:
        """Write scores.csv and summary.json, each whole or not at all; the summary last."""
        write_frame(Path(folder) / "scores.csv", self.voxels())
        write_summary(Path(folder) / "summary.json", self.summary, RidgeSummary)


def target_row(
    score: EncodingScore, name: str, means: np.ndarray, shared: np.ndarray, jackknife: Jackknife
) -> dict[str, Any]:
    """What the summary says of one target; means (n_pieces + 1,) are those of `jackknife`."""
    r, p, null95 = score.test.mean[name]
    mask = score.masks[name]
    (low, high), (shared_low, shared_high) = map(jackknife.interval, (means, shared))
    time_r, time_p, _ = score.time_only.mean[name]
    return rounded(
        {
            "target": name,
            "n_voxels": int((mask & ~np.isnan(score.r)).sum()),
            "mean_r": r,
            "low": low,
            "high": high,
            "shared_mean_r": float(shared[0]),
            "shared_low": shared_low,
            "shared_high": shared_high,
            "p": p,
            "null_95": null95,
            "voxels_q_below_.05": score.test.n_below(LEVEL, mask),
            "voxels_p_max_below_.05": int((score.test.p_max[mask] < LEVEL).sum()),
            "time_only_r": time_r,
            "time_only_p": time_p,
            "mean_r_normalised": mean_over(score.r_normalised, mask),
            "n_normalised": int((mask & ~np.isnan(score.r_normalised)).sum()),
            **clean_means(score.clean_r, mask),
        }
    )


def score_features(
    plan: ScoringPlan,
    features: Mapping[str, StoryFeatures],
    like: EncodingScore | None = None,
    progress: Progress | None = None,
) -> EncodingScore:
    """Ridge from delayed features of the configured layer to voxels, scored on held-out stories.

    r[v] = correlation over all rows of the held-out stories. Responses are z-scored within each story. `like` is a
    score of the same rows and voxels, from which what time alone predicts is taken.
    """
    config, evaluation, data = plan.config, plan.config.evaluation, plan.data
    designs, (masks, missing) = plan.designs(features), plan.targets
    held, true, progress = plan.ridge(designs), plan.true(), progress or Progress()
    block_rows = evaluation.block_rows or measured_block_rows(true, held.predicted, plan.story_of_row)
    test = chance_test(plan, designs, true, held.predicted, progress, block_rows)
    of_time = None if like is None else (like.time_only, like.summary["sounds_on_both_sides"])
    time_only, shared = of_time or score_time(plan, true, progress)
    normalised, source = _normalised(plan, true, held.predicted)
    fitted = plan.fits[0].fitted
    summary: dict[str, Any] = {
        "subject": data.subject.name,
        "split": "leave-one-out" if plan.leave_one_out else "test",
        "tr": plan.held_out[0].tr,
        "tr_reference": config.alignment.tr_reference,
        "delays": list(config.alignment.delays),
        "held_out": [recording.story.name for recording in plan.held_out],
        "fitted": "all other stories" if plan.leave_one_out else [r.story.name for r in fitted],
        "rows": {"held_out": len(true), "fitted": sum(r.shape[0] for r in fitted)},
        "folds": story_folds(stories_of_rows(fitted), config.ridge.folds)[1],
        "null": described_null(plan.story_of_row, evaluation, block_rows, plan.leave_one_out),
        "untestable_voxels": test.untestable(LEVEL),
        "n_voxels": len(plan.columns),
        "voxels_without_r": int(np.isnan(test.statistic).sum()),
        "alphas_at_grid_edge": at_grid_edge(held.all_alphas, config.ridge),
        "shared_readout": [{"alpha": one.alpha, "rank": one.rank} for one in held.reduced],
        "normalised_by": source,
        "missing_targets": missing,
        "simulated": data.dataset.simulated,
        "dataset": data.dataset.name,
        "licence": data.dataset.licence,
        "facts": list(data.dataset.facts),
        "left_out": left_out(data.recordings.values()),
        "unusable_voxels": data.unusable,
        "sounds_on_both_sides": shared,
        "backbone": config.backbone.model_dump(mode="json"),
        "windows": config.windows.model_dump(mode="json"),
        "ridge": config.ridge.model_dump(mode="json"),
        "versions": versions(),
    }
    return EncodingScore(
        **vars(held),
        voxel=plan.columns,
        story_of_row=plan.story_of_row,
        true=true,
        r_normalised=normalised,
        test=test,
        masks=masks,
        time_only=time_only,
        clean_r=clean_correlations(plan, held),
        summary=summary,
    )


def _normalised(plan: ScoringPlan, true: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, str]:
    """Share of the ceiling (n_kept,), NaN for voxels with a low or no ceiling, and how it was found.

    The ceiling is that of the mean of repeats, so r is taken over the repeated stories where there are any.
    """
    repeated = [recording.story.name for recording in plan.held_out if n_repeats(recording) > 1]
    scored = repeated or [recording.story.name for recording in plan.held_out]
    ceiling = plan.data.ceiling_of(scored)
    if ceiling is None:
        return np.full(len(plan.columns), np.nan), "no noise ceiling"
    rows = np.isin(plan.story_of_row, scored)
    over = f"the repeated stories {', '.join(repeated)}" if repeated else "all held-out stories"
    known = np.where(ceiling > plan.config.evaluation.ceiling_floor, ceiling, np.nan)[plan.columns]
    return correlation(true[rows], predicted[rows]) / known, f"r over {over} / noise ceiling"
