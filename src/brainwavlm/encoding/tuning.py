"""Tuning: a speech model and a readout learn together to predict responses. The loop reads top to bottom.

For each block of consecutive TRs: windows -> features -> Lanczos -> z-score -> delays -> readout -> loss.
After each epoch whole validation stories are predicted in eval mode; the best epoch is kept.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainwavlm.compute import accelerator_for, seed_everything, separate
from brainwavlm.config import RunConfig
from brainwavlm.encoding.blocks import Block, epoch_steps
from brainwavlm.encoding.feature_moments import FeatureMoments
from brainwavlm.encoding.losses import combined, require_finite
from brainwavlm.encoding.optimisation import Optimisation
from brainwavlm.encoding.run_data import anchored
from brainwavlm.encoding.run_model import (
    configured_backbone,
    load_backbone_state,
    load_readout_state,
    model_state,
    run_manifest,
)
from brainwavlm.encoding.sides import solve_readouts, tuned_subjects
from brainwavlm.encoding.story_loader import StoryLoader
from brainwavlm.encoding.subjects import listeners_of
from brainwavlm.encoding.training_state import TrainingState
from brainwavlm.progress import Progress
from brainwavlm.runs.checkpoint import Checkpoint, restoring
from brainwavlm.runs.provenance import Recorder, Unrecorded
from brainwavlm.runs.run import Run
from brainwavlm.runs.writer import Writer, require_place, writing
from brainwavlm.speech.adapters import require_gradients
from brainwavlm.speech.frontend_cache import require_folder


def tune(
    config: RunConfig,
    output: str | Path,
    resume: bool = False,
    progress: Progress | None = None,
    command: str | None = None,
) -> Run:
    """Fine-tune a speech model on one subject's responses, or on those of several together (config.joint).

    Parameters
    ----------
    config : RunConfig
    output : str or Path
        Folder of the run; new, or with `resume` that of a run of the same configuration.
    resume : bool
        Go on from the last checkpoint. On the CPU the end is bit-identical to that of an unbroken run.
    progress : Progress or None
        Shows what happens; None is silent.
    command : str or None
        What was typed, for the record (provenance.json).

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
    manifest = run_manifest(config, loop.listeners, loop.backbone)
    voxels = [listener.data.voxels for listener in loop.listeners]
    writes = loop.accelerator.is_main_process
    with writing(Path(output), manifest, voxels, resume, writes) as writer:
        finished = writer.run.result is not None
        if writes and not finished:  # before the log is cut back: it says how long a killed session was
            loop.recorder = Recorder(
                Path(output), config, loop.accelerator.device, loop.accelerator.num_processes, command
            )
        checkpoint = writer.resume() if resume else None
        if not finished:
            try:
                with loop.recorder:
                    loop.run(writer, checkpoint)
            finally:
                loop.loader.close()
    loop.accelerator.wait_for_everyone()
    loop.accelerator.end_training()
    return writer.run


class TuningLoop:
    """The state of a tuning run; `run` is the method."""

    writer: Writer
    recorder: Recorder | Unrecorded = Unrecorded()

    def __init__(self, config: RunConfig, folder: Path, progress: Progress):
        self.config, self.folder = config, folder
        self.listeners = listeners_of(config)
        self.accelerator = accelerator_for(config, folder, processes=True)
        self.progress = progress if self.accelerator.is_main_process else Progress()
        seed_everything(config.seed)
        device = self.accelerator.device
        self.backbone = configured_backbone(config).to(device)
        self.loader = StoryLoader(self.listeners, self.backbone, config, device)
        self.sides = tuned_subjects(self.listeners, self.backbone, config, device)
        self.readouts = torch.nn.ModuleList(side.readout for side in self.sides)
        if config.training.frontend_folder is not None:
            require_folder(config.training.frontend_folder)
        self.moments = FeatureMoments()

        self.lengths = {key: rows for side in self.sides for key, rows in side.lengths.items()}
        self.side_of = {key: side for side in self.sides for key in side.lengths}
        self.steps_per_epoch = sum(len(steps) for _, steps in epoch_steps(self.lengths, config, 0))
        self.optimisation = Optimisation(
            self.backbone, self.readouts, config.training, self.steps_per_epoch, self.accelerator
        )
        separate(self.accelerator, config.seed, 0)
        self.at = TrainingState()

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
        materials = self.loader.each(stories)
        for _ in self.progress.over(stories, "Reading the untuned model"):
            next(materials).measure(self.backbone, self.moments, self.config)
        self.next_moments()
        solve_readouts(self.sides, self.backbone, self.loader, self.config)

    def next_moments(self) -> None:
        """The rows that all processes have seen become the moments of the next epoch."""
        self.moments = self.moments.shared(self.accelerator, sorted(self.lengths), self.backbone.n_dims)
        self.moments.next_epoch()

    def train_epoch(self, done: int) -> None:
        """One pass over the training stories, of which `done` steps are behind us."""
        self.backbone.train()
        self.readouts.train()
        groups = epoch_steps(self.lengths, self.config, self.at.epoch)
        for number, (stories, steps) in enumerate(groups):
            ahead = steps[done:]
            done = max(done - len(steps), 0)
            if not ahead:
                continue
            self.loader.hold(stories)
            self.loader.expect(
                groups[number + 1][0] if number + 1 < len(groups) else self.sides[0].validated[:1]
            )
            for blocks in ahead:
                loss, norm = self.train_step(blocks)
                self.at.losses.append(loss)
                self.at.gradient_norms.append(norm)
                self.at.step += 1
                self.recorder.step()
                self.progress.step(self.at.losses[-1])
                if self.checkpoint_due():
                    self.save()

    def train_step(self, blocks: Sequence[Block]) -> tuple[float, float | None]:
        """Some blocks, shared among the processes: gradient, step; mean loss and norm of the gradient."""
        norm = None
        value = torch.zeros((), device=self.accelerator.device)
        if self.optimisation.learns:
            self.optimisation.begin(self.at.step)
        for block in self.share(blocks):
            loss = self.loss(block) / len(blocks)
            require_finite(loss, f"the loss of {self.place(block)}", self.folder)
            value += loss.detach()
            if self.optimisation.learns:
                self.optimisation.backward(loss)
                if self.at.step == 0:
                    require_gradients(self.backbone.reachable_parameters())
        if self.optimisation.learns:
            norm = self.optimisation.update()
        mean = float(self.accelerator.reduce(value, "sum"))
        self.log("step", loss=mean, gradient_norm=norm)
        return mean, norm

    def place(self, block: Block) -> str:
        """Where the loop is, in words."""
        return f"step {self.at.step} ({block.story}, from row {block.start})"

    def loss(self, block: Block) -> torch.Tensor:
        """Features, design, prediction and loss of one block, with its graph."""
        prepared, side, quirks = self.loader[block.story], self.side_of[block.story], self.config.quirks
        with self.accelerator.autocast():
            design = prepared.block_design(self.backbone, block, self.moments, self.config)
            predicted = side.readout(design).float()
        require_finite(predicted, f"the prediction of {self.place(block)}", self.folder)
        true, weights = prepared.responses[block.start : block.stop], side.weights
        if quirks.nan_voxels:
            present = torch.isfinite(true).all(0)
            predicted, true = predicted[:, present], true[:, present]
            weights = None if weights is None else weights[present]
        return combined(self.config.loss, predicted, true, weights, quirks.std_unbiased)

    def validate(self) -> dict[str, float]:
        """The readout's correlation on whole validation stories, by listener; none where there are no such stories."""
        where = (f"the validation of epoch {self.at.epoch}", self.folder)
        found = {
            side.listener.name: side.validation_r(self.backbone, self.loader, self.config, where)
            for side in self.sides
        }
        return {name: r for name, r in found.items() if r is not None}

    def refresh_readout(self) -> None:
        """Solve closed-form readouts again when that is due."""
        every = self.config.readout.refresh
        if every and self.at.epoch % every == 0:
            solve_readouts(self.sides, self.backbone, self.loader, self.config)

    def record(self, validation: dict[str, float]) -> None:
        """Note an epoch, in the log and on the screen; listeners count alike, however many voxels they have."""
        mean = float(np.mean(list(validation.values()))) if validation else None
        row = self.at.record(mean)
        numbers = {"mean_loss": row["loss"], "validation_r": mean, "mean_gradient_norm": row["gradient_norm"]}
        by_listener = {"by_listener": validation} if len(self.sides) > 1 else {}
        self.log("epoch", epoch=row["epoch"], **numbers, **by_listener)
        assert self.at.best is not None
        self.progress.epoch(row["epoch"], row["loss"], mean, self.at.best["epoch"])

    def log(self, event: str, **values: Any) -> None:
        """One line in log.jsonl, and the numbers to the tracker that the configuration asks for."""
        self.writer.log(event=event, step=self.at.step, **values)
        numbers = {f"{event}/{key}": value for key, value in values.items() if isinstance(value, int | float)}
        self.accelerator.log(numbers, step=self.at.step)

    def checkpoint_due(self) -> bool:
        """Whether to save within an epoch; its end saves anyway."""
        every, step = self.config.training.checkpoint_steps, self.at.step
        return bool(every and step % every == 0 and step % self.steps_per_epoch)

    def save(self) -> None:
        """Everything that the rest of the run depends on."""
        model = model_state(self.backbone, self.readouts, self.config)
        moments = self.moments.shared(self.accelerator, sorted(self.lengths), self.backbone.n_dims)
        tensors = self.optimisation.state() | moments.state()
        self.writer.checkpoint(self.at.checkpoint_name, Checkpoint(model, tensors, self.at.state()))
        self.recorder.write()

    def restore(self, checkpoint: Checkpoint) -> None:
        """The inverse of `save`."""
        load_backbone_state(self.backbone, checkpoint)
        for number, readout in enumerate(self.readouts):
            load_readout_state(readout, checkpoint, self.config, number)
        first = self.accelerator.is_main_process
        with restoring(checkpoint):
            self.moments.restore(checkpoint.optimiser, self.accelerator.device, sums=first)
            self.optimisation.restore(checkpoint.optimiser)
        self.at = TrainingState.from_state(checkpoint.state)
        separate(self.accelerator, self.config.seed, self.at.step)
