"""What several scores share: data sets resolved once, untuned speech models loaded once, features kept on disk."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainwavlm.config import RunConfig
from brainwavlm.datasets.base import Recording
from brainwavlm.encoding.learning import accelerator_for
from brainwavlm.encoding.setting import Setting, setting_of
from brainwavlm.encoding.targets import target_mask, uses_ceiling
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.progress import Progress
from brainwavlm.runs import Run
from brainwavlm.speech.backbones import Backbone, load_backbone
from brainwavlm.speech.features import StoryFeatures, cached, extract

_OF_THE_DATA = {"dataset", "subject", "regions", "target", "train", "validation", "test"}


class Bench:
    """Where scores are made.

    Parameters
    ----------
    cache : str, Path or None
        Folder of features to read and add to; None: computed and not kept.
    progress : Progress or None
        Shows which stories are read; None is silent.
    """

    def __init__(self, cache: str | Path | None, progress: Progress | None) -> None:
        self.cache, self.progress = cache, progress or Progress()
        self._settings: dict[str, Setting] = {}
        self._untuned: dict[tuple[str, int], tuple[Backbone, str]] = {}

    def setting(self, config: RunConfig) -> Setting:
        """The configuration resolved on its data set; all responses are scanned once for each choice of data."""
        key = config.model_dump_json(include=_OF_THE_DATA) + str(config.quirks.nan_voxels)
        if key not in self._settings:
            self._settings[key] = setting_of(config)
        return self._settings[key]

    def untuned(self, config: RunConfig) -> Backbone:
        """The speech model as it is, read at the configured layer; loaded once."""
        return self._loaded(config)[0]

    def features(
        self, backbone: Backbone, config: RunConfig, recordings: Iterable[Recording], title: str
    ) -> dict[str, StoryFeatures]:
        """Features of the stories of some recordings, from the cache where there is one."""
        backbone.to(device_of(config))
        size = config.backbone.batch_windows
        stories = {recording.story.name: recording.story for recording in recordings}
        features = {}
        for name in self.progress.over(sorted(stories), title):
            sound = stories[name].audio
            if self.cache is None:
                features[name] = extract(backbone, sound, config.windows, size)
            else:
                features[name] = cached(backbone, sound, config.windows, self.cache, size)
        return features

    def require_unchanged(self, run: Run, setting: Setting) -> None:
        """A tuned model may only be scored on the data and the speech model that it was tuned with.

        Raises
        ------
        RunError
            The splits, the number of voxels, those of the run's target or the speech model are not those of run.json.
        """
        _require_equal(run, "splits", run.manifest["splits"], setting.story_names())
        n_voxels = run.manifest["data"].get("n_voxels")
        _require_equal(run, "voxels of the subject", n_voxels, setting.subject.n_voxels)
        target, quirks = run.config.target, run.config.quirks
        if not (quirks.nan_voxels or uses_ceiling(target, setting.subject)):
            now = target_mask(target, setting.subject, None) & setting.voxels
            then = np.flatnonzero(run.voxels)
            same = np.array_equal(then, np.flatnonzero(now))
            _require_equal(run, f"voxels of the target {target}", len(then), len(then) if same else "others")
        self.require_same_model(run)

    def require_same_model(self, run: Run) -> None:
        """RunError where the speech model is not that of run.json."""
        checksum = run.manifest["backbone"].get("checksum")
        _require_equal(run, "speech model", checksum, self._loaded(run.config)[1])

    def _loaded(self, config: RunConfig) -> tuple[Backbone, str]:
        key = (config.backbone.name, config.backbone.layer)
        if key not in self._untuned:
            backbone = load_backbone(*key)
            self._untuned[key] = backbone, backbone.weights_checksum()
        return self._untuned[key]


def _require_equal(run: Run, what: str, then: Any, now: Any) -> None:
    if now != then:
        raise RunError(
            run.path / "run.json",
            f"{what}: {then} when the run was tuned, {now} now.",
            "the data set and speech model of the run, unchanged.",
            "Restore them, or tune again: a test story must not have been heard while tuning.",
        )


def require_distinct(runs: Sequence[Run]) -> None:
    """ConfigError unless there is a run, and none is named twice."""
    paths = [run.path.resolve() for run in runs]
    if not runs or len(set(paths)) < len(paths):
        raise ConfigError(
            "runs",
            f"{len(runs)} runs, {len(set(paths))} different.",
            "one run or more.",
            "Name each run once.",
        )


def run_names(runs: Sequence[Run]) -> list[str]:
    """Names of the folders; whole paths where two have one name."""
    names = [run.path.resolve().name for run in runs]
    return [name if names.count(name) == 1 else str(run.path) for name, run in zip(names, runs, strict=True)]


def over_cortex(config: RunConfig, targets: Iterable[str], memory_gb: float | None) -> RunConfig:
    """The run's configuration, to score all usable voxels of cortex and list every target that a run was tuned on."""
    ridge = config.ridge if memory_gb is None else config.ridge.model_copy(update={"memory_gb": memory_gb})
    evaluation = config.evaluation
    evaluation = evaluation.model_copy(
        update={"targets": tuple(dict.fromkeys([*evaluation.targets, *targets]))}
    )
    # Voxels with a NaN have no score, whatever the loss did with them.
    quirks = config.quirks.model_copy(update={"nan_voxels": False})
    return config.model_copy(
        update={"target": "cortex", "evaluation": evaluation, "ridge": ridge, "quirks": quirks}
    )


def device_of(config: RunConfig) -> torch.device:
    """Where the configuration computes."""
    return accelerator_for(config.model_copy(update={"tracking": "none"}), Path()).device


def frozen_key(config: RunConfig) -> str:
    """Runs with the same key have the same frozen scores: tuning, seed and target do not touch them."""
    return config.model_dump_json(
        exclude={"seed", "target", "adapter", "readout", "loss", "training", "quirks", "control"}
    )
