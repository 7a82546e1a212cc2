"""What a tuning run is made of, how far it is, and what a checkpoint holds of both."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainwavlm.compute import accelerator_for, seed_everything, separate
from brainwavlm.config import RunConfig
from brainwavlm.encoding.blocks import epoch_steps
from brainwavlm.encoding.closed_form import require_solvable
from brainwavlm.encoding.feature_moments import FeatureMoments
from brainwavlm.encoding.optimisation import Optimisation
from brainwavlm.encoding.run_model import configured_backbone, load_state, model_state
from brainwavlm.encoding.story_loader import StoryLoader
from brainwavlm.encoding.subjects import tuned_subjects, with_readouts
from brainwavlm.progress import Progress
from brainwavlm.runs.checkpoint import Checkpoint, restoring
from brainwavlm.speech.frontend_file import require_folder


@dataclass
class TrainingState:
    """The course of a run.

    Attributes
    ----------
    epoch, step : int
        Done so far.
    losses : list of float
        Of the steps of the present epoch.
    gradient_norms : list of float or None
        Of the same steps, before clipping; None where it was no number or nothing is trained by gradient.
    history : list of dict
        For each epoch its number, mean loss, validation_r and mean gradient_norm. Epoch 0, the untuned model, has only
        validation_r, and is there where it may be chosen.
    best : dict or None
        Epoch, validation_r and checkpoint of the best epoch.
    """

    epoch: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float | None] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None

    @property
    def checkpoint_name(self) -> str:
        """Names sort by time."""
        return f"{self.epoch:05d}-{self.step:08d}"

    def record(self, validation: float | None) -> dict[str, Any]:
        """Note the end of an epoch, and return it. Without validation stories the last epoch counts as the best."""
        row = {
            "epoch": self.epoch,
            "loss": float(np.mean(self.losses)) if self.losses else None,
            "validation_r": validation,
            "gradient_norm": self._mean_norm(),
        }
        self.losses, self.gradient_norms = [], []
        self.history.append(row)
        if self.best is None or validation is None or validation > self.best["validation_r"]:
            self.best = {"epoch": self.epoch, "validation_r": validation, "checkpoint": self.checkpoint_name}
        return row

    def _mean_norm(self) -> float | None:
        """None unless it is known of every step: of some, it would be another mean."""
        known = [norm for norm in self.gradient_norms if norm is not None]
        return float(np.mean(known)) if known and len(known) == len(self.losses) else None

    def stopped_improving(self, patience: int | None) -> bool:
        """Whether so many epochs passed without a better one."""
        return bool(patience and self.best and self.epoch - self.best["epoch"] >= patience)

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint; `from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "TrainingState":
        """The history in a checkpoint's state; checkpoints of before gradient norms have none."""
        return cls(**{each.name: state[each.name] for each in fields(cls) if each.name in state})


class TuningParts:
    """The speech model, the subjects with their readouts, their stories, and how far the run is.

    Attributes
    ----------
    subjects : list of TunedSubject
    backbone : Backbone
    readouts : ModuleList
    loader : StoryLoader
    moments : FeatureMoments
        Of the epoch before, and sums for the next.
    untuned : dict of str to tensors (n_trs, n_dims), ()
        Features under the untuned model and their variance, by training recording; empty without loss.distil.
    lengths : dict of str to int
        TRs of the training recordings of all subjects.
    subject_of : dict of str to TunedSubject
        By the name of a training recording.
    optimisation : Optimisation
    state : TrainingState
    """

    def __init__(self, config: RunConfig, folder: Path, progress: Progress):
        self.config, self.folder = config, folder
        subjects = tuned_subjects(config)
        self.accelerator = accelerator_for(config, folder, processes=True)
        self.progress = progress if self.accelerator.is_main_process else Progress()
        seed_everything(config.seed)
        device = self.accelerator.device
        self.backbone = configured_backbone(config).to(device)
        self.subjects = with_readouts(subjects, self.backbone, config, device)
        require_solvable(self.subjects, self.backbone.n_dims, config)
        self.readouts = torch.nn.ModuleList(subject.readout for subject in self.subjects)
        if config.training.frontend_folder is not None:
            require_folder(config.training.frontend_folder)
        self.loader = StoryLoader(self.subjects, self.backbone, config, device)
        self.moments = FeatureMoments()
        self.untuned: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

        self.subject_of = {key: subject for subject in self.subjects for key in subject.lengths}
        self.lengths = {key: rows for subject in self.subjects for key, rows in subject.lengths.items()}
        self.steps_per_epoch = sum(len(steps) for _, steps in epoch_steps(self.lengths, config, 0))
        self.optimisation = Optimisation(
            self.backbone, self.readouts, config.training, self.steps_per_epoch, self.accelerator
        )
        separate(self.accelerator, config.seed, 0)
        self.state = TrainingState()

    @torch.no_grad()
    def read_untuned(self) -> None:
        """Features of all training stories, at TRs, under the model as it is: what loss.distil holds on to."""
        self.backbone.eval()
        names = sorted(self.lengths)
        stories = self.loader.each(names)
        for name in self.progress.over(names, "Reading what is to be kept"):
            features, wanted = next(stories).whole(self.backbone, self.config)
            features = features[wanted].float()
            self.untuned[name] = features, features.var(0, correction=0).sum()

    def checkpoint(self) -> Checkpoint:
        """Everything that the rest of the run depends on."""
        model = model_state(self.backbone, self.readouts, self.config)
        return Checkpoint(model, self.optimisation.state() | self.moments.state(), self.state.as_dict())

    def restore(self, checkpoint: Checkpoint) -> None:
        """The inverse of `checkpoint`."""
        load_state(checkpoint, self.config, self.backbone, enumerate(self.readouts))
        with restoring(checkpoint):
            self.moments.restore(checkpoint.optimiser, self.accelerator.device)
            self.optimisation.restore(checkpoint.optimiser)
        self.state = TrainingState.from_dict(checkpoint.state)
        separate(self.accelerator, self.config.seed, self.state.step)
