"""What tuning changed: fresh ridge on frozen and on tuned features, on the same rows, folds and voxels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainwavlm.config import RunConfig
from brainwavlm.datasets.base import Recording
from brainwavlm.encoding.learning import accelerator_for
from brainwavlm.encoding.materials import recording_clock
from brainwavlm.encoding.models import tuned_model
from brainwavlm.encoding.setting import Setting, setting_of
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.evaluation.comparison import compared, described, summary, voxel_rows
from brainwavlm.evaluation.encoding_model import responses_of, score_features
from brainwavlm.evaluation.encoding_score import EncodingScore
from brainwavlm.evaluation.scores import Scores, correlation
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
    runs: Run | Sequence[Run],
    cache: str | Path | None = None,
    progress: Progress | None = None,
    memory_gb: float | None = None,
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
    memory_gb : float or None
        What ridge may use; None: as each run was configured.

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
    _require_distinct(runs)
    progress = progress or Progress()
    tuned_on = tuple(run.config.target for run in runs)
    frozen_scores: dict[str, EncodingScore] = {}
    tables, voxels, entries = [], [], []
    for run, name in zip(runs, _names(runs), strict=True):
        config = _over_cortex(run.config, tuned_on, memory_gb)
        setting = setting_of(config)
        _require_unchanged(run, setting)
        key = _frozen_key(config)
        if key not in frozen_scores:
            frozen_scores[key] = _frozen(config, setting, cache, progress)
        frozen = frozen_scores[key]
        backbone, readout = tuned_model(run)
        features = _features(backbone, config, setting, cache, progress, f"Reading stories, {name}")
        tuned = _scored(features, config, setting)
        r_readout = _readout_r(readout, run, features, setting)[frozen.voxel]
        table, unit = compared(name, config, frozen, tuned, r_readout)
        tables += table
        voxels.append(voxel_rows(name, frozen, tuned, r_readout))
        entries.append(described(name, run, frozen, tuned, unit))
    return Scores(pd.DataFrame(tables), pd.concat(voxels, ignore_index=True), summary(entries, frozen_scores))


def _require_distinct(runs: Sequence[Run]) -> None:
    paths = [run.path.resolve() for run in runs]
    if not runs or len(set(paths)) < len(paths):
        raise ConfigError(
            "runs",
            f"{len(runs)} runs, {len(set(paths))} different.",
            "one run or more.",
            "Name each run once.",
        )


def _require_unchanged(run: Run, setting: Setting) -> None:
    """A tuned model may only be scored on the data and the speech model that it was tuned with."""
    now = {
        "splits": setting.story_names(),
        "voxels of the subject": setting.subject.n_voxels,
        "speech model": load_backbone(run.config.backbone.name, run.config.backbone.layer).weights_checksum(),
    }
    then = {
        "splits": run.manifest["splits"],
        "voxels of the subject": run.manifest["data"].get("n_voxels"),
        "speech model": run.manifest["backbone"].get("checksum"),
    }
    for what, found in now.items():
        if found != then[what]:
            raise RunError(
                run.path / "run.json",
                f"{what}: {then[what]} when the run was tuned, {found} now.",
                "the data set and speech model of the run, unchanged.",
                "Restore them, or tune again: a test story must not have been heard while tuning.",
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


def _over_cortex(config: RunConfig, targets: tuple[str, ...], memory_gb: float | None) -> RunConfig:
    """The run's configuration, to score all of cortex and list every target that a run was tuned on."""
    ridge = config.ridge if memory_gb is None else config.ridge.model_copy(update={"memory_gb": memory_gb})
    evaluation = config.evaluation
    evaluation = evaluation.model_copy(
        update={"targets": tuple(dict.fromkeys([*evaluation.targets, *targets]))}
    )
    return config.model_copy(update={"target": "cortex", "evaluation": evaluation, "ridge": ridge})


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
