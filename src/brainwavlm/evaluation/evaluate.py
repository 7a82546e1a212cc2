"""What tuning changed: fresh ridge on frozen and on tuned features, on the same rows, folds and voxels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from brainwavlm.config import RunConfig
from brainwavlm.datasets.base import Recording
from brainwavlm.encoding.learning import accelerator_for
from brainwavlm.encoding.materials import recording_clock
from brainwavlm.encoding.models import tuned_model
from brainwavlm.encoding.setting import Setting, setting_of
from brainwavlm.evaluation.encoding_model import EncodingScore, responses_of, score_features
from brainwavlm.evaluation.scores import Scores, correlation
from brainwavlm.evaluation.statistics import story_bootstrap
from brainwavlm.progress import Progress
from brainwavlm.runs import Run, versions
from brainwavlm.speech.backbones import Backbone, load_backbone
from brainwavlm.speech.features import StoryFeatures, cached, extract


def score_backbone(
    config: RunConfig,
    leave_one_out: bool = False,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> EncodingScore:
    """Score a speech model as it is: closed-form ridge, correlation on held-out stories.

    Parameters
    ----------
    config : RunConfig
        Voxels outside config.target are left out.
    leave_one_out : bool
        Predict every story from a fit on all others instead of the test stories.
    cache : str, Path or None
        Folder of features to read and add to; None: computed and not kept.
    progress : Progress or None

    Returns
    -------
    EncodingScore
    """
    setting = setting_of(config)
    return _frozen(config, setting, cache, progress or Progress(), leave_one_out)


def evaluate(
    runs: Run | Sequence[Run], cache: str | Path | None = None, progress: Progress | None = None
) -> Scores:
    """Score runs on held-out stories against the model they started from.

    For each run: ridge on the frozen and on the tuned features, both fitted on training and validation
    stories with the same folds, r over all rows of the test stories. The difference of the means over a target
    has a bootstrap interval over test stories (blocks if there are fewer than 5), paired.

    Parameters
    ----------
    runs : Run, or sequence of Run
    cache : str, Path or None
        Folder of features to read and add to.
    progress : Progress or None

    Returns
    -------
    Scores

    Raises
    ------
    RunError
        A run without a finished epoch.
    ConfigError
        No test story.
    """
    runs = [runs] if isinstance(runs, Run) else list(runs)
    progress = progress or Progress()
    tuned_on = tuple(run.config.target for run in runs)
    frozen_scores: dict[str, EncodingScore] = {}
    tables, voxels, described = [], [], []
    for run, name in zip(runs, _names(runs), strict=True):
        config = _over_cortex(run.config, tuned_on)
        setting = setting_of(config)
        key = _frozen_key(config)
        if key not in frozen_scores:
            frozen_scores[key] = _frozen(config, setting, cache, progress)
        frozen = frozen_scores[key]
        backbone, readout = tuned_model(run)
        features = _features(backbone, config, setting, cache, progress, f"Reading stories, {name}")
        tuned = _scored(features, config, setting)
        r_readout = _readout_r(readout, run, features, setting)[frozen.voxel]
        table, unit = _compared(name, config, frozen, tuned, r_readout)
        tables += table
        voxels.append(_voxel_rows(name, frozen, tuned, r_readout))
        described.append(_described(name, run, frozen, tuned, unit))
    return Scores(
        pd.DataFrame(tables), pd.concat(voxels, ignore_index=True), _summary(described, frozen_scores)
    )


def _frozen(
    config: RunConfig,
    setting: Setting,
    cache: str | Path | None,
    progress: Progress,
    leave_one_out: bool = False,
) -> EncodingScore:
    backbone = load_backbone(config.backbone.name, config.backbone.layer)
    features = _features(backbone, config, setting, cache, progress, "Reading stories, model as it is")
    return _scored(features, config, setting, leave_one_out)


def _features(
    backbone: Backbone,
    config: RunConfig,
    setting: Setting,
    cache: str | Path | None,
    progress: Progress,
    title: str,
) -> dict[str, StoryFeatures]:
    """Features of every story of the splits, from the cache where there is one."""
    backbone.to(_device(config))
    size = config.backbone.batch_windows
    features = {}
    for name, recording in progress.over(sorted(setting.recordings.items()), title):
        sound = recording.story.audio
        if cache is None:
            features[name] = extract(backbone, sound, config.windows, size)
        else:
            features[name] = cached(backbone, sound, config.windows, cache, size)
    return features


def _scored(
    features: Mapping[str, StoryFeatures], config: RunConfig, setting: Setting, leave_one_out: bool = False
) -> EncodingScore:
    score = score_features(
        features,
        setting.subject,
        setting.splits,
        config,
        setting.voxels,
        leave_one_out,
        setting.ceiling,
        _device(config).type,
    )
    score.summary.update(
        simulated=setting.dataset.simulated,
        dataset=setting.dataset.name,
        licence=setting.dataset.licence,
        facts=list(setting.dataset.facts),
        unusable_voxels=setting.unusable,
        backbone=config.backbone.model_dump(mode="json"),
        windows=config.windows.model_dump(mode="json"),
        ridge=config.ridge.model_dump(mode="json"),
        versions=versions(),
    )
    return score


def _readout_r(
    readout: torch.nn.Module, run: Run, features: Mapping[str, StoryFeatures], setting: Setting
) -> np.ndarray:
    """Test correlation of the run's own readout, (n_voxels,); NaN outside the run's voxels."""
    config, test = run.config, setting.splits["test"]
    readout.eval().cpu()
    predicted = [_read_out(readout, recording, features[recording.story.name], config) for recording in test]
    r = np.full(setting.subject.n_voxels, np.nan)
    columns = np.flatnonzero(run.voxels)
    r[columns] = correlation(responses_of(test, columns), np.concatenate(predicted))
    return r


def _read_out(
    readout: torch.nn.Module, recording: Recording, features: StoryFeatures, config: RunConfig
) -> np.ndarray:
    clock = recording_clock(recording, features.times, config.alignment, config.quirks)
    design = torch.from_numpy(clock.design(features.layers[config.backbone.layer]))
    with torch.no_grad():
        return readout(design).numpy()


def _compared(
    name: str, config: RunConfig, frozen: EncodingScore, tuned: EncodingScore, r_readout: np.ndarray
) -> tuple[list[dict[str, Any]], str]:
    """The table's rows of one run, and what the bootstrap drew."""
    differences, unit = story_bootstrap(
        frozen.true,
        frozen.predicted,
        tuned.predicted,
        frozen.story_of_row,
        tuned.masks,
        config.evaluation.bootstraps,
        config.seed,
    )
    rows = []
    for target, found in differences.items():
        mask = tuned.masks[target]
        shares = [score.r_normalised[mask] for score in (frozen, tuned)]
        known = ~np.isnan(shares[0]) & ~np.isnan(shares[1])
        rows.append(
            {
                "run": name,
                "subject": config.subject,
                "seed": config.seed,
                "target": target,
                "n_voxels": found.n_voxels,
                "r_frozen": found.first,
                "r_tuned": found.second,
                "difference": found.difference,
                "low": found.low,
                "high": found.high,
                "relative_gain": found.difference / found.first if found.first > 0 else np.nan,
                # The readout's mean is comparable only where it predicts the whole target.
                "r_readout": float(np.mean(r_readout[mask])),
                "n_normalised": int(known.sum()),
                "normalised_frozen": float(shares[0][known].mean()) if known.any() else np.nan,
                "normalised_tuned": float(shares[1][known].mean()) if known.any() else np.nan,
                "p_frozen": frozen.test.mean[target][1],
                "p_tuned": tuned.test.mean[target][1],
            }
        )
    return rows, unit


def _voxel_rows(
    name: str, frozen: EncodingScore, tuned: EncodingScore, r_readout: np.ndarray
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run": name,
            "subject": tuned.summary["subject"],
            "voxel": tuned.voxel,
            **tuned.masks,
            "r_frozen": frozen.r,
            "r_tuned": tuned.r,
            "r_readout": r_readout,
            "normalised_frozen": frozen.r_normalised,
            "normalised_tuned": tuned.r_normalised,
            "alpha_frozen": frozen.alphas,
            "alpha_tuned": tuned.alphas,
            "p_frozen": frozen.test.p,
            "p_tuned": tuned.test.p,
        }
    )


def _described(name: str, run: Run, frozen: EncodingScore, tuned: EncodingScore, unit: str) -> dict[str, Any]:
    config, checkpoint = run.config, run.checkpoint("best")
    return {
        "name": name,
        "path": str(run.path),
        "subject": config.subject,
        "target": config.target,
        "seed": config.seed,
        "method": config.adapter.method,
        "simulated": tuned.summary["simulated"],
        "shift_responses": config.shift_responses,
        "finished": run.result is not None,
        "best": checkpoint.state["best"],
        "history": run.checkpoint("last").state["history"],
        "splits": run.manifest["splits"],
        "bootstrap": f"{config.evaluation.bootstraps} resamples of {unit}",
        "config": config.model_dump(mode="json"),
        "frozen": {key: value for key, value in frozen.summary.items() if key != "versions"},
        "tuned": {key: value for key, value in tuned.summary.items() if key != "versions"},
        "tuned_with": run.manifest["versions"],
    }


def _summary(described: list[dict[str, Any]], frozen_scores: Mapping[str, EncodingScore]) -> dict[str, Any]:
    notes = []
    if any(run["simulated"] for run in described):
        notes.append(
            "The responses are simulated: the numbers show that the method works, not how brains work."
        )
    for score in frozen_scores.values():
        known = score.summary
        notes += [
            f"{known['subject']}: no target {name} ({why})" for name, why in known["missing_targets"].items()
        ]
        notes.append(
            f"{known['subject']}: {known['rows']['held_out']} test rows of {len(known['held_out'])} stories, "
            f"{known['rows']['fitted']} fitted (training and validation), features read at the TR's "
            f"{known['tr_reference']}, penalties by {known['folds']}."
        )
    notes += [f"{run['name']}: intervals from {run['bootstrap']}." for run in described]
    notes += [f"{run['name']}: the run is not finished." for run in described if not run["finished"]]
    return {
        "simulated": any(run["simulated"] for run in described),
        "runs": described,
        "notes": list(dict.fromkeys(notes)),
        "versions": versions(),
    }


def _over_cortex(config: RunConfig, targets: tuple[str, ...]) -> RunConfig:
    """The run's configuration, to score all of cortex and list every target that a run was tuned on."""
    evaluation = config.evaluation
    evaluation = evaluation.model_copy(
        update={"targets": tuple(dict.fromkeys([*evaluation.targets, *targets]))}
    )
    return config.model_copy(update={"target": "cortex", "evaluation": evaluation})


def _frozen_key(config: RunConfig) -> str:
    """Runs with the same key have the same frozen scores: tuning, seed and target do not touch them."""
    return config.model_dump_json(
        exclude={"seed", "target", "adapter", "readout", "loss", "training", "quirks", "shift_responses"}
    )


def _names(runs: Sequence[Run]) -> list[str]:
    names = [run.path.resolve().name for run in runs]
    return [name if names.count(name) == 1 else str(run.path) for name, run in zip(names, runs, strict=True)]


def _device(config: RunConfig) -> torch.device:
    return accelerator_for(config.model_copy(update={"tracking": "none"}), Path()).device
