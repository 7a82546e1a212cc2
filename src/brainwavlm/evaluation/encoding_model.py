"""From features to held-out scores: ridge on training stories, correlation on stories that it never saw.

Training and validation stories are fitted together: tuning chose its epoch on the validation stories, so they
are no test for tuned features, and frozen features get the same rows. Test stories are touched once, to score.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.datasets.base import Recording, Split, Subject
from brainwavlm.encoding.alignment import moments
from brainwavlm.encoding.materials import recording_clock, story_responses
from brainwavlm.encoding.ridge import at_grid_edge, ridge_batches, story_folds
from brainwavlm.encoding.targets import target_masks
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.encoding_score import EncodingScore, target_row
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.statistics import circular_shift_p
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

    Returns
    -------
    EncodingScore

    Raises
    ------
    ConfigError
        No held-out story, or none to fit.
    """
    everything = [recording for split in ("train", "validation", "test") for recording in splits[split]]
    if leave_one_out:
        held_out = everything
        fits = [([other for other in everything if other is not one], [one]) for one in everything]
    else:
        held_out = list(splits["test"])
        fits = [([*splits["train"], *splits["validation"]], held_out)]
    if not held_out or not fits[0][0]:
        raise ConfigError(
            "splits",
            f"{len(held_out)} stories to score, {len(fits[0][0]) if fits else 0} to fit.",
            "at least one of each.",
            "Set test and train, or use --leave-one-out with two stories or more.",
        )
    designs = {}
    for recording in everything:
        story = features[recording.story.name]
        clock = recording_clock(recording, story.times, config.alignment)
        designs[recording.story.name] = clock.design(story.layers[config.backbone.layer])
    columns = np.flatnonzero(kept)
    predicted: dict[str, np.ndarray] = {}
    alphas: list[np.ndarray] = []
    for fit, held in fits:
        found, chosen = _fit_and_predict(designs, fit, held, columns, config, device)
        predicted |= found
        alphas.append(chosen)
    names = [recording.story.name for recording in held_out]
    if leave_one_out:
        predicted = {name: _zscored(values) for name, values in predicted.items()}
    story_of_row = np.repeat(names, [recording.shape[0] for recording in held_out])
    true, prediction = responses_of(held_out, columns), np.concatenate([predicted[name] for name in names])

    masks, missing = target_masks(target_names(config, ceiling), subject, ceiling)
    masks = {name: mask[columns] for name, mask in masks.items() if mask[columns].any()}
    tr = held_out[0].tr
    shifts = config.evaluation.shifts
    test = circular_shift_p(true, prediction, story_of_row, tr, shifts, 0.0, config.seed, masks)
    normalised, source = _normalised(
        held_out, true, prediction, story_of_row, None if ceiling is None else ceiling[columns], config
    )
    summary: dict[str, Any] = {
        "subject": subject.name,
        "split": "leave-one-out" if leave_one_out else "test",
        "tr": tr,
        "tr_reference": config.alignment.tr_reference,
        "delays": list(config.alignment.delays),
        "held_out": names,
        "fitted": "all other stories" if leave_one_out else [r.story.name for r in fits[0][0]],
        "rows": {"held_out": len(true), "fitted": sum(len(designs[r.story.name]) for r in fits[0][0])},
        "folds": story_folds(np.repeat(*_story_rows(fits[0][0])), config.ridge.folds)[1],
        "shifts": {"n": shifts, "offsets": "all, drawn a story"},
        "n_voxels": len(columns),
        "voxels_without_r": int(np.isnan(test.r).sum()),
        "alphas_at_grid_edge": dict(
            zip(("smallest", "largest"), at_grid_edge(np.stack(alphas), config.ridge), strict=True)
        ),
        "normalised_by": source,
        "missing_targets": missing,
    }
    alpha = np.exp(np.log(np.stack(alphas)).mean(0))
    score = EncodingScore(columns, story_of_row, true, prediction, alpha, normalised, test, masks, summary)
    summary["targets"] = [target_row(score, name) for name in masks]
    return score


def responses_of(recordings: Sequence[Recording], columns: np.ndarray) -> np.ndarray:
    """Responses of some voxels over all rows of some stories, z-scored within each, (n_rows, n_columns).

    Parameters
    ----------
    recordings : sequence of Recording
    columns : int array, increasing
        One story is in memory at a time besides the result.
    """
    span = slice(int(columns[0]), int(columns[-1]) + 1)
    result = np.empty((sum(recording.shape[0] for recording in recordings), len(columns)), np.float32)
    row = 0
    for recording in recordings:
        story = story_responses(recording, span)
        result[row : row + len(story)] = story[:, columns - span.start]
        row += len(story)
    return result


def target_names(config: RunConfig, ceiling: np.ndarray | None) -> list[str]:
    """Targets of the table: those configured, the run's own, and the signal voxels where a ceiling is known."""
    signal = [f"ceiling>{config.evaluation.ceiling_floor:g}"] if ceiling is not None else []
    return list(dict.fromkeys([*config.evaluation.targets, config.target, *signal]))


def _fit_and_predict(
    designs: Mapping[str, np.ndarray],
    fit: Sequence[Recording],
    held_out: Sequence[Recording],
    columns: np.ndarray,
    config: RunConfig,
    device: str,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Predictions by story (n_rows, n_kept), and the penalty of each voxel."""
    design = np.concatenate([designs[recording.story.name] for recording in fit])
    story_of_row = np.repeat(*_story_rows(fit))

    def read(batch: slice) -> np.ndarray:
        return responses_of(fit, columns[batch])

    predicted = {
        recording.story.name: np.empty((recording.shape[0], len(columns)), np.float32)
        for recording in held_out
    }
    alphas = np.empty(len(columns))
    for batch in ridge_batches(design, read, len(columns), story_of_row, config.ridge, device):
        alphas[batch.columns] = batch.alphas
        for name, values in predicted.items():
            values[:, batch.columns] = designs[name] @ batch.weights
    return predicted, alphas


def _zscored(values: np.ndarray) -> np.ndarray:
    mean, scale = moments(values, np.ones((len(values), 1), values.dtype))
    return (values - mean) / scale


def _story_rows(recordings: Sequence[Recording]) -> tuple[list[str], list[int]]:
    return [recording.story.name for recording in recordings], [
        recording.shape[0] for recording in recordings
    ]


def _normalised(
    held_out: Sequence[Recording],
    true: np.ndarray,
    predicted: np.ndarray,
    story_of_row: np.ndarray,
    ceiling: np.ndarray | None,
    config: RunConfig,
) -> tuple[np.ndarray, str]:
    """Share of the ceiling (n_kept,), NaN for voxels with a low or no ceiling, and how it was found.

    The ceiling is that of the mean of repeats, so r is taken over the repeated stories where there are any.
    """
    if ceiling is None:
        return np.full(true.shape[1], np.nan), "no noise ceiling"
    repeated = [recording.story.name for recording in held_out if _n_repeats(recording) > 1]
    rows = np.isin(story_of_row, repeated) if repeated else np.ones(len(true), dtype=bool)
    over = f"the repeated stories {', '.join(repeated)}" if repeated else "all held-out stories"
    known = np.where(ceiling > config.evaluation.ceiling_floor, ceiling, np.nan)
    return correlation(true[rows], predicted[rows]) / known, f"r over {over} / noise ceiling"


def _n_repeats(recording: Recording) -> int:
    first = recording.repeats(slice(0, 1))
    return 0 if first is None else len(first)
