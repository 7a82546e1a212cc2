"""A recording made ready for the tuning loop: its sound, windows, clock and responses.

The design matrix of a block of TRs needs the rows before it (the halo), as far back as the longest delay,
and never anything of another story.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from brainwavlm.config import AlignmentConfig, QuirksConfig, RunConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.alignment import StoryClock, delayed, story_clock
from brainwavlm.encoding.alignment import moments as plain_moments
from brainwavlm.encoding.blocks import Block
from brainwavlm.encoding.feature_moments import FeatureMoments
from brainwavlm.errors import AlignmentError
from brainwavlm.speech.backbones import Backbone
from brainwavlm.speech.features import read_at_ends
from brainwavlm.speech.frontend_cache import SharedFrontend, frontend_file, kept_frontend
from brainwavlm.stimulus.audio import SAMPLE_RATE, load_sound, sound_facts
from brainwavlm.stimulus.windows import Windows, cut_windows


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
        """Kernel mass of each row of the clock's matrix, (n_heard + n_trs, 1)."""
        return torch.from_numpy(self.clock.mass).to(self.responses.device)

    def features(self, backbone: Backbone, indices: np.ndarray, config: RunConfig) -> torch.Tensor:
        """What the model says at the given windows, (n_indices, n_dims), with its graph."""
        layers = read_at_ends(
            backbone,
            self.sound,
            self.windows,
            indices,
            config.windows,
            batch_windows=config.backbone.batch_windows,
            frontend=self.frontend,
        )
        return layers[config.backbone.layer]

    def rows(self, backbone: Backbone, config: RunConfig, start: int, stop: int) -> torch.Tensor:
        """Features resampled to rows [start, stop) of the clock's matrix, (stop - start, n_dims)."""
        weights = self.clock.matrix[start:stop]
        needed = np.flatnonzero(weights.any(axis=0))
        features = self.features(backbone, needed, config)
        return features.new_tensor(weights[:, needed]) @ features

    def block_design(
        self, backbone: Backbone, block: Block, moments: FeatureMoments, config: RunConfig
    ) -> torch.Tensor:
        """Design matrix of one block, (n_rows, n_delays * n_dims), with its graph.

        Parameters
        ----------
        backbone : Backbone
        block : Block
        moments : FeatureMoments
            z-scores the features, and is shown the block's own rows for the next epoch.
        config : RunConfig
        """
        start, stop = matrix_rows(self.clock, block, config.quirks)
        slow = self.clock.slow
        n_trs = (block.stop - block.start - 1) * slow + 1
        halo = stop - start - n_trs
        rows = self.rows(backbone, config, max(start, 0), stop)
        mass = self.mass[max(start, 0) : stop]
        moments.add(self.story, rows[-n_trs::slow].detach(), mass[-n_trs::slow])
        mean, scale = plain_moments(rows, mass) if config.quirks.block_zscore else moments[self.story]
        silence = rows.new_zeros(max(-start, 0), rows.shape[1])
        return delayed(torch.cat([silence, (rows - mass * mean) / scale]), self.clock.delays)[halo::slow]

    def measure(self, backbone: Backbone, moments: FeatureMoments, config: RunConfig) -> None:
        """Count all rows of the story, under the present model, towards its next moments."""
        slow = self.clock.slow
        with torch.no_grad():
            first = len(self.clock.matrix) - self.clock.n_trs
            rows = self.rows(backbone, config, first, len(self.clock.matrix))
        moments.add(self.story, rows[::slow], self.mass[first::slow])

    def story_design(self, backbone: Backbone, config: RunConfig) -> torch.Tensor:
        """Design matrix of the whole story, z-scored over its own rows, (n_rows, n_delays * n_dims), no graph."""
        n_trs, slow = self.clock.n_trs, self.clock.slow
        with torch.no_grad():
            rows = self.rows(backbone, config, 0, len(self.clock.matrix))
            mean, scale = plain_moments(rows[-n_trs::slow], self.mass[-n_trs::slow])
            silence = rows.new_zeros(self.clock.silent, rows.shape[1])
            padded = torch.cat([silence, (rows - self.mass * mean) / scale])
            return delayed(padded, self.clock.delays)[self.clock.halo :: slow]


def prepared_story(
    recording: Recording,
    voxels: np.ndarray,
    backbone: Backbone,
    config: RunConfig,
    device: torch.device,
    keep_frontend: bool,
) -> PreparedStory:
    """Read one recording, put its sound and responses on one clock, and keep its frontend's output if asked.

    Parameters
    ----------
    recording : Recording
    voxels : bool array (n_voxels,)
    backbone : Backbone
        Read for its least number of samples, and its frontend where that is kept.
    config : RunConfig
    device : torch device
    keep_frontend : bool
    """
    prepared = read_story(recording, voxels, backbone.min_samples, config, device)
    add_frontend(prepared, recording.story.audio, backbone, config, keep_frontend)
    return prepared


def read_story(
    recording: Recording, voxels: np.ndarray, min_samples: int, config: RunConfig, device: torch.device
) -> PreparedStory:
    """The part of `prepared_story` that reads files; it draws no random number and touches no model."""
    sound = torch.from_numpy(load_sound(recording.story.audio)).to(device)
    windows = cut_windows(len(sound), config.windows, min_samples)
    clock = recording_clock(recording, windows.times, config.alignment, config.quirks)
    responses = torch.from_numpy(story_responses(recording, voxels)).to(device)
    return PreparedStory(recording.story.name, sound, windows, clock, responses)


def add_frontend(
    prepared: PreparedStory, audio: Path, backbone: Backbone, config: RunConfig, in_memory: bool
) -> None:
    """Compute the frozen frontend's output, or find it in the folder of the configuration."""
    training, batch = config.training, config.backbone.batch_windows
    model = (backbone, prepared.sound, prepared.windows, config.windows)
    if in_memory:
        prepared.frontend = kept_frontend(*model, batch, training.frontend_type)
    elif training.frontend_folder is not None:
        prepared.frontend = frontend_file(
            backbone, audio, *model[1:], training.frontend_folder, training.frontend_type, batch
        )
    elif config.windows.frontend == "shared" and config.windows.mode == "windows":
        prepared.frontend = SharedFrontend(*model[:3])


def matrix_rows(clock: StoryClock, block: Block, quirks: QuirksConfig) -> tuple[int, int]:
    """Rows [start, stop) of the clock's matrix that a block needs; a negative start counts silent rows."""
    first_tr = clock.halo - clock.silent
    halo = 0 if quirks.block_delays else clock.halo
    return first_tr + block.start * clock.slow - halo, first_tr + (block.stop - 1) * clock.slow + 1


def needed_windows(clock: StoryClock, block: Block, quirks: QuirksConfig) -> np.ndarray:
    """Indices of the windows that a block sends through the model."""
    start, stop = matrix_rows(clock, block, quirks)
    return np.flatnonzero(clock.matrix[max(start, 0) : stop].any(axis=0))


def planned_windows(recording: Recording, config: RunConfig, min_samples: int) -> Windows:
    """The windows of a recording, from the sound file's header alone."""
    n_samples = int(sound_facts(recording.story.audio).seconds * SAMPLE_RATE)
    return cut_windows(n_samples, config.windows, min_samples)


def planned_clock(recording: Recording, config: RunConfig, min_samples: int) -> StoryClock:
    """The clock of a recording while tuning, from the sound file's header alone: finds what does not fit early."""
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
        clock = story_clock(window_times, times, alignment.delays, alignment.lobes, slow=slow)
    except AlignmentError as error:
        found = f"{error.path} do not fit {recording.story.audio.name}: {error.found}"
        raise AlignmentError(recording.path, found, error.expected, error.remedy) from None
    if quirks is not None and quirks.clip_kernel:
        clipped = np.where(clock.matrix < 1e-10, 0.0, clock.matrix)
        return replace(clock, matrix=clipped)
    return clock


def story_responses(recording: Recording, voxels: np.ndarray | slice) -> np.ndarray:
    """Responses z-scored over the story's rows, (n_trs, n_voxels) float32; NaN stays NaN."""
    responses = recording.responses(columns=voxels)
    mean = responses.mean(0, dtype=np.float64)
    scale = responses.std(0, dtype=np.float64)
    return ((responses - mean) / np.where(scale > 0, scale, 1.0)).astype(np.float32)
