"""Features of a sound that goes through the model once: the stream, another model of context than windows.

A window hears its own `context` seconds and nothing else; frames of different windows know nothing of each other.
In a stream all frames of a segment go through the blocks together, under a mask that lets a frame see `context`
seconds back and no block of frames ahead: what a frame knows was known when its block ended.
See docs/explanation/stream.md.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from brainwavlm.compute import products, sent
from brainwavlm.errors import BackboneError
from brainwavlm.speech.hidden_states import Backbone, Frame
from brainwavlm.speech.sound_reader import SoundReader, States
from brainwavlm.speech.stream.layout import Layout, Segment, cut_segments, equal_layouts, needed_segments
from brainwavlm.stimulus.audio import SAMPLE_RATE


class StreamReader(SoundReader):
    """All frames of a segment together, under a mask.

    features[i] = mean over frames f of h[f], with h the hidden state (n_frames, n_dims) of the segment that reading
    indices[i] lies in and f the frames in (t - context, t] that `config.frame` names, t = windows.ends[indices[i]].
    Kept of the frontend is hidden state 0 of each segment.

    Raises
    ------
    BackboneError
        When it reads: noise of the model's own configuration is on, which acts on windows.
    """

    @cached_property
    def segments(self) -> list[Segment]:
        """Where the sound is cut."""
        return cut_segments(self.windows, self.config, self.backbone.frame_grid)

    @property
    def n_frames(self) -> np.ndarray:
        """Frames of each segment, (n_segments,) int."""
        return np.array([segment.layout.n_frames for segment in self.segments])

    def outputs(self) -> Iterator[tuple[list[int], Tensor]]:
        segments = dict(enumerate(self.segments))
        for batch in equal_layouts(segments, self._batch_size):
            yield batch, self._heard([segments[i] for i in batch]).cpu()

    def samples_heard(self, indices: Sequence[int] | np.ndarray) -> int:
        return sum(segment.layout.n_samples for segment in needed_segments(self.segments, indices).values())

    def _states(self, indices: np.ndarray) -> Iterator[States]:
        backbone, device = self.backbone, self.backbone.device
        if backbone.training and backbone.noise:
            raise BackboneError(
                "windows.mode",
                f"stream, with {', '.join(backbone.noise)} in training mode.",
                "no noise but the adapters' dropout: SpecAugment masks windows, not segments.",
                "Set backbone.train_noise to false.",
            )
        segments = needed_segments(self.segments, indices, whole=device.type == "cuda")
        for batch in equal_layouts(segments, self._batch_size):
            layout = segments[batch[0]].layout
            if self.frontend is None:
                hidden = self._heard([segments[i] for i in batch])
            else:
                kept = torch.stack([self.frontend[i][: layout.n_frames] for i in batch])
                hidden = sent(kept, device).float()
            states = _read(backbone, hidden, layout, self.config.frame)
            readings = np.arange(len(layout.reading_ends))
            numbers = np.concatenate([segments[i].first + readings for i in batch])
            yield numbers, {layer: state.flatten(0, 1) for layer, state in states.items()}

    def _batch_size(self, layout: Layout) -> int:
        if self.backbone.batch_windows is None:
            return self.backbone.windows_at_once(layout.n_samples)
        sound = self.backbone.batch_windows * self.config.context * SAMPLE_RATE
        return max(int(sound / layout.n_samples), 1)

    @torch.no_grad()
    def _heard(self, segments: list[Segment]) -> Tensor:
        """Hidden state 0 of segments of one layout, (n_segments, n_frames, n_dims); no training changes it."""
        layout, backbone, device = segments[0].layout, self.backbone, self.backbone.device
        pieces = torch.stack([self.sound[one.start : one.start + layout.n_samples] for one in segments])
        with products(backbone.precision, device):
            hidden = backbone.family.stream(
                backbone.model, pieces.to(device), layout, backbone.normalise_sound
            )
        return hidden.float()


@lru_cache(maxsize=64)
def _visible(layout: Layout, frame: Frame, device: torch.device) -> tuple[Tensor, Tensor]:
    """What is added to scores, 0 or -inf, (1, 1, n_frames, n_frames), and frames of readings, bool, on the device."""
    visible, members = (torch.from_numpy(a).to(device) for a in (layout.visible(), layout.members(frame)))
    mask = torch.zeros_like(visible, dtype=torch.float32).masked_fill(~visible, float("-inf"))
    return mask[None, None], members


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
