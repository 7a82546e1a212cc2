"""Tuning: a speech model and a readout learn together to predict responses. The loop reads top to bottom.

For each block of consecutive TRs: windows -> features -> Lanczos -> z-score -> delays -> readout -> loss.
After each epoch whole validation stories are predicted in eval mode; the best epoch is kept.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainwavlm.config import RunConfig
from brainwavlm.encoding.blocks import Block, epoch_order
from brainwavlm.encoding.learning import Learner, accelerator_for, seed_everything
from brainwavlm.encoding.losses import combined, require_finite, temporal, without_gaps
from brainwavlm.encoding.materials import planned_clocks
from brainwavlm.encoding.models import (
    configured_backbone,
    configured_readout,
    load_model,
    predict,
    require_rows,
    solve_readout,
)
from brainwavlm.encoding.readout import FixedRidge
from brainwavlm.encoding.setting import anchored, setting_of
from brainwavlm.encoding.shelf import Shelf
from brainwavlm.encoding.story_moments import StoryMoments
from brainwavlm.progress import Progress
from brainwavlm.runs import Checkpoint, Run, versions
from brainwavlm.speech.adapters import require_gradients
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.writing import Writer, require_place, writing


def tune(
    config: RunConfig, output: str | Path, resume: bool = False, progress: Progress | None = None
) -> Run:
    """Fine-tune a speech model on one subject's responses.

    Parameters
    ----------
    config : RunConfig
    output : str or Path
        Folder of the run; new, or with `resume` that of a run of the same configuration.
    resume : bool
        Go on from the last checkpoint. On the CPU the end is bit-identical to that of an unbroken run.
    progress : Progress or None
        Shows what happens; None is silent.

    Returns
    -------
    Run

    Raises
    ------
    ConfigError, DatasetError, BackboneError, RunError
        Before anything is written.
    TuningError
        No gradient reaches an adapter, or the loss is no number.

    References
    ----------
    Vattikonda, Vaidya, Antonello, Huth 2025, arXiv 2502.08866.
    """
    require_place(Path(output), resume)
    config = anchored(config)
    loop = TuningLoop(config, Path(output), progress or Progress())
    with writing(Path(output), loop.manifest(), loop.setting.voxels, resume) as writer:
        checkpoint = writer.resume() if resume else None
        if writer.run.result is None:
            try:
                loop.run(writer, checkpoint)
            finally:
                loop.shelf.close()
    return writer.run


class TuningLoop:
    """The state of a tuning run; `run` is the method."""

    writer: Writer

    def __init__(self, config: RunConfig, folder: Path, progress: Progress):
        self.config, self.folder, self.progress = config, folder, progress
        self.setting = setting_of(config)
        self.accelerator = accelerator_for(config, folder)
        seed_everything(config.seed)
        device = self.accelerator.device
        self.backbone = configured_backbone(config).to(device)
        self.readout = configured_readout(config, self.backbone, int(self.setting.voxels.sum())).to(device)
        require_rows(config, self.setting.splits["train"])
        self.clocks = planned_clocks(self.setting, config, self.backbone.min_samples)
        self.shelf = Shelf(self.setting, self.backbone, config, device)
        self.moments = StoryMoments()
        self.voxel_weights = self.setting.voxel_weights(config.loss, device)

        self.validated = [recording.story.name for recording in self.setting.splits["validation"]]
        self.lengths = {
            recording.story.name: recording.shape[0] for recording in self.setting.splits["train"]
        }
        self.blocks = sum(len(blocks) for _, blocks in epoch_order(self.lengths, config, 0))
        self.learner = Learner(self.backbone, self.readout, config.training, self.blocks, self.accelerator)

        self.epoch = self.step = 0
        self.losses: list[float] = []  # of the present epoch
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None

    def manifest(self) -> dict[str, Any]:
        """What run.json says."""
        backbone = self.config.backbone
        return {
            "config": self.config.model_dump(mode="json"),
            "splits": self.setting.story_names(),
            "data": self.setting.facts(),
            "backbone": {
                "family": self.backbone.family.name,
                "checksum": load_backbone(backbone.name, backbone.layer).weights_checksum(),
                "train_noise": self.backbone.noise,
            },
            "versions": versions(),
        }

    def run(self, writer: Writer, checkpoint: Checkpoint | None) -> None:
        """Train, validate, keep the best epoch, stop when it no longer improves."""
        self.writer = writer
        epochs = self.config.training.epochs
        if checkpoint is None:
            self.begin()
        else:
            self.restore(checkpoint)
        self.progress.start(epochs, self.blocks, len(self.lengths), done=self.step)
        while self.epoch < epochs and not self.stopped_improving():
            self.train_epoch(done=self.step - self.epoch * self.blocks)
            self.moments.next_epoch()
            self.epoch += 1
            self.refresh_readout()
            self.record(self.validate())
            self.save()
        self.writer.finish({"best": self.best, "history": self.history})
        self.accelerator.end_training()
        self.progress.stop()

    def begin(self) -> None:
        """Moments of each story under the untuned model, and the readout where it is closed-form."""
        self.backbone.eval()
        materials = self.shelf.each(sorted(self.lengths))
        for _ in self.progress.over(sorted(self.lengths), "Reading the untuned model"):
            next(materials).measure(self.backbone, self.moments, self.config)
        if isinstance(self.readout, FixedRidge):
            solve_readout(self.readout, self.backbone, self.shelf, sorted(self.lengths), self.config)

    def train_epoch(self, done: int) -> None:
        """One pass over the training stories, of which `done` blocks are behind us."""
        self.backbone.train()
        self.readout.train()
        groups = list(epoch_order(self.lengths, self.config, self.epoch))
        for number, (stories, blocks) in enumerate(groups):
            ahead = blocks[done:]
            done = max(done - len(blocks), 0)
            if not ahead:
                continue
            self.shelf.hold(stories)
            self.shelf.expect(groups[number + 1][0] if number + 1 < len(groups) else self.validated[:1])
            for block in ahead:
                self.losses.append(self.train_step(block))
                self.step += 1
                self.progress.step(self.losses[-1])
                if self.checkpoint_due():
                    self.save()

    def train_step(self, block: Block) -> float:
        """One block: loss, gradient, step."""
        loss = self.loss(block)
        value = float(loss.detach())
        require_finite(loss, f"the loss of {self.place(block)}", self.folder)
        if self.learner.learns:
            self.learner.backward(loss, self.step)
            if self.step == 0:
                require_gradients(self.backbone.reachable_parameters())
            self.learner.update()
        self.log("step", loss=value)
        return value

    def place(self, block: Block) -> str:
        """Where the loop is, in words."""
        return f"step {self.step} ({block.story}, from row {block.start})"

    def loss(self, block: Block) -> torch.Tensor:
        """Features, design, prediction and loss of one block, with its graph."""
        material, quirks = self.shelf[block.story], self.config.quirks
        with self.accelerator.autocast():
            design = material.block_design(self.backbone, block, self.moments, self.config)
            predicted = self.readout(design).float()
        require_finite(predicted, f"the prediction of {self.place(block)}", self.folder)
        true, weights = material.responses[block.start : block.stop], self.voxel_weights
        if quirks.nan_voxels:
            present = torch.isfinite(true).all(0)
            predicted, true = predicted[:, present], true[:, present]
            weights = None if weights is None else weights[present]
        return combined(self.config.loss, predicted, true, weights, quirks.std_unbiased)

    def validate(self) -> float | None:
        """Mean over voxels of the correlation over all rows of the validation stories; None without any."""
        true, predicted = [], []
        for material in self.shelf.each(self.validated):
            rows = _scored_rows(len(material.responses), self.config.quirks.validation_rows)
            true.append(material.responses[rows])
            predicted.append(predict(self.backbone, self.readout, material, self.config)[rows])
            require_finite(predicted[-1], f"the validation of epoch {self.epoch}", self.folder)
        return -float(temporal(torch.cat(predicted), without_gaps(torch.cat(true)))) if true else None

    def refresh_readout(self) -> None:
        """Solve a closed-form readout again when it is due."""
        every = self.config.readout.refresh
        if isinstance(self.readout, FixedRidge) and every and self.epoch % every == 0:
            solve_readout(self.readout, self.backbone, self.shelf, sorted(self.lengths), self.config)

    def record(self, validation: float | None) -> None:
        """Note an epoch. Without validation stories the last epoch counts as the best."""
        loss = float(np.mean(self.losses))
        self.losses = []
        self.history.append({"epoch": self.epoch, "loss": loss, "validation_r": validation})
        if self.best is None or validation is None or validation > self.best["validation_r"]:
            self.best = {"epoch": self.epoch, "validation_r": validation, "checkpoint": self.checkpoint_name}
        self.log("epoch", epoch=self.epoch, mean_loss=loss, validation_r=validation)
        self.progress.epoch(self.epoch, loss, validation, self.best["epoch"])

    def stopped_improving(self) -> bool:
        """Whether patience has run out."""
        patience = self.config.training.patience
        return bool(patience and self.best and self.epoch - self.best["epoch"] >= patience)

    def log(self, event: str, **values: Any) -> None:
        """One line in log.jsonl, and the numbers to the tracker that the configuration asks for."""
        self.writer.log(event=event, step=self.step, **values)
        numbers = {f"{event}/{key}": value for key, value in values.items() if value is not None}
        self.accelerator.log(numbers, step=self.step)

    @property
    def checkpoint_name(self) -> str:
        """Names sort by time."""
        return f"{self.epoch:05d}-{self.step:08d}"

    def checkpoint_due(self) -> bool:
        """Whether to save within an epoch; its end saves anyway."""
        every = self.config.training.checkpoint_steps
        return bool(every and self.step % every == 0 and self.step % self.blocks)

    def save(self) -> None:
        """Everything that the rest of the run depends on."""
        model = {f"backbone.{key}": value for key, value in self.backbone.trained_state().items()}
        model |= {f"readout.{key}": value for key, value in self.readout.state_dict().items()}
        state = {"epoch": self.epoch, "step": self.step, "losses": self.losses, "history": self.history}
        tensors = self.learner.state() | self.moments.state()
        self.writer.checkpoint(self.checkpoint_name, Checkpoint(model, tensors, {**state, "best": self.best}))

    def restore(self, checkpoint: Checkpoint) -> None:
        """The inverse of `save`."""
        load_model(self.backbone, self.readout, checkpoint)
        self.moments.restore(checkpoint.optimiser, self.accelerator.device)
        self.learner.restore(checkpoint.optimiser)
        state = checkpoint.state
        self.epoch, self.step, self.losses = state["epoch"], state["step"], state["losses"]
        self.history, self.best = state["history"], state["best"]


def _scored_rows(n_trs: int, first_of_500: int | None) -> np.ndarray:
    rows = np.arange(n_trs)
    return rows if first_of_500 is None else rows[rows % 500 < first_of_500]
