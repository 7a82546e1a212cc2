"""What a run would do and cost, said before anything long begins."""

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch

from brainwavlm.checks.amount import amount_facts
from brainwavlm.compute import accelerator_for
from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import SPLITS, Recording
from brainwavlm.datasets.usable_rows import left_out
from brainwavlm.encoding.blocks import Block, epoch_steps, read_together, spanned
from brainwavlm.encoding.prepared_stories import needed_windows, planned_clock, planned_windows
from brainwavlm.encoding.story_loader import TUNED_ON
from brainwavlm.encoding.subjects import TunedSubject
from brainwavlm.encoding.tuning import TuningLoop
from brainwavlm.progress import Progress
from brainwavlm.speech.features import sound_reader
from brainwavlm.stimulus.audio import SAMPLE_RATE


@dataclass(frozen=True)
class Plan:
    """The size and the estimated cost of a run.

    Attributes
    ----------
    facts : dict
        Data set, subject, voxels and their state.
    stories, hours, rows : dict of split to int, float, int
    windows_per_epoch : int
        Windows at whose ends the model is read in an epoch of training blocks, halos counted as often as they are run.
    sound_per_epoch : float
        Hours of sound that go through the model for that.
    steps_per_epoch, epochs : int
    trained : dict of str to int
        Parameters of the speech model and of the readout that change.
    seconds_per_step : float
        Of a few steps, measured now on this machine, by the sound that goes through the model for each.
    hours_of_run : float
        For all epochs with validation; patience may end it sooner.
    memory_gb : float
        Peak of this process after those steps, plus what the run will hold beyond them.
    card_gb : float or None
        The same of a CUDA card, which then holds the stories.
    device : str
    notes : list of str
        Rows that are left out, and what so little data cannot tell.
    """

    facts: dict[str, Any]
    stories: dict[str, int]
    hours: dict[str, float]
    rows: dict[str, int]
    windows_per_epoch: int
    sound_per_epoch: float
    steps_per_epoch: int
    epochs: int
    trained: dict[str, int]
    seconds_per_step: float
    hours_of_run: float
    memory_gb: float
    card_gb: float | None
    device: str
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def plan(config: RunConfig, calibration_steps: int = 2) -> Plan:
    """Resolve a configuration and time a few steps of it. Nothing is written.

    Parameters
    ----------
    config : RunConfig
    calibration_steps : int
        One more is run first and not counted.
    """
    training = config.training.model_copy(update={"frontend_folder": None})
    untracked = config.model_copy(update={"tracking": "none", "training": training})
    accelerator_for(untracked, Path())  # refuses several processes: each would measure the other
    loop = TuningLoop(untracked, Path(), Progress())
    by_split: dict[str, dict[str, Recording]] = {
        split: {key: r for subject in loop.subjects for key, r in subject.recordings(split).items()}
        for split in SPLITS
    }
    recordings = {key: recording for some in by_split.values() for key, recording in some.items()}
    windows = {key: planned_windows(r, config, loop.backbone.min_samples) for key, r in recordings.items()}
    steps = [step for _, some in epoch_steps(loop.lengths, config, 0) for step in some]
    groups = [group for step in steps for group in read_together(step, config)]
    clocks = {key: planned_clock(recordings[key], config, loop.backbone.min_samples) for key in loop.lengths}
    needed = [
        (group[0].story, needed_windows(clocks[group[0].story], spanned(group), config.quirks))
        for group in groups
    ]
    readers = {key: sound_reader(loop.backbone, some, config.windows) for key, some in windows.items()}
    heard = [readers[story].samples_heard(some) for story, some in needed]
    epoch = sum(heard) * _seconds_per_sample(loop, groups, heard, calibration_steps)
    rows = {split: sum(recording.shape[0] for recording in some.values()) for split, some in by_split.items()}
    validation = epoch / 3 * rows["validation"] / rows["train"]  # forward only
    held, on_card = _held_bytes(loop), loop.accelerator.device.type == "cuda"
    each = {one.name or one.data.subject.name: one.facts()["data"] for one in loop.subjects}
    return Plan(
        facts=loop.subjects[0].facts()["data"] | {"subject": "+".join(each), "listeners": each},
        stories={split: len(some) for split, some in by_split.items()},
        hours={
            split: float(sum(windows[key].times[-1] for key in some) / 3600)
            for split, some in by_split.items()
        },
        rows=rows,
        windows_per_epoch=sum(len(some) for _, some in needed),
        sound_per_epoch=sum(heard) / SAMPLE_RATE / 3600,
        steps_per_epoch=loop.steps_per_epoch,
        epochs=config.training.epochs,
        trained={
            "speech model": sum(p.numel() for _, p in loop.backbone.adapter_parameters()),
            "readout": sum(p.numel() for p in loop.readouts.parameters() if p.requires_grad),
        },
        seconds_per_step=epoch / loop.steps_per_epoch,
        hours_of_run=(epoch + validation) * config.training.epochs / 3600,
        memory_gb=(_peak_bytes() + loop.loader.kept_bytes + (0 if on_card else held)) / 1e9,
        card_gb=(torch.cuda.max_memory_allocated() + held) / 1e9 if on_card else None,
        device=str(loop.accelerator.device),
        notes=[f"{one.data.subject.name}: {note}" for one in loop.subjects for note in _notes(one, config)],
    )


def _notes(subject: TunedSubject, config: RunConfig) -> list[str]:
    data = subject.data
    rows = {split: [recording.shape[0] for recording in some] for split, some in data.splits.items()}
    fitted, n_voxels = [*rows["train"], *rows["validation"]], int(data.voxels.sum())
    little = amount_facts(fitted, rows["test"], n_voxels, config.ridge, config.evaluation)
    return [*left_out(data.recordings.values()), *little]


def _seconds_per_sample(loop: TuningLoop, groups: list[Sequence[Block]], heard: list[int], n: int) -> float:
    """Of sound, for some groups of one story; the longest first, which takes most memory."""
    story = groups[0][0].story
    chosen = [pair for pair in zip(heard, groups, strict=True) if pair[1][0].story == story]
    chosen.sort(key=itemgetter(0), reverse=True)
    loop.loader.hold([story])
    loop.backbone.eval()
    loop.loader[story].measure(loop.backbone, loop.moments, loop.config)
    loop.moments.next_epoch()
    loop.backbone.train()
    seconds, samples = 0.0, 0
    for step in range(n + 1):
        n_samples, group = chosen[step % len(chosen)]
        began = time.perf_counter()
        loss = loop.loss(*group)
        if loop.optimisation.learns:
            loop.optimisation.begin(step)
            loop.optimisation.backward(loss)
            loop.optimisation.update()
        float(loss.detach())  # waits for a card
        if step > 0:
            seconds += time.perf_counter() - began
            samples += n_samples
    return seconds / samples


def _peak_bytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _held_bytes(loop: TuningLoop) -> float:
    """Responses and sound of the recordings that are held at once beyond the one of the calibration."""
    # On a card all stories stay, those of validation too.
    stay, splits = loop.loader.on_card, TUNED_ON if loop.loader.on_card else TUNED_ON[:1]
    sizes = sorted(loop.loader.sizes(splits, 2 if stay else 4), reverse=True)
    return sum(sizes[1 : None if stay else loop.config.training.stories_in_memory])
