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
from brainwavlm.encoding.alignment import delayed, moments
from brainwavlm.encoding.blocks import Block, epoch_steps, read_together, spanned
from brainwavlm.encoding.closed_form import solve_readouts, with_ridge
from brainwavlm.encoding.losses import combined, feature_distance, require_finite
from brainwavlm.encoding.prepared_stories import PreparedStory, block_rows
from brainwavlm.encoding.run_data import anchored
from brainwavlm.encoding.subjects import run_manifest
from brainwavlm.encoding.tuning_parts import TuningParts
from brainwavlm.progress import Progress
from brainwavlm.runs.checkpoint import Checkpoint
from brainwavlm.runs.run import Run
from brainwavlm.runs.writer import Writer, require_place, writing
from brainwavlm.speech.adapters import require_gradients


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
    manifest = run_manifest(config, loop.subjects, loop.backbone)
    voxels = [subject.data.voxels for subject in loop.subjects]
    writes = loop.accelerator.is_main_process
    with writing(Path(output), manifest, voxels, resume, writes) as writer:
        if writer.run.result is None:
            machine = loop.accelerator.device, loop.accelerator.num_processes
            try:
                # Begins before the log is cut back, which says how long a killed session was.
                with writer.recording(config, *machine, command):
                    loop.run(writer, writer.resume() if resume else None)
            finally:
                loop.loader.close()
        writer.seal()
    loop.accelerator.wait_for_everyone()
    loop.accelerator.end_training()
    return writer.run


class TuningLoop(TuningParts):
    """A tuning run: `run` is the method, `loss` its science."""

    writer: Writer

    def run(self, writer: Writer, checkpoint: Checkpoint | None) -> None:
        """Train, validate, keep the best epoch, stop when it no longer improves."""
        self.writer = writer
        training = self.config.training
        if self.config.loss.distil:  # before a checkpoint is restored: the model is still untuned
            self.read_untuned()
        if checkpoint is None:
            self.begin()
            if self.config.quirks.epoch_by_ridge:
                self.record(self.validate())
                self.save()
        else:
            self.restore(checkpoint)
        state = self.state
        self.progress.start(training.epochs, self.steps_per_epoch, len(self.lengths), done=state.step)
        while state.epoch < training.epochs and not state.stopped_improving(training.patience):
            self.train_epoch(done=state.step - state.epoch * self.steps_per_epoch)
            self.moments.next_epoch()
            state.epoch += 1
            self.refresh_readout()
            self.record(self.validate())
            self.save()
        by = "ridge" if self.config.quirks.epoch_by_ridge else "readout"
        self.writer.finish({"best": state.best, "history": state.history, "chosen_by": by})
        self.progress.stop()

    def loss(self, *blocks: Block) -> torch.Tensor:
        """Features of blocks of one story, read together; the sum of their losses, with its graph."""
        story = self.loader[blocks[0].story]
        stretch = block_rows(story.clock, spanned(blocks), self.config.quirks).all
        features = story.features(self.backbone, stretch, self.config)  # (n_all, n_dims), at TRs
        losses = [self.block_loss(block, story, features, stretch.start) for block in blocks]
        return torch.stack(losses).sum()

    def block_loss(
        self, block: Block, story: PreparedStory, features: torch.Tensor, first: int
    ) -> torch.Tensor:
        """Design, prediction and loss of one block; features (n_all, n_dims) are of rows from `first` on."""
        subject, quirks = self.subject_of[block.story], self.config.quirks
        rows = block_rows(story.clock, block, quirks)  # its own, and before them the halo that delays need
        wanted, mass = rows.on(features.device), story.mass[rows.all]
        features = features[rows.all.start - first : rows.all.stop - first]
        own = features[wanted], mass[wanted]
        self.moments.add(block.story, own[0].detach(), own[1])
        mean, scale = moments(*own) if quirks.block_zscore else self.moments[block.story]
        normalised = (features - mass * mean) / scale
        design = delayed(normalised, story.clock.delays, wanted)  # (n_trs, n_delays * n_dims)
        predicted = subject.readout(design)  # (n_trs, n_voxels)
        true = story.responses[block.start : block.stop].float()
        loss = combined(self.config.loss, predicted, true, subject.weights, quirks)
        if weight := self.config.loss.distil:
            untuned, variance = self.untuned[block.story]
            loss = loss + weight * feature_distance(own[0], untuned[block.start : block.stop], variance)
        return loss

    def train_step(self, blocks: Sequence[Block]) -> tuple[float, float | None]:
        """Some blocks, whose windows the processes share: gradient, step; mean loss and norm of the gradient."""
        length = value = torch.zeros((), device=self.accelerator.device)
        if self.optimisation.learns:
            self.optimisation.begin(self.state.step)
        for group in read_together(blocks, self.config):
            loss = self.loss(*group) / (len(blocks) * self.accelerator.num_processes)
            value = value + loss.detach()
            if self.optimisation.learns:
                self.optimisation.backward(loss)
                if self.state.step == 0:
                    require_gradients(self.backbone.reachable_parameters())
        if self.optimisation.learns:
            length = self.optimisation.update()
        # One transfer a step: each makes the host wait for the card.
        mean, length = torch.stack([self.accelerator.reduce(value, "sum"), length]).cpu()
        require_finite(mean, f"the loss of {self.place(blocks)}", self.folder)
        norm = float(length) if self.optimisation.learns and length.isfinite() else None
        self.log("step", loss=float(mean), gradient_norm=norm)
        return float(mean), norm

    def train_epoch(self, done: int) -> None:
        """One pass over the training stories, of which `done` steps are behind us."""
        self.backbone.train()
        self.readouts.train()
        groups = epoch_steps(self.lengths, self.config, self.state.epoch)
        validated = list(self.subjects[0].recordings("validation"))
        for blocks in self.loader.steps(groups, skip=done, then=validated[:1]):
            loss, norm = self.train_step(blocks)
            self.state.losses.append(loss)
            self.state.gradient_norms.append(norm)
            self.state.step += 1
            self.progress.step(loss)
            if self.checkpoint_due():
                self.save()

    def begin(self) -> None:
        """Moments of each story under the untuned model, and the readout where it is closed-form."""
        self.backbone.eval()
        names = sorted(self.lengths)
        stories = self.loader.each(names)
        for _ in self.progress.over(names, "Reading the untuned model"):
            next(stories).measure(self.backbone, self.moments, self.config)
        self.moments.next_epoch()
        solve_readouts(self.subjects, self.backbone, self.loader, self.config)

    def validate(self) -> dict[str, float]:
        """Correlation on whole validation stories, by subject; none where there are no such stories.

        Of the readout, or with quirks.epoch_by_ridge of ridge on the present features.
        """
        where = (f"the validation of epoch {self.state.epoch}", self.folder)
        r = {}
        for subject in self.subjects:
            stories = list(subject.recordings("validation"))
            by_ridge = stories and self.config.quirks.epoch_by_ridge
            scored = with_ridge(subject, self.backbone, self.loader, self.config) if by_ridge else subject
            r[subject.name] = scored.validation_r(self.loader.each(stories), self.backbone, where)
        return {name: value for name, value in r.items() if value is not None}

    def refresh_readout(self) -> None:
        """Solve closed-form readouts again when that is due."""
        every = self.config.readout.refresh
        if every and self.state.epoch % every == 0:
            solve_readouts(self.subjects, self.backbone, self.loader, self.config)

    def record(self, validation: dict[str, float]) -> None:
        """Note an epoch, in the log and on the screen; subjects count alike, however many voxels they have."""
        mean = float(np.mean(list(validation.values()))) if validation else None
        row = self.state.record(mean)
        numbers = {"mean_loss": row["loss"], "validation_r": mean, "mean_gradient_norm": row["gradient_norm"]}
        by_listener = {"by_listener": validation} if len(self.subjects) > 1 else {}
        self.log("epoch", epoch=row["epoch"], **numbers, **by_listener)
        assert self.state.best is not None
        self.progress.epoch(row["epoch"], row["loss"], mean, self.state.best["epoch"])

    def log(self, event: str, **values: Any) -> None:
        """One line in log.jsonl, and the numbers to the tracker that the configuration asks for."""
        self.writer.log(event=event, step=self.state.step, **values)
        numbers = {f"{event}/{key}": value for key, value in values.items() if isinstance(value, int | float)}
        self.accelerator.log(numbers, step=self.state.step)

    def place(self, blocks: Sequence[Block]) -> str:
        """Where the loop is, in words."""
        stretches = "; ".join(f"{block.story}, from row {block.start}" for block in blocks)
        return f"step {self.state.step} ({stretches})"

    def checkpoint_due(self) -> bool:
        """Whether to save within an epoch; its end saves anyway."""
        every, step = self.config.training.checkpoint_steps, self.state.step
        return bool(every and step % every == 0 and step % self.steps_per_epoch)

    def save(self) -> None:
        """A checkpoint, from which a broken run goes on."""
        self.writer.checkpoint(self.state.checkpoint_name, self.checkpoint())
