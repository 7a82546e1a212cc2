"""What several scores share: data sets resolved once, untuned speech models loaded once, features kept on disk."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainwavlm.compute import accelerator_for
from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.run_data import RunData, run_data, tuned_splits
from brainwavlm.encoding.targets import target_mask, uses_ceiling
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.evaluation.ridge_predictions import require_design
from brainwavlm.progress import Progress
from brainwavlm.runs.run import Run
from brainwavlm.speech.backbones import Backbone, load_backbone
from brainwavlm.speech.features import StoryFeatures, cached, extract

_OF_THE_DATA = {"dataset", "subject", "regions", "target", "train", "validation", "test"}


class Evaluator:
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
        self._settings: dict[str, RunData] = {}
        self._untuned: dict[tuple[str, tuple[int, ...]], tuple[Backbone, str]] = {}

    def setting(self, config: RunConfig) -> RunData:
        """The configuration resolved on its data set; all responses are scanned once for each choice of data.

        With all training stories, also those that train_minutes left out: what a speech model is worth is asked on the
        same stories, however many it was tuned on.
        """
        config = config.model_copy(update={"train_minutes": None})
        key = config.model_dump_json(include=_OF_THE_DATA) + str(config.quirks.nan_voxels)
        if key not in self._settings:
            self._settings[key] = run_data(config)
        return self._settings[key]

    def untuned(self, config: RunConfig, layers: Sequence[int] = ()) -> Backbone:
        """The speech model as it is, read at the configured layer and further ones; loaded once."""
        return self._loaded(config, layers)[0]

    def features(
        self, backbone: Backbone, config: RunConfig, recordings: Iterable[Recording], title: str
    ) -> dict[str, StoryFeatures]:
        """Features of the stories of some recordings, from the cache where there is one."""
        return dict(self.each(backbone, config, recordings, title))

    def each(
        self, backbone: Backbone, config: RunConfig, recordings: Iterable[Recording], title: str
    ) -> Iterator[tuple[str, StoryFeatures]]:
        """`features`, one story after the other: name and features of all the backbone's layers."""
        backbone.to(device_of(config))
        size = config.backbone.batch_windows
        stories = {recording.story.name: recording.story for recording in recordings}
        for name in self.progress.over(sorted(stories), title):
            sound = stories[name].audio
            if self.cache is None:
                yield name, extract(backbone, sound, config.windows, size)
            else:
                yield name, cached(backbone, sound, config.windows, self.cache, size)

    def require_scorable(self, run: Run, config: RunConfig) -> None:
        """Raise what is known to go wrong before the first story is read: files of the run, its data, the design.

        Parameters
        ----------
        run : Run
        config : RunConfig
            With which it is to be scored.
        """
        run.require_whole()
        setting = self.setting(config)
        self.require_unchanged(run, setting)
        self.require_design(setting, config)

    def require_design(self, setting: RunData, config: RunConfig, leave_one_out: bool = False) -> None:
        """Raise where ridge could not be done with a setting's stories; see `held_out.require_design`."""
        backbone = self.untuned(config)
        require_design(setting.splits, config, backbone.n_dims, backbone.min_samples, leave_one_out)

    def require_unchanged(self, run: Run, setting: RunData) -> None:
        """A tuned model may only be scored on the data and the speech model that it was tuned with.

        Raises
        ------
        RunError
            The splits, the number of voxels, those of the run's target or the speech model are not those of run.json.
        """
        heard = replace(setting, splits=tuned_splits(setting.splits, run.config))
        _require_equal(run, "splits", run.manifest["splits"], heard.story_names())
        n_voxels = run.manifest["data"].get("n_voxels")
        _require_equal(run, "voxels of the subject", n_voxels, setting.subject.n_voxels)
        target, quirks = run.config.target, run.config.quirks
        if not (quirks.nan_voxels or uses_ceiling(target, setting.subject)):
            now = target_mask(target, setting.subject, None) & setting.voxels
            then = np.flatnonzero(run.voxels)
            # A shared readout has only those that all listeners have.
            same = now[then].all() and (run.config.readout.shared or len(then) == now.sum())
            _require_equal(run, f"voxels of the target {target}", len(then), len(then) if same else "others")
        self.require_same_model(run)

    def require_same_model(self, run: Run) -> None:
        """RunError where the speech model is not that of run.json."""
        checksum = run.manifest["backbone"].get("checksum")
        _require_equal(run, "speech model", checksum, self._loaded(run.config)[1])

    def _loaded(self, config: RunConfig, layers: Sequence[int] = ()) -> tuple[Backbone, str]:
        key = (config.backbone.name, tuple(sorted({config.backbone.layer, *layers})))
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
    """Names of the folders, whole paths where two have one name; with the listener where one is there several times."""
    folders = Counter(run.path.resolve() for run in runs)
    short = Counter(folder.name for folder in folders)
    names = []
    for run in runs:
        folder = run.path.resolve()
        name = folder.name if short[folder.name] == 1 else str(run.path)
        names.append(f"{name} ({run.listeners[run.listener]})" if folders[folder] > 1 else name)
    return names


def sides(runs: Sequence[Run]) -> list[Run]:
    """Runs as each of their listeners sees them, each to be scored like a run of that listener alone."""
    return [side for run in runs for side in run.sides]


def with_whole_cortex(config: RunConfig, targets: Iterable[str], memory_gb: float | None) -> RunConfig:
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


def untuned_model_key(config: RunConfig) -> str:
    """Runs with the same key have the same frozen scores: tuning, seed and target do not touch them."""
    return config.model_dump_json(
        exclude={
            *(
                "seed",
                "joint",
                "target",
                "train_minutes",
                "train_from",
                "adapter",
                "readout",
                "loss",
                "training",
            ),
            *("quirks", "control"),
        }
    )
