"""What a configuration means on a data set: the subject, the stories of each split, the voxels."""

import shlex
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainwavlm.checks.duplicates import same_responses
from brainwavlm.config import LossConfig, RunConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Dataset, Subject, split_recordings
from brainwavlm.datasets.demo import DEMO_MODEL
from brainwavlm.datasets.noise_ceiling import ceiling
from brainwavlm.datasets.responses import Recording, Split
from brainwavlm.datasets.usable_rows import left_out, rows_with_sound, without_rows
from brainwavlm.datasets.usable_voxels import usable_voxels
from brainwavlm.encoding.story_subsets import first_stories
from brainwavlm.encoding.targets import target_mask, uses_ceiling, with_regions
from brainwavlm.errors import ConfigError
from brainwavlm.stimulus.audio import sound_facts
from brainwavlm.stimulus.windows import cut_windows
from brainwavlm.stimulus.word_vectors import vectors_path


@dataclass(frozen=True)
class RunData:
    """A configuration resolved on a data set.

    Attributes
    ----------
    dataset : Dataset
    subject : Subject
    splits : dict from train, validation, test to lists of Recording
    voxels : bool array (n_voxels,)
        In the target and usable in every recording, also in those that train_minutes leaves out.
    unusable : dict of str to int
        Voxels of the whole cortex that are left out, by reason.
    """

    dataset: Dataset
    subject: Subject
    splits: dict[Split, list[Recording]]
    voxels: np.ndarray
    unusable: dict[str, int]

    @property
    def recordings(self) -> dict[str, Recording]:
        """All recordings of the splits, by story."""
        return {recording.story.name: recording for split in self.splits.values() for recording in split}

    def facts(self) -> dict[str, Any]:
        """What a run's manifest and every report say of the data."""
        return {
            "dataset": self.dataset.name,
            "subject": self.subject.name,
            "simulated": self.dataset.simulated,
            "tr": self.dataset.tr,
            "n_voxels": int(self.subject.n_voxels),
            "n_target": int(self.voxels.sum()),
            "unusable": self.unusable,
            "rows": {split: sum(r.shape[0] for r in records) for split, records in self.splits.items()},
            "facts": [*self.dataset.facts, *left_out(self.recordings.values())],
        }

    def while_tuning(self, config: RunConfig) -> "RunData":
        """With the training stories that train_minutes takes; all of them where it is null."""
        if config.train_minutes is None:
            return self
        chosen = first_stories(self.splits["train"], config.train_minutes, config.seed, config.train_from)
        return replace(self, splits={**self.splits, "train": chosen})

    def story_names(self) -> dict[str, list[str]]:
        """Names of the stories of each split, as run.json keeps them."""
        return {split: [recording.story.name for recording in some] for split, some in self.splits.items()}

    @cached_property
    def ceiling(self) -> np.ndarray | None:
        """Noise ceiling (n_voxels,): the data set's, else measured on repeats, else None."""
        return known_ceiling(self.subject)

    def ceiling_of(self, stories: Collection[str]) -> np.ndarray | None:
        """The same for the responses to some stories, whose means may be of more or fewer presentations."""
        if self.ceiling is None:
            return None
        key = tuple(stories)
        if key not in self._ceilings:
            self._ceilings[key] = known_ceiling(self.subject, stories)
        return self._ceilings[key]

    @cached_property
    def _ceilings(self) -> dict[tuple[str, ...], np.ndarray | None]:
        return {}  # repeats are large: they are read once for each choice of stories

    def voxel_weights(self, loss: LossConfig, device: torch.device) -> torch.Tensor | None:
        """Noise ceilings of the target's voxels as weights, tensor (n_voxels,), or None when unweighted.

        Raises
        ------
        ConfigError
            The loss is to be weighted, but the data set has no ceiling for this subject.
        """
        if not loss.ceiling_weighted:
            return None
        if self.ceiling is None:
            raise ConfigError(
                "loss.ceiling_weighted",
                f"{self.subject.name} has neither a ceiling nor a story with repeats.",
                "a ceiling for each voxel.",
                "Add `ceiling` to the subject's anatomy file, or set loss.ceiling_weighted=false.",
            )
        return ceiling_weights(self.ceiling[self.voxels]).to(device)


def known_ceiling(subject: Subject, scored: Collection[str] | None = None) -> np.ndarray | None:
    """A subject's noise ceiling (n_voxels,): the data set's, else from repeats for some stories, else None."""
    if subject.ceiling is not None:
        return subject.ceiling
    return ceiling(subject.recordings.values(), subject.n_voxels, scored)[0]


def ceiling_weights(ceiling: np.ndarray) -> torch.Tensor:
    """w[v] = ceiling[v], zero where the ceiling is NaN or negative.

    Parameters
    ----------
    ceiling : array (n_voxels,)

    Returns
    -------
    tensor (n_voxels,), float32

    Raises
    ------
    ConfigError
        No voxel has a ceiling above zero.
    """
    weights = np.where(np.asarray(ceiling) > 0, ceiling, 0.0)
    if not weights.any():
        raise ConfigError(
            "loss.ceiling_weighted",
            f"none of {len(weights)} voxels has a noise ceiling above 0.",
            "a subject with a ceiling, or with repeats of a story.",
            "Set loss.ceiling_weighted=false, or choose another target.",
        )
    return torch.as_tensor(weights, dtype=torch.float32)


def anchored(config: RunConfig) -> RunConfig:
    """The configuration with folders and files named from the root, so that a run can be scored from anywhere."""

    def absolute(name: str) -> str:
        return str(Path(name).resolve()) if Path(name).is_dir() and name not in ("demo", DEMO_MODEL) else name

    def file(name: str) -> str:
        return str(Path(name).resolve()) if Path(name).is_file() else name

    backbone = config.backbone.model_copy(update={"name": absolute(config.backbone.name)})
    folder = config.training.frontend_folder
    kept = None if folder is None else str(Path(folder).expanduser().resolve())
    embeddings = config.control.embeddings
    vectors = None if embeddings is None else str(vectors_path(embeddings).resolve())
    control = config.control.model_copy(update={"embeddings": vectors})
    targets = tuple(file(name) for name in config.evaluation.targets)
    return config.model_copy(
        update={
            "dataset": absolute(config.dataset),
            "joint": tuple(
                listener.model_copy(update={"dataset": listener.dataset and absolute(listener.dataset)})
                for listener in config.joint
            ),
            "target": file(config.target),
            "regions": {name: tuple(map(file, parts)) for name, parts in config.regions.items()},
            "backbone": backbone,
            "control": control,
            "training": config.training.model_copy(update={"frontend_folder": kept}),
            "evaluation": config.evaluation.model_copy(update={"targets": targets}),
        }
    )


def run_data(config: RunConfig, scanned: bool = True) -> RunData:
    """Resolve a configuration.

    Parameters
    ----------
    config : RunConfig
    scanned : bool
        False: each voxel counts as usable and no response is read, to see whether a configuration means something.

    Raises
    ------
    ConfigError, DatasetError
        Unknown subject, story or target; no training story; no usable voxel.
    """
    dataset = load_dataset(config.dataset)
    subject = with_regions(dataset.subject(config.subject), config.regions)
    splits = split_recordings(subject, config.train, config.validation, config.test)
    if not splits["train"]:
        raise ConfigError(
            "train", f"{subject.name} has no training story.", "at least one.", "Name them with train: [...]."
        )
    heard = [with_sound(recording, config) for split in splits.values() for recording in split]
    for error in same_responses(subject.recordings[one.story.name] for one in heard) if scanned else ():
        raise error
    kept, counts, censored = usable_voxels(heard) if scanned else (np.ones(subject.n_voxels, bool), {}, {})
    none = np.zeros(0, int)
    used = {one.story.name: without_rows(one, censored.get(one.story.name, none)) for one in heard}
    subject = replace(subject, recordings={**subject.recordings, **used})
    splits = {split: [used[one.story.name] for one in some] for split, some in splits.items()}
    measured = known_ceiling(subject) if uses_ceiling(config.target, subject) else None
    target = target_mask(config.target, subject, measured)
    voxels = target if config.quirks.nan_voxels else target & kept
    if not voxels.any():
        raise ConfigError(
            "target",
            f"{config.target} has {int(target.sum())} voxels, none usable ({counts}).",
            "at least one voxel that varies and has no NaN.",
            f"See: brainwavlm check {shlex.quote(config.dataset)}",
        )
    # The voxels are those usable in all stories, so that they are the same whatever part of the stories is tuned on.
    return RunData(dataset, subject, splits, voxels, counts).while_tuning(config)


def with_sound(recording: Recording, config: RunConfig) -> Recording:
    """The recording without the rows that no window of the configuration reaches; see `datasets.usable_rows`."""
    recording.repeats(slice(0, 1))  # raises what is wrong with them before hours of features
    sound = sound_facts(recording.story.audio, recording.story.channel)
    times = cut_windows(sound.n_samples, config.windows).times
    return rows_with_sound(recording, sound.seconds, times, config.alignment)
