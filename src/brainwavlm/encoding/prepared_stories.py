"""A recording made ready for the tuning loop: its sound, windows, clock and responses.

The design matrix of a block of TRs needs the rows before it (the halo), as far back as the longest delay,
and never anything of another story.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from brainwavlm.compute import on_device, own_share, summed
from brainwavlm.config import AlignmentConfig, QuirksConfig, RunConfig
from brainwavlm.datasets.responses import Recording, Story
from brainwavlm.encoding.alignment import delayed, zscored
from brainwavlm.encoding.alignment import moments as feature_moments
from brainwavlm.encoding.blocks import Block
from brainwavlm.encoding.clock import StoryClock, story_clock
from brainwavlm.encoding.feature_moments import FeatureMoments
from brainwavlm.errors import AlignmentError
from brainwavlm.speech.features import sound_reader
from brainwavlm.speech.frontend_file import frontend_file
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.speech.sound_reader import SharedFrontend, WindowReader
from brainwavlm.stimulus.audio import load_sound, sound_facts
from brainwavlm.stimulus.windows import Windows, cut_windows


class MatrixRows(NamedTuple):
    """Rows of a clock's matrix: those of a block, with what their delays reach between them.

    Attributes
    ----------
    all : slice
    wanted : int array (n_wanted,)
        Those that are rows of the responses, counted from the first of all.
    """

    all: slice
    wanted: np.ndarray

    def on(self, device: torch.device) -> torch.Tensor:
        """`wanted` there."""
        return on_device(self.wanted, device, torch.int64)


@dataclass
class PreparedStory:
    """One recording in memory.

    Attributes
    ----------
    story : str
    sound : tensor (n_samples,)
    windows : Windows
    clock : StoryClock
    responses : tensor (n_rows, n_voxels)
        z-scored within the story, voxels of the target only; or what a control puts in their place. A row a TR, or
        every clock.slow TRs.
    frontend : sequence of tensors (n_frames, n_dims) or None
        Output of the frozen frontend, one a window, or one a segment of the stream, where it is kept.
    """

    story: str
    sound: torch.Tensor
    windows: Windows
    clock: StoryClock
    responses: torch.Tensor
    frontend: Sequence[torch.Tensor] | None = None

    @cached_property
    def mass(self) -> torch.Tensor:
        """Kernel mass of each row of the clock's matrix, (n_rows, 1)."""
        return torch.from_numpy(self.clock.mass).to(self.responses.device)

    def features(self, backbone: Backbone, rows: slice, config: RunConfig) -> torch.Tensor:
        """Features at TRs, (n_rows, n_dims) with their graph: Lanczos weights @ what the model says at windows.

        Processes share the windows; each gets the features of all.
        """
        weights = self.clock.matrix[rows]
        needed = own_share(np.flatnonzero(weights.any(axis=0)))
        reader = sound_reader(backbone, self.windows, config.windows, self.sound, self.frontend)
        said = reader.read(needed)[config.backbone.layer]
        return summed(on_device(weights[:, needed], said.device, said.dtype) @ said)

    def whole(self, backbone: Backbone, config: RunConfig) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of all rows of the clock's matrix, and which of them are rows of the responses, (n_rows,)."""
        features = self.features(backbone, slice(0, len(self.clock.matrix)), config)
        return features, on_device(self.clock.kept[:: self.clock.slow], features.device, torch.int64)

    @torch.no_grad()
    def measure(self, backbone: Backbone, moments: FeatureMoments, config: RunConfig) -> None:
        """Count all rows of the story, under the present model, towards its next moments."""
        features, wanted = self.whole(backbone, config)
        moments.add(self.story, features[wanted], self.mass[wanted])

    @torch.no_grad()
    def story_design(self, backbone: Backbone, config: RunConfig) -> torch.Tensor:
        """Design matrix of the whole story, z-scored over its own rows, (n_rows, n_delays * n_dims), no graph."""
        features, wanted = self.whole(backbone, config)
        mean, scale = feature_moments(features[wanted], self.mass[wanted])
        return delayed((features - self.mass * mean) / scale, self.clock.delays, wanted)


def read_story(
    recording: Recording, voxels: np.ndarray, min_samples: int, config: RunConfig, device: torch.device
) -> PreparedStory:
    """Read one recording and put its sound and responses on one clock; no random number, and no model is touched."""
    sound = torch.from_numpy(load_sound(recording.story.audio, recording.story.channel)).to(device)
    windows = cut_windows(len(sound), config.windows, min_samples)
    clock = recording_clock(recording, windows.times, config.alignment, config.quirks)
    responses = torch.from_numpy(story_responses(recording, voxels)).to(device)
    return PreparedStory(recording.story.name, sound, windows, clock, responses)


def add_frontend(
    story: PreparedStory, source: Story, backbone: Backbone, config: RunConfig, in_memory: bool
) -> None:
    """Compute the frozen frontend's output, or find it in the folder of the configuration."""
    training, kind = config.training, config.training.frontend_type
    reader = sound_reader(backbone, story.windows, config.windows, story.sound)
    if training.frontend_folder is not None:
        story.frontend = frontend_file(reader, source.audio, training.frontend_folder, kind, source.channel)
    elif in_memory:
        story.frontend = reader.kept_frontend(kind)
    elif config.windows.frontend == "shared" and isinstance(reader, WindowReader):
        story.frontend = SharedFrontend(reader)


def block_rows(clock: StoryClock, block: Block, quirks: QuirksConfig) -> MatrixRows:
    """The rows of a block and those before them that its delays reach; with quirks.block_delays, see zeros there."""
    wanted = clock.kept[:: clock.slow][block.start : block.stop]
    start = wanted[0] - (0 if quirks.block_delays else clock.halo)
    return MatrixRows(slice(start, wanted[-1] + 1), wanted - start)


def needed_windows(clock: StoryClock, block: Block, quirks: QuirksConfig) -> np.ndarray:
    """Indices of the windows that a block sends through the model."""
    return np.flatnonzero(clock.matrix[block_rows(clock, block, quirks).all].any(axis=0))


def planned_windows(recording: Recording, config: RunConfig, min_samples: int) -> Windows:
    """The windows of a recording, from the sound's decoded length, which is kept."""
    story = recording.story
    return cut_windows(sound_facts(story.audio, story.channel).n_samples, config.windows, min_samples)


def planned_clock(recording: Recording, config: RunConfig, min_samples: int) -> StoryClock:
    """The clock of a recording while tuning, from the sound's length alone: finds what does not fit early."""
    times, slow = planned_windows(recording, config, min_samples).times, config.training.slow
    clock = recording_clock(recording, times, config.alignment)  # scores will be at full rate
    return clock if slow == 1 else recording_clock(recording, times, config.alignment, slow=slow)


def recording_clock(
    recording: Recording,
    window_times: np.ndarray,
    alignment: AlignmentConfig,
    quirks: QuirksConfig | None = None,
    slow: int = 1,
) -> StoryClock:
    """The clock of a recording under the configured reference, delays and kernel."""
    times = recording.tr_times + (recording.tr / 2 if alignment.tr_reference == "centre" else 0.0)
    try:
        clock = story_clock(window_times, times, alignment.delays, alignment.lobes, slow, recording.spacing)
    except AlignmentError as error:
        problem = f"{error.path} do not fit {recording.story.audio.name}: {error.found}"
        raise AlignmentError(recording.path, problem, error.expected, error.remedy) from None
    if quirks is not None and quirks.clip_kernel:
        clipped = np.where(clock.matrix < 1e-10, 0.0, clock.matrix)
        return replace(clock, matrix=clipped)
    return clock


def story_responses(recording: Recording, voxels: np.ndarray | slice) -> np.ndarray:
    """Responses z-scored over the story's rows, (n_trs, n_voxels) float32; NaN stays NaN."""
    return zscored(recording.responses(columns=voxels))
