"""A sound of any length read part by part: an hour takes no more memory than a minute."""

from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from brainwavlm.datasets.responses import Channel
from brainwavlm.errors import ConfigError
from brainwavlm.stimulus.audio import SAMPLE_RATE, SILENT, decoded, usable_facts
from brainwavlm.stimulus.sound_files import RATES


class SoundParts:
    """A sound file at 16 kHz of which `parts[a:b]` is what it is of `load_sound`, as a tensor; DatasetError as there.

    What lies before the last `forget` is dropped; whoever goes back there has the sound read from its start again.
    """

    def __init__(self, path: Path, channel: Channel = "mean") -> None:
        self._path, self._channel, self._facts = path, channel, usable_facts(path, channel)
        self._begin()

    def _begin(self) -> None:
        self._left = decoded(self._path, self._channel, self._facts.rate)
        self._held, self._first = np.zeros(0, np.float32), 0

    def __len__(self) -> int:
        return self._facts.n_samples

    def __getitem__(self, span: slice) -> Tensor:
        start, stop = int(span.start), min(int(span.stop), len(self))
        if start < self._first:
            self._begin()
        while self._first + len(self._held) < stop:
            self._held = np.concatenate([self._held, next(self._left)])
        return torch.from_numpy(self._held[start - self._first : stop - self._first].copy())

    def forget(self, before: int) -> None:
        """Drop samples that will not be asked for again."""
        dropped = min(max(before - self._first, 0), len(self._held))
        self._held, self._first = self._held[dropped:].copy(), self._first + dropped


def array_sound(sound: Any, rate: int) -> Tensor:
    """An array (n_samples,), or the mean of (n_samples, n_channels), at 16 kHz; ConfigError where it is no sound."""
    sound = np.asarray(sound)
    if sound.ndim not in (1, 2) or not sound.size or sound.dtype.kind != "f" or not np.isfinite(sound).all():
        told = (
            f"an array {sound.shape} of {sound.dtype}{' with values that are no numbers' * (sound.size > 0)}."
        )
        expected = "finite floats between -1 and 1, (n_samples,) or (n_samples, n_channels)."
        raise ConfigError("sound", told, expected, "Read it with soundfile.read, or give the file's path.")
    if not RATES[0] <= rate <= RATES[1]:
        raise ConfigError(
            "rate", f"{rate} Hz.", f"{RATES[0]} to {RATES[1]} Hz.", "Give the sound's own rate."
        )
    mono = sound.astype(np.float32) if sound.ndim == 1 else sound.mean(1, dtype=np.float32)
    if np.abs(mono - mono.mean()).max() < SILENT:
        raise ConfigError("sound", "silence: nothing above -70 dB.", "a sound.", "Give another array.")
    return torch.from_numpy(
        mono if rate == SAMPLE_RATE else soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
    )
