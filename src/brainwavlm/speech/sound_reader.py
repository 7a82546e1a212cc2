"""A sound as a speech model reads it, window by window; `stream.reader` has the other way.

No training changes the frozen frontend's output (`Backbone.frontend`), and it costs as much as the blocks: a run that
keeps it saves that in every epoch.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from brainwavlm.compute import on_device, sent
from brainwavlm.config import WindowConfig
from brainwavlm.datasets.responses import Channel
from brainwavlm.errors import BackboneError
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.stimulus.audio import SAMPLE_RATE, audio_checksum, heard_as
from brainwavlm.stimulus.windows import Windows

Kept = Literal["float32", "float16"]
States = tuple[
    np.ndarray, dict[int, Tensor]
]  # numbers of windows (n,), and by layer their features (n, n_dims)
NO_SOUND = torch.empty(0)
_STRETCH = 30 * SAMPLE_RATE  # of a shared convolution stack


def heard_facts(
    backbone: Backbone, sound_path: str | Path, config: WindowConfig, channel: Channel
) -> dict[str, Any]:
    """All but weights that says what a speech model hears of a sound, and how."""
    return {
        "family": backbone.family.name,
        "normalise_sound": backbone.normalise_sound,
        "windows": config.model_dump(),
        "audio": audio_checksum(sound_path),
        **heard_as(channel),
        **backbone.computed,
    }


@dataclass(frozen=True, eq=False)
class SoundReader(ABC):
    """What reads a speech model at the ends of a sound's windows; `features.sound_reader` makes one.

    Attributes
    ----------
    backbone : Backbone
    windows : Windows
        From `cut_windows` with the same configuration.
    config : WindowConfig
    sound : tensor (n_samples,)
        16 kHz; empty where it will not be heard.
    frontend : sequence of tensors (n_frames, n_dims) or None
        From `kept_frontend` or a file of it; then the sound is not heard.
    """

    backbone: Backbone
    windows: Windows
    config: WindowConfig
    sound: Tensor = NO_SOUND
    frontend: Sequence[Tensor] | None = None

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[int, Tensor]:
        """Features at the ends of chosen windows, in any order.

        Returns
        -------
        dict from layer to tensor (n_indices, n_dims), on the backbone's device; with its graph where gradients
        are on.
        """
        indices = np.asarray(indices, dtype=np.int64)
        layers, device = self.backbone.layers, self.backbone.device
        if not len(indices):
            return {layer: torch.empty(0, self.backbone.n_dims, device=device) for layer in layers}
        row, n_read = np.full(len(self.windows), -1), 0
        parts: dict[int, list[Tensor]] = {layer: [] for layer in layers}
        for numbers, states in self._states(np.unique(indices)):
            row[numbers] = n_read + np.arange(len(numbers))
            n_read += len(numbers)
            for layer, state in states.items():
                parts[layer].append(state)
        order = on_device(row[indices], device, torch.int64)
        return {layer: torch.cat(part)[order] for layer, part in parts.items()}

    def kept_frontend(self, kind: Kept = "float32") -> list[Tensor]:
        """What `frontend` can be: a tensor (n_frames, n_dims) a window or segment, on the CPU, without graph."""
        outputs: dict[int, Tensor] = {}
        for numbers, hidden in self.outputs():
            outputs.update(zip(numbers, hidden.to(getattr(torch, kind)), strict=True))
        return [outputs[number] for number in range(len(outputs))]

    def kept_bytes(self, kind: Kept = "float32") -> int:
        """Bytes that `kept_frontend` takes, or the file of `frontend_file`."""
        return int(self.n_frames.sum()) * self.backbone.n_dims * np.dtype(kind).itemsize

    @property
    @abstractmethod
    def n_frames(self) -> np.ndarray:
        """Frames of each tensor of `kept_frontend`, (n,) int."""

    @abstractmethod
    def outputs(self) -> Iterator[tuple[list[int], Tensor]]:
        """The tensors of `kept_frontend` that are of one length, stacked, and their numbers."""

    @abstractmethod
    def samples_heard(self, indices: Sequence[int] | np.ndarray) -> int:
        """Samples that go through the model when it is read at chosen windows, counted as often as they do."""

    @abstractmethod
    def _states(self, indices: np.ndarray) -> Iterator[States]:
        """Features of windows, these (increasing) and perhaps others."""


class WindowReader(SoundReader):
    """Each window by itself.

    features[i] = h[-1] (last), h[0] (first) or the mean over frames of h, with h the hidden state (n_frames, n_dims)
    of window indices[i]. Windows of one length go through the model together, so nothing is padded.
    """

    @property
    def n_frames(self) -> np.ndarray:
        """Frames of each window, (n_windows,) int."""
        lengths, places = np.unique(self.windows.lengths, return_inverse=True)
        return np.array([self.backbone.n_frames(int(length)) for length in lengths])[places]

    def outputs(self) -> Iterator[tuple[list[int], Tensor]]:
        for numbers in self.batches(np.arange(len(self.windows))):
            yield numbers.tolist(), self.frontend_output(numbers).cpu()

    def samples_heard(self, indices: Sequence[int] | np.ndarray) -> int:
        return int(self.windows.lengths[indices].sum())

    def _states(self, indices: np.ndarray) -> Iterator[States]:
        for numbers in self.batches(indices):
            yield numbers, self.backbone.read(self.frontend_output(numbers), self.config.frame)

    def batches(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Windows of equal length, as many as go through the model at once."""
        lengths = self.windows.lengths[indices]
        for length in np.unique(lengths):
            numbers = indices[lengths == length]
            size = self.backbone.batch_windows or self.backbone.windows_at_once(int(length))
            for first in range(0, len(numbers), size):
                yield numbers[first : first + size]

    def frontend_output(self, numbers: np.ndarray) -> Tensor:
        """The frontend's output for windows of one length, (n_chosen, n_frames, n_dims), kept or computed."""
        backbone, frontend = self.backbone, self._frontend
        if frontend is None:
            spans = zip(self.windows.starts[numbers], self.windows.ends[numbers], strict=True)
            pieces = torch.stack([self.sound[start:end] for start, end in spans])
            return backbone.frontend(pieces.to(backbone.device))
        hidden = sent(torch.stack([frontend[i] for i in numbers]), backbone.device).float()
        return backbone.enter(hidden) if isinstance(frontend, SharedFrontend) else hidden

    @cached_property
    def _frontend(self) -> Sequence[Tensor] | None:
        shared = self.config.frontend == "shared" and self.frontend is None
        return SharedFrontend(self) if shared else self.frontend


class SharedFrontend(Sequence[Tensor]):
    """Frames of windows cut from one run of the convolutions over the story, before the positional convolution.

    Exact for layer-norm models whose windows start on the grid of frames. An approximation otherwise: group norm
    (base models) takes its moments from 30 s instead of the window, and a window starts up to half a frame off.

    Raises
    ------
    BackboneError
        Whisper, whose frontend adds positions from the window's start.
    """

    def __init__(self, reader: WindowReader):
        backbone = reader.backbone
        if backbone.family.name == "whisper":
            raise BackboneError(
                "windows.frontend",
                "shared, with Whisper.",
                "exact: Whisper's frontend adds the positions of frames in the window.",
                "Set windows.frontend to exact.",
            )
        self._backbone, self._sound = backbone, reader.sound
        self._grid = backbone.frame_grid
        self._step = _STRETCH // self._grid[0]
        self._stretches: dict[int, Tensor] = {}
        self._n_frames, self._counts = backbone.n_frames(len(reader.sound)), reader.n_frames
        starts = np.rint(reader.windows.starts / self._grid[0]).astype(int)
        self._starts = np.minimum(starts, self._n_frames - self._counts)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number):
        start, stop = self._starts[number], self._starts[number] + self._counts[number]
        first = start // self._step
        parts = [self._stretch(n) for n in range(first, (stop - 1) // self._step + 1)]
        frames = parts[0] if len(parts) == 1 else torch.cat(parts)
        return frames[start - first * self._step :][: self._counts[number]]

    @torch.no_grad()
    def _stretch(self, number: int) -> Tensor:
        """Frames of 30 s, on the CPU: those that windows ask for, each computed once."""
        if number not in self._stretches:
            (hop, first), at = self._grid, number * self._step
            end = (min(at + self._step, self._n_frames) - 1) * hop + first
            heard = self._sound[at * hop : end][None].to(self._backbone.device)
            self._stretches[number] = self._backbone.listen(heard)[0].cpu()
        return self._stretches[number]
