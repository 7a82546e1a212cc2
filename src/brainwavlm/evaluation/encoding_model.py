"""From features to held-out scores with their chance levels, intervals and shares of the noise ceiling."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.datasets.base import Recording, Split, Subject
from brainwavlm.encoding.ridge import at_grid_edge, story_folds
from brainwavlm.encoding.targets import target_masks
from brainwavlm.evaluation.bootstrap import resampled_means
from brainwavlm.evaluation.encoding_score import EncodingScore, target_row
from brainwavlm.evaluation.held_out import (
    HeldOut,
    held_out_fits,
    predict_held_out,
    rows_by_story,
    story_designs,
)
from brainwavlm.evaluation.null import PermutationTest
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.significance import correlation_test, described_null
from brainwavlm.speech.features import StoryFeatures


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
    test = correlation_test(held.true, held.predicted, held.story_of_row, tr, evaluation, config.seed, masks)
    intervals = resampled_means(
        held.true, {"": held.predicted}, held.story_of_row, masks, evaluation.bootstraps, config.seed
    )
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
        "bootstrap": f"{evaluation.bootstraps} resamples of {intervals.drawn}",
        "n_voxels": len(held.columns),
        "voxels_without_r": int(np.isnan(test.statistic).sum()),
        "alphas_at_grid_edge": dict(
            zip(("smallest", "largest"), at_grid_edge(held.all_alphas, config.ridge), strict=True)
        ),
        "normalised_by": source,
        "missing_targets": missing,
    }
    score = EncodingScore(
        held.columns,
        held.story_of_row,
        held.true,
        held.predicted,
        held.alphas,
        normalised,
        test,
        masks,
        {name: intervals.interval(intervals.means[name][""]) for name in masks},
        time_only,
        summary,
    )
    summary["targets"] = [target_row(score, name) for name in masks]
    return score


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


def _normalised(held: HeldOut, ceiling: np.ndarray | None, config: RunConfig) -> tuple[np.ndarray, str]:
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
