"""Sound files of any rate and channel count as 16 kHz mono, and which of them are one sound."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from brainwavlm.datasets.responses import Channel, Story
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.stimulus.decoded_sound import SAMPLE_RATE, SoundFacts, heard, sound_facts
from brainwavlm.stimulus.sound_files import RATES, audio_checksum, opened

SILENT = 10 ** (-70 / 20)  # root mean square of a twentieth of a second, full scale 1
UNSCALED = 10.0  # largest sample; 20 dB above full scale is no sound of floats between -1 and 1
CANCELLED = 0.01  # power of the mean by that of the channels: 20 dB below


def load_sound(path: str | Path, channel: Channel = "mean") -> np.ndarray:
    """A sound file as the speech models hear it.

    sound = resample(mean over channels), with soxr's HQ filter (about 20 bits).

    Parameters
    ----------
    path : str or Path
        Any format that libsndfile reads: WAV, FLAC, Ogg, MP3.
    channel : str or int
        mean; or left, right or a number from 1: that channel alone.

    Returns
    -------
    array (n_samples,), float32, 16 kHz; n_samples is that of `sound_facts`

    Raises
    ------
    DatasetError
        Missing, a git-annex pointer, no sound, empty, cut, silent throughout, with channels that cancel, at a rate that
        no recorder has, or with samples that are no numbers or not scaled.
    """
    path = Path(path)
    return np.concatenate(list(decoded(path, channel, usable_facts(path, channel).rate)))


def decoded(path: Path, channel: Channel, rate: int) -> Iterator[np.ndarray]:
    """`load_sound` of a file with that rate, some seconds after others, (n_samples,) float32."""
    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    with opened(path) as reader:
        for block in reader.blocks():
            mono = np.ascontiguousarray(heard(block, channel, path), dtype=np.float32)
            yield mono if rate == SAMPLE_RATE else stream.resample_chunk(mono)
    if rate != SAMPLE_RATE:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def usable_facts(path: Path, channel: Channel) -> SoundFacts:
    """`sound_facts` of a sound that is of use; DatasetError as `load_sound`."""
    facts = sound_facts(path, channel)
    for _, error in sound_errors(path, facts):
        raise error
    return facts


def require_header(path: Path) -> None:
    """DatasetError as `load_sound`, of what a file's header says alone: that it is no sound, or is cut."""
    with opened(path) as reader:
        if reader.cut:
            raise _not_whole(path, reader.cut)


def heard_as(channel: Channel) -> dict[str, Channel]:
    """What a file's checksum leaves out of what is heard of it: the channel, where it is not the mean of all."""
    return {} if channel == "mean" else {"channel": channel}


def sound_errors(path: Path, facts: SoundFacts) -> Iterator[tuple[str, DatasetError]]:
    """What makes a sound useless, each with one word for its sort."""
    peak, loudest = max(-facts.low, facts.high), float(facts.loudness.max(initial=0))
    if facts.cut:
        yield "sound", _not_whole(path, facts.cut)
    elif not facts.n_frames:
        yield "sound", DatasetError(path, "no samples.", "a sound.", "Replace it by the story's sound.")
    elif facts.not_finite:
        export = "Export the sound again, e.g. as 16-bit WAV."
        yield (
            "sound",
            DatasetError(path, f"{facts.not_finite} samples are not finite.", "finite samples.", export),
        )
    elif facts.gain < CANCELLED:
        problem = "its channels cancel: one is about the other turned upside down, and nothing is left of their mean."
        setting = "Set channel: left (or right, or a number) for it in dataset.yaml, or write one channel into a file."
        yield (
            "channels",
            DatasetError(path, problem, "a sound whose mean over channels is the speech.", setting),
        )
    elif loudest < SILENT:
        alike = (
            f"every sample is {facts.high or 'zero'}" if facts.low == facts.high else "nothing above -70 dB"
        )
        problem = f"silence: {alike}."
        replace = "Replace the file; exporting a muted track gives such files."
        yield "silence", DatasetError(path, problem, "the story's sound.", replace)
    elif peak > UNSCALED:
        problem = f"samples up to {peak:.6g}: not scaled, as whole numbers in a file of floats are."
        divide = f"Divide by {2 ** (15 if peak <= 2**15 else 31)} and write it again, e.g. as 16-bit WAV."
        yield "scale", DatasetError(path, problem, "samples between -1 and 1.", divide)


def _not_whole(path: Path, cut: str) -> DatasetError:
    again = "Download it again, and compare its size with the source."
    return DatasetError(path, cut, "a whole sound file.", again)


def same_sounds(stories: Iterable[Story]) -> dict[str, str]:
    """Story to the first story, by name, with the same sound."""
    return same_content({story.name: story.audio for story in stories})


def same_content(files: Mapping[str, Path]) -> dict[str, str]:
    """Name to the first name, in their order, with the same file, or with one of the same content.

    Only files of equal size are read.
    """
    places = {name: files[name].resolve() for name in sorted(files)}
    by_size: dict[int, list[Path]] = {}
    for file in dict.fromkeys(places.values()):
        by_size.setdefault(file.stat().st_size, []).append(file)
    content: dict[Path, str] = {}
    for alike in by_size.values():
        content |= {file: audio_checksum(file) if len(alike) > 1 else str(file) for file in alike}
    first: dict[str, str] = {}
    return {name: first.setdefault(content[file], name) for name, file in places.items()}


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
