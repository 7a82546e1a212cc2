"""Features of a story that goes through the model once: the stream, another model of context than windows.

A window hears its own `context` seconds and nothing else; frames of different windows know nothing of each other.
In a stream all frames of a segment go through the blocks together, under a mask that lets a frame see `context`
seconds back and no block of frames ahead: what a frame knows was known when its block ended.
See docs/explanation/stream.md.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from brainwavlm.compute import on_device, products, sent
from brainwavlm.config import WindowConfig
from brainwavlm.errors import BackboneError
from brainwavlm.speech.hidden_states import Backbone, Frame
from brainwavlm.speech.stream.layout import Layout, Segment, cut_segments, equal_layouts, needed_segments
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.windows import Windows


def read_stream(
    backbone: Backbone,
    sound: Tensor,
    windows: Windows,
    indices: Sequence[int] | np.ndarray,
    config: WindowConfig,
    frontend: Sequence[Tensor] | None = None,
) -> dict[int, Tensor]:
    """Features at the ends of chosen windows, of the segments that they lie in.

    features[i] = mean over frames f of h[f], with h the hidden state (n_frames, n_dims) of the segment and f the
    frames in (t - context, t] that `config.frame` names, t = windows.ends[indices[i]]

    Parameters
    ----------
    backbone : Backbone
    sound : tensor (n_samples,)
        16 kHz.
    windows : Windows
        All windows of the sound, from `cut_windows` with the same configuration.
    indices : sequence of int (n_indices,)
        Which readings, in any order.
    config : WindowConfig
    frontend : sequence of tensors, one a segment, optional
        From `kept_frontend`; then the sound is not read.

    Returns
    -------
    dict from layer to tensor (n_indices, n_dims), on the backbone's device; with its graph where gradients
    are on.

    Raises
    ------
    BackboneError
        Noise of the model's own configuration is on, which acts on windows.
    """
    if backbone.training and backbone.noise:
        raise BackboneError(
            "windows.mode",
            f"stream, with {', '.join(backbone.noise)} in training mode.",
            "no noise but the adapters' dropout: SpecAugment masks windows, not segments.",
            "Set backbone.train_noise to false.",
        )
    device = backbone.device
    indices = np.asarray(indices, dtype=np.int64)
    if not len(indices):
        return {layer: torch.empty(0, backbone.n_dims, device=device) for layer in backbone.layers}
    segments = needed_segments(_segments(backbone, windows, config), indices, whole=device.type == "cuda")
    row = np.full(len(windows), -1)
    parts: dict[int, list[Tensor]] = {layer: [] for layer in backbone.layers}
    n_read = 0
    for batch in equal_layouts(segments, _batch_size(backbone, config)):
        layout = segments[batch[0]].layout
        if frontend is None:
            hidden = _heard(backbone, sound, [segments[i] for i in batch])
        else:
            hidden = sent(torch.stack([frontend[i][: layout.n_frames] for i in batch]), device).float()
        for layer, state in _read(backbone, hidden, layout, config.frame).items():
            parts[layer].append(state.flatten(0, 1))
        n_readings = len(layout.reading_ends)
        for number in batch:
            row[segments[number].first :][:n_readings] = n_read + np.arange(n_readings)
            n_read += n_readings
    order = on_device(row[indices], device, torch.int64)
    return {layer: torch.cat(part)[order] for layer, part in parts.items()}


def stream_outputs(
    backbone: Backbone, sound: Tensor, windows: Windows, config: WindowConfig
) -> Iterator[tuple[list[int], Tensor]]:
    """Numbers of segments of one layout, and their hidden state 0, which no training changes.

    Tensors (n_segments, n_frames, n_dims) on the CPU, without graph.
    """
    segments = dict(enumerate(_segments(backbone, windows, config)))
    for batch in equal_layouts(segments, _batch_size(backbone, config)):
        yield batch, _heard(backbone, sound, [segments[i] for i in batch]).cpu()


def stream_frames(backbone: Backbone, windows: Windows, config: WindowConfig) -> np.ndarray:
    """Frames of each tensor of `stream_outputs`, (n_segments,) int."""
    return np.array([segment.layout.n_frames for segment in _segments(backbone, windows, config)])


def stream_samples(
    backbone: Backbone, windows: Windows, indices: Sequence[int] | np.ndarray, config: WindowConfig
) -> int:
    """Samples that `read_stream` sends through the model for chosen windows."""
    segments = needed_segments(_segments(backbone, windows, config), indices)
    return sum(segment.layout.n_samples for segment in segments.values())


def _segments(backbone: Backbone, windows: Windows, config: WindowConfig) -> list[Segment]:
    return cut_segments(windows, config, backbone.frame_grid)


@lru_cache(maxsize=64)
def _visible(layout: Layout, frame: Frame, device: torch.device) -> tuple[Tensor, Tensor]:
    """What is added to scores, 0 or -inf, (1, 1, n_frames, n_frames), and frames of readings, bool, on the device."""
    visible, members = (torch.from_numpy(a).to(device) for a in (layout.visible(), layout.members(frame)))
    mask = torch.zeros_like(visible, dtype=torch.float32).masked_fill(~visible, float("-inf"))
    return mask[None, None], members


def _batch_size(backbone: Backbone, config: WindowConfig) -> Callable[[Layout], int]:
    if backbone.batch_windows is None:
        return lambda layout: backbone.windows_at_once(layout.n_samples)
    sound = backbone.batch_windows * config.context * SAMPLE_RATE
    return lambda layout: max(int(sound / layout.n_samples), 1)


@torch.no_grad()
def _heard(backbone: Backbone, sound: Tensor, segments: list[Segment]) -> Tensor:
    length, device = segments[0].layout.n_samples, backbone.device
    pieces = torch.stack([sound[segment.start : segment.start + length] for segment in segments]).to(device)
    with products(backbone.precision, device):
        hidden = backbone.family.stream(backbone.model, pieces, segments[0].layout, backbone.normalise_sound)
    return hidden.float()


def _read(backbone: Backbone, hidden: Tensor, layout: Layout, frame: Frame) -> dict[int, Tensor]:
    """What `Backbone.read` says from hidden state 0 on, under the segment's mask: (n_segments, n_readings, n_dims)."""
    mask, members = _visible(layout, frame, hidden.device)
    states, pruned = backbone.states(hidden, None if frame == "mean" else members.int().argmax(1), mask)
    return {
        layer: state if pruned and layer == max(states) else _mean_of(state, members)
        for layer, state in states.items()
    }


def _mean_of(state: Tensor, members: Tensor) -> Tensor:
    """Means over the frames of each reading; sums first, which half precision holds better than weights."""
    return members.to(state.dtype) @ state / members.sum(1, keepdim=True)
