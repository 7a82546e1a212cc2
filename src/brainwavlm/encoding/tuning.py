"""Tuning: a speech model and a readout learn together to predict responses. The loop reads top to bottom.

For each block of consecutive TRs: windows -> features -> Lanczos -> z-score -> delays -> readout -> loss.
After each epoch whole validation stories are predicted in eval mode; the best epoch is kept.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainwavlm.config import RunConfig
from brainwavlm.encoding.blocks import Block, epoch_steps
from brainwavlm.encoding.history import History
from brainwavlm.encoding.learning import Learner, accelerator_for, seed_everything, separate
from brainwavlm.encoding.losses import combined, require_finite, temporal, without_gaps
from brainwavlm.encoding.materials import planned_clock
from brainwavlm.encoding.models import (
    configured_backbone,
    configured_readout,
    load_model,
    predict,
    require_rows,
    run_manifest,
    solve_readout,
)
from brainwavlm.encoding.readout import FixedRidge
from brainwavlm.encoding.setting import anchored, setting_of
from brainwavlm.encoding.shelf import Shelf
from brainwavlm.encoding.story_moments import StoryMoments
from brainwavlm.progress import Progress
from brainwavlm.runs import Checkpoint, Run
from brainwavlm.speech.adapters import require_gradients
from brainwavlm.speech.frontends import require_folder
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
    loop.accelerator.wait_for_everyone()  # every process has asked whether the place is free
    manifest = run_manifest(config, loop.setting, loop.shelf.supervision, loop.backbone)
    voxels, writes = loop.setting.voxels, loop.accelerator.is_main_process
    with writing(Path(output), manifest, voxels, resume, writes) as writer:
        checkpoint = writer.resume() if resume else None
        if writer.run.result is None:
            try:
                loop.run(writer, checkpoint)
            finally:
                loop.shelf.close()
    loop.accelerator.wait_for_everyone()
    loop.accelerator.end_training()
    return writer.run


class TuningLoop:
    """The state of a tuning run; `run` is the method."""

    writer: Writer

    def __init__(self, config: RunConfig, folder: Path, progress: Progress):
        self.config, self.folder = config, folder
        self.setting = setting_of(config)
        self.accelerator = accelerator_for(config, folder, processes=True)
        self.progress = progress if self.accelerator.is_main_process else Progress()
        seed_everything(config.seed)
        device = self.accelerator.device
        self.backbone = configured_backbone(config).to(device)
        self.shelf = Shelf(self.setting, self.backbone, config, device)
        self.readout = configured_readout(config, self.backbone, self.shelf.supervision.n_targets).to(device)
        require_rows(config, self.setting.splits["train"])
        for recording in self.setting.recordings.values():
            planned_clock(recording, config, self.backbone.min_samples)  # raises what does not fit
        if config.training.frontend_folder is not None:
            require_folder(config.training.frontend_folder)
        self.moments = StoryMoments()
        self.voxel_weights = self.setting.voxel_weights(config.loss, device)

        self.validated = [recording.story.name for recording in self.setting.splits["validation"]]
        self.lengths = {
            recording.story.name: recording.shape[0] for recording in self.setting.splits["train"]
        }
        self.steps_per_epoch = sum(len(steps) for _, steps in epoch_steps(self.lengths, config, 0))
        self.learner = Learner(
            self.backbone, self.readout, config.training, self.steps_per_epoch, self.accelerator
        )
        separate(self.accelerator, config.seed, 0)
        self.at = History()

    def share(self, items: Sequence[Any]) -> Sequence[Any]:
        """What of these falls to this process: all, where there is one."""
        return items[self.accelerator.process_index :: self.accelerator.num_processes]

    def run(self, writer: Writer, checkpoint: Checkpoint | None) -> None:
        """Train, validate, keep the best epoch, stop when it no longer improves."""
        self.writer = writer
        epochs = self.config.training.epochs
        if checkpoint is None:
            self.begin()
        else:
            self.restore(checkpoint)
        self.progress.start(epochs, self.steps_per_epoch, len(self.lengths), done=self.at.step)
        while self.at.epoch < epochs and not self.at.stopped_improving(self.config.training.patience):
            self.train_epoch(done=self.at.step - self.at.epoch * self.steps_per_epoch)
            self.next_moments()
            self.at.epoch += 1
            self.refresh_readout()
            self.record(self.validate())
            self.save()
        self.writer.finish({"best": self.at.best, "history": self.at.history})
        self.progress.stop()

    def begin(self) -> None:
        """Moments of each story under the untuned model, and the readout where it is closed-form."""
        self.backbone.eval()
        stories = self.share(sorted(self.lengths))
        materials = self.shelf.each(stories)
        for _ in self.progress.over(stories, "Reading the untuned model"):
            next(materials).measure(self.backbone, self.moments, self.config)
        self.next_moments()
        if isinstance(self.readout, FixedRidge):
            solve_readout(self.readout, self.backbone, self.shelf, sorted(self.lengths), self.config)

    def next_moments(self) -> None:
        """The rows that all processes have seen become the moments of the next epoch."""
        self.moments = self.moments.shared(self.accelerator, sorted(self.lengths), self.backbone.n_dims)
        self.moments.next_epoch()

    def train_epoch(self, done: int) -> None:
        """One pass over the training stories, of which `done` steps are behind us."""
        self.backbone.train()
        self.readout.train()
        groups = epoch_steps(self.lengths, self.config, self.at.epoch)
        for number, (stories, steps) in enumerate(groups):
            ahead = steps[done:]
            done = max(done - len(steps), 0)
            if not ahead:
                continue
            self.shelf.hold(stories)
            self.shelf.expect(groups[number + 1][0] if number + 1 < len(groups) else self.validated[:1])
            for blocks in ahead:
                self.at.losses.append(self.train_step(blocks))
                self.at.step += 1
                self.progress.step(self.at.losses[-1])
                if self.checkpoint_due():
                    self.save()

    def train_step(self, blocks: Sequence[Block]) -> float:
        """Some blocks, shared among the processes: mean loss, gradient, step."""
        value = torch.zeros((), device=self.accelerator.device)
        if self.learner.learns:
            self.learner.begin(self.at.step)
        for block in self.share(blocks):
            loss = self.loss(block) / len(blocks)
            require_finite(loss, f"the loss of {self.place(block)}", self.folder)
            value += loss.detach()
            if self.learner.learns:
                self.learner.backward(loss)
                if self.at.step == 0:
                    require_gradients(self.backbone.reachable_parameters())
        if self.learner.learns:
            self.learner.update()
        mean = float(self.accelerator.reduce(value, "sum"))
        self.log("step", loss=mean)
        return mean

    def place(self, block: Block) -> str:
        """Where the loop is, in words."""
        return f"step {self.at.step} ({block.story}, from row {block.start})"

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
            require_finite(predicted[-1], f"the validation of epoch {self.at.epoch}", self.folder)
        return -float(temporal(torch.cat(predicted), without_gaps(torch.cat(true)))) if true else None

    def refresh_readout(self) -> None:
        """Solve a closed-form readout again when it is due."""
        every = self.config.readout.refresh
        if isinstance(self.readout, FixedRidge) and every and self.at.epoch % every == 0:
            solve_readout(self.readout, self.backbone, self.shelf, sorted(self.lengths), self.config)

    def record(self, validation: float | None) -> None:
        """Note an epoch, in the log and on the screen."""
        row = self.at.record(validation)
        self.log("epoch", epoch=row["epoch"], mean_loss=row["loss"], validation_r=validation)
        assert self.at.best is not None
        self.progress.epoch(row["epoch"], row["loss"], validation, self.at.best["epoch"])

    def log(self, event: str, **values: Any) -> None:
        """One line in log.jsonl, and the numbers to the tracker that the configuration asks for."""
        self.writer.log(event=event, step=self.at.step, **values)
        numbers = {f"{event}/{key}": value for key, value in values.items() if value is not None}
        self.accelerator.log(numbers, step=self.at.step)

    def checkpoint_due(self) -> bool:
        """Whether to save within an epoch; its end saves anyway."""
        every, step = self.config.training.checkpoint_steps, self.at.step
        return bool(every and step % every == 0 and step % self.steps_per_epoch)

    def save(self) -> None:
        """Everything that the rest of the run depends on."""
        model = {f"backbone.{key}": value for key, value in self.backbone.trained_state().items()}
        model |= {f"readout.{key}": value for key, value in self.readout.state_dict().items()}
        moments = self.moments.shared(self.accelerator, sorted(self.lengths), self.backbone.n_dims)
        tensors = self.learner.state() | moments.state()
        self.writer.checkpoint(self.at.checkpoint_name, Checkpoint(model, tensors, self.at.state()))

    def restore(self, checkpoint: Checkpoint) -> None:
        """The inverse of `save`."""
        load_model(self.backbone, self.readout, checkpoint)
        first = self.accelerator.is_main_process
        self.moments.restore(checkpoint.optimiser, self.accelerator.device, sums=first)
        self.learner.restore(checkpoint.optimiser)
        self.at = History(**{key: checkpoint.state[key] for key in History().state()})
        separate(self.accelerator, self.config.seed, self.at.step)


def _scored_rows(n_trs: int, first_of_500: int | None) -> np.ndarray:
    rows = np.arange(n_trs)
    return rows if first_of_500 is None else rows[rows % 500 < first_of_500]
