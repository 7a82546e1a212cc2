"""The frozen frontend's output of a story, computed once: in memory, or of the story whole.

No training changes it (`Backbone.frontend`), and it costs as much as the blocks: a run that keeps it saves that in
every epoch.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from brainwavlm.compute import sent
from brainwavlm.config import WindowConfig
from brainwavlm.errors import BackboneError
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.speech.stream.reader import stream_frames, stream_outputs
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.windows import Windows

Kept = Literal["float32", "float16"]
_STRETCH = 30 * SAMPLE_RATE  # of a shared convolution stack


def kept_frontend(
    backbone: Backbone,
    sound: Tensor,
    windows: Windows,
    config: WindowConfig,
    kind: Kept = "float32",
) -> list[Tensor]:
    """What `features.read_at_ends` takes as `frontend`, on the CPU, without graph.

    One tensor (n_frames, n_dims) a window, or a segment of the stream.
    """
    outputs: dict[int, Tensor] = {}
    for numbers, hidden in frontend_outputs(backbone, sound, windows, config):
        outputs.update(zip(numbers, hidden.to(getattr(torch, kind)), strict=True))
    return [outputs[number] for number in range(len(outputs))]


def frontend_outputs(
    backbone: Backbone, sound: Tensor, windows: Windows, config: WindowConfig
) -> Iterator[tuple[list[int], Tensor]]:
    """Numbers of windows of one length, or of segments of one layout, and their tensors of `kept_frontend`, stacked."""
    if config.mode == "stream":
        yield from stream_outputs(backbone, sound, windows, config)
        return
    shared = SharedFrontend(backbone, sound, windows) if config.frontend == "shared" else None
    for chosen in window_batches(backbone, windows, np.arange(len(windows))):
        yield chosen.tolist(), frontend_output(backbone, sound, windows, chosen, shared).cpu()


def kept_frames(backbone: Backbone, windows: Windows, config: WindowConfig) -> np.ndarray:
    """Frames of each tensor of `kept_frontend`, (n,) int."""
    if config.mode == "stream":
        return stream_frames(backbone, windows, config)
    lengths, places = np.unique(windows.lengths, return_inverse=True)
    return np.array([backbone.n_frames(int(length)) for length in lengths])[places]


def kept_bytes(backbone: Backbone, windows: Windows, config: WindowConfig, kind: Kept = "float32") -> int:
    """Bytes that `kept_frontend` takes, or the file of `frontend_file`."""
    return int(kept_frames(backbone, windows, config).sum()) * backbone.n_dims * np.dtype(kind).itemsize


class SharedFrontend(Sequence[Tensor]):
    """Frames of windows cut from one run of the convolutions over the story, before the positional convolution.

    Exact for layer-norm models whose windows start on the grid of frames. An approximation otherwise: group norm
    (base models) takes its moments from 30 s instead of the window, and a window starts up to half a frame off.

    Parameters
    ----------
    backbone : Backbone
    sound : tensor (n_samples,)
    windows : Windows

    Raises
    ------
    BackboneError
        Whisper, whose frontend adds positions from the window's start.
    """

    def __init__(self, backbone: Backbone, sound: Tensor, windows: Windows):
        family = backbone.family
        if family.name == "whisper":
            raise BackboneError(
                "windows.frontend",
                "shared, with Whisper.",
                "exact: Whisper's frontend adds the positions of frames in the window.",
                "Set windows.frontend to exact.",
            )
        self._backbone, self._sound = backbone, sound
        self._grid = backbone.frame_grid
        self._step = _STRETCH // self._grid[0]
        self._stretches: dict[int, Tensor] = {}
        counts = kept_frames(backbone, windows, WindowConfig())
        self._n_frames = backbone.n_frames(len(sound))
        starts = np.rint(windows.starts / self._grid[0]).astype(int)
        self._starts, self._counts = np.minimum(starts, self._n_frames - counts), counts

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


def window_batches(backbone: Backbone, windows: Windows, indices: np.ndarray) -> Iterator[np.ndarray]:
    """Places in `indices`, batched by equal window length."""
    lengths = windows.lengths[indices]
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        size = backbone.batch_windows or backbone.windows_at_once(int(length))
        for first in range(0, len(places), size):
            yield places[first : first + size]


def frontend_output(
    backbone: Backbone,
    sound: Tensor,
    windows: Windows,
    chosen: np.ndarray,
    frontend: Sequence[Tensor] | None = None,
) -> Tensor:
    """The frontend's output for windows of one length, (n_chosen, n_frames, n_dims), kept or computed."""
    device = backbone.device
    if frontend is None:
        spans = zip(windows.starts[chosen], windows.ends[chosen], strict=True)
        return backbone.frontend(torch.stack([sound[start:end] for start, end in spans]).to(device))
    hidden = sent(torch.stack([frontend[i] for i in chosen]), device).float()
    return backbone.enter(hidden) if isinstance(frontend, SharedFrontend) else hidden
