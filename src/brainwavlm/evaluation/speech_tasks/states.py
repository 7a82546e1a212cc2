"""Hidden states of utterances, each heard alone: of all frames, or the means of spans."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from brainwavlm.datasets.responses import Channel
from brainwavlm.errors import AlignmentError, ConfigError
from brainwavlm.evaluation.speech_tasks.tasks import Item, Task
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.speech.unit_vectors import mean_weights
from brainwavlm.stimulus.audio import SAMPLE_RATE, load_sound, require_header, usable_facts
from brainwavlm.stimulus.utterances import Utterance

LONGEST = 60.0  # seconds; attention grows with the square


def sound_of(one: Utterance) -> Tensor:
    """Samples of an utterance at 16 kHz, (n_samples,)."""
    end = None if one.end is None else round(one.end * SAMPLE_RATE)
    return _whole(one.audio, one.channel)[round(one.start * SAMPLE_RATE) : end]


@lru_cache(maxsize=1)  # the utterances of a story follow each other
def _whole(audio: Path, channel: Channel) -> Tensor:
    return torch.from_numpy(load_sound(audio, channel))


def require_headers(task: Task) -> None:
    """DatasetError where the header of a sound says that it cannot be used: seconds, before minutes of decoding."""
    for audio in dict.fromkeys(item.utterance.audio for items in task.items.values() for item in items):
        require_header(audio)


def require_hearable(task: Task, min_samples: int, n_floats: int, memory_gb: float) -> None:
    """Raise before any model is run where a sound is of no use, an utterance too short or long, or memory too small.

    `min_samples` are those that the speech model can hear, `n_floats` those of a frame: hidden states times dimensions.
    """
    total = 0.0
    for items in task.items.values():
        for one in (item.utterance for item in items):
            there = usable_facts(one.audio, one.channel).seconds
            seconds = min(there, one.end or there) - one.start
            if not min_samples / SAMPLE_RATE <= seconds <= LONGEST:
                raise AlignmentError(
                    one.audio,
                    f"an utterance of {max(seconds, 0):.3f} s, from {one.start:.3f} s on, of {there:.3f} s of sound.",
                    f"{min_samples / SAMPLE_RATE} to {LONGEST:g} s.",
                    "Cut long recordings (onset and offset in a table of sounds), and correct times beyond the end.",
                )
            total += seconds
    rows = (
        total * 50
        if task.sequences
        else sum(len(item.labels) for items in task.items.values() for item in items)
    )
    needed = 2 * 2 * rows * n_floats / 1e9  # float16, of both models
    if needed > memory_gb:
        raise ConfigError(
            "downstream.memory",
            f"hidden states of {total / 3600:.1f} h of sound take {needed:.1f} GB, and {memory_gb:g} GB may be used.",
            "states that fit.",
            "Name fewer hidden states (layers) or fewer sounds, or give more memory.",
        )


@torch.no_grad()
def frames_of(backbone: Backbone, sound: Tensor, layers: Sequence[int]) -> Tensor:
    """Hidden states of a sound heard alone, (n_frames, n_layers, n_dims) float16 on the CPU."""
    states = backbone(sound[None].to(backbone.device))
    return torch.stack([states[layer][0] for layer in layers], 1).half().cpu()


def states_of(backbone: Backbone, item: Item, layers: Sequence[int], whole: bool) -> list[Tensor]:
    """What heads are given of an utterance, a tensor (n_frames, n_layers, n_dims) float16 a row.

    `whole`: all frames, in one row. Else a row a span, or one for the utterance: the mean over its frames (n_frames is
    1). Weighted sums of hidden states and means over frames may change places. The backbone is in eval mode.
    """
    frames = frames_of(backbone, sound_of(item.utterance), layers)
    if whole:
        return [frames]
    if item.spans is None:
        return [frames.float().mean(0, keepdim=True).half()]
    hop, first = backbone.family.frame_grid(backbone.model.config)
    weights = mean_weights((hop * np.arange(len(frames)) + first / 2) / SAMPLE_RATE, item.spans)
    means = torch.from_numpy(weights @ frames.float().flatten(1).numpy())
    return list(means.half().unflatten(1, frames.shape[1:]).split(1))
