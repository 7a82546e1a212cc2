"""A sound of any length read part by part: an hour takes no more memory than a minute."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soxr
import torch

from brainwavlm.datasets.responses import Channel
from brainwavlm.errors import ConfigError
from brainwavlm.stimulus.audio import SILENT, sound_errors
from brainwavlm.stimulus.decoded_sound import SAMPLE_RATE, heard, sound_facts
from brainwavlm.stimulus.sound_files import RATES, opened

Blocks = Callable[[], Iterator[np.ndarray]]


class SoundParts:
    """A sound at 16 kHz of which `parts[a:b]` is what it is of `load_sound`, as a tensor; see `of_file`, `of_array`.

    What lies before the last `forget` is dropped; whoever goes back there has the sound read from its start again.
    """

    def __init__(self, blocks: Blocks, n_samples: int) -> None:
        self._blocks, self._n = blocks, n_samples
        self._left, self._held, self._first = blocks(), np.zeros(0, np.float32), 0

    @classmethod
    def of_file(cls, path: Path, channel: Channel = "mean") -> "SoundParts":
        """That of a file; DatasetError as `load_sound`."""
        facts = sound_facts(path, channel)
        for _, error in sound_errors(path, facts):
            raise error
        return cls(lambda: _decoded(path, channel, facts.rate), facts.n_samples)

    @classmethod
    def of_array(cls, sound: np.ndarray, rate: int) -> "SoundParts":
        """That of an array (n_samples,), or the mean of (n_samples, n_channels); ConfigError where it is none."""
        sound = np.asarray(sound)
        if (
            sound.ndim not in (1, 2)
            or not sound.size
            or sound.dtype.kind != "f"
            or not np.isfinite(sound).all()
        ):
            told = f"an array {sound.shape} of {sound.dtype}{' with values that are no numbers' * (sound.size > 0)}."
            expected = "finite floats between -1 and 1, (n_samples,) or (n_samples, n_channels)."
            raise ConfigError(
                "sound", told, expected, "Read it with soundfile.read, or give the file's path."
            )
        if not RATES[0] <= rate <= RATES[1]:
            raise ConfigError(
                "rate", f"{rate} Hz.", f"{RATES[0]} to {RATES[1]} Hz.", "Give the sound's own rate."
            )
        mono = sound.astype(np.float32) if sound.ndim == 1 else sound.mean(1, dtype=np.float32)
        if np.abs(mono - mono.mean()).max() < SILENT:
            raise ConfigError("sound", "silence: nothing above -70 dB.", "a sound.", "Give another array.")
        mono = mono if rate == SAMPLE_RATE else soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
        return cls(lambda: iter([mono]), len(mono))

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, span: slice) -> torch.Tensor:
        start, stop = int(span.start), min(int(span.stop), self._n)
        if start < self._first:
            self._left, self._held, self._first = self._blocks(), np.zeros(0, np.float32), 0
        while self._first + len(self._held) < stop:
            self._held = np.concatenate([self._held, next(self._left)])
        return torch.from_numpy(self._held[start - self._first : stop - self._first].copy())

    def forget(self, before: int) -> None:
        """Drop samples that will not be asked for again."""
        dropped = min(max(before - self._first, 0), len(self._held))
        self._held, self._first = self._held[dropped:].copy(), self._first + dropped


def _decoded(path: Path, channel: Channel, rate: int) -> Iterator[np.ndarray]:
    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    with opened(path) as reader:
        for block in reader.blocks():
            mono = np.ascontiguousarray(heard(block, channel, path), dtype=np.float32)
            yield mono if rate == SAMPLE_RATE else stream.resample_chunk(mono)
    if rate != SAMPLE_RATE:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
