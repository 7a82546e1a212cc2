"""What decoding a sound gives: its one length, its levels and its envelope; kept by the file's checksum."""

import base64
import os.path
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from brainwavlm.datasets.responses import Channel
from brainwavlm.errors import BrainwavlmError, DatasetError
from brainwavlm.files import read_json, require_content, write_json
from brainwavlm.stimulus.sound_files import SoundReader, audio_checksum, opened

SAMPLE_RATE = 16000
ENVELOPE_RATE = 20  # Hz; what is said modulates loudness below 10 Hz
FULL_SCALE = 1 - 2**-15  # what 16-bit sound can reach
_TOLERANCE = 2304  # frames: codecs pad or trim up to two of their frames of 1152
_FORMAT = "3"


@dataclass(frozen=True)
class SoundFacts:
    """What decoding a sound file gives, of the channel that is heard.

    Attributes
    ----------
    rate : int
        Samples a second.
    channels : int
        Of the file.
    n_frames : int
        Samples a channel that could be decoded.
    encoding : str
        E.g. "WAV PCM_16".
    cut, doubt : str
        That the file is cut, or may be, as a sentence; empty otherwise.
    not_finite, clipped : int
        Samples that are no numbers, and samples at full scale, of all channels.
    low, high, mean, power : float
        Least and largest sample, their mean, and their mean square about it.
    gain : float
        Power of the mean over channels by the mean of their powers: 1 where they are alike, 0 where they cancel; 1 too
        where one channel is heard.
    envelope : str
        Root mean square of each twentieth of a second, float16, in base 64.
    """

    rate: int
    channels: int
    n_frames: int
    encoding: str
    cut: str
    doubt: str
    not_finite: int
    clipped: int
    low: float
    high: float
    mean: float
    power: float
    gain: float
    envelope: str

    @property
    def seconds(self) -> float:
        """Length of what could be decoded."""
        return self.n_frames / self.rate

    @property
    def n_samples(self) -> int:
        """Length at 16 kHz: soxr rounds n_frames * 16000 / rate, a half up."""
        return (2 * self.n_frames * SAMPLE_RATE + self.rate) // (2 * self.rate)

    @property
    def loudness(self) -> np.ndarray:
        """The envelope, (n,) float32."""
        return np.frombuffer(base64.b64decode(self.envelope), np.float16).astype(np.float32)


_KIND = TypeAdapter(SoundFacts)


def sound_facts(path: str | Path, channel: Channel = "mean") -> SoundFacts:
    """Length and levels of a sound, decoded once: later calls read what was kept in the user's cache folder.

    Raises
    ------
    DatasetError
        Missing, a git-annex pointer, no sound, at a rate that no recorder has, or without that channel.
    """
    path = Path(path)
    require_content(path)
    stat = path.stat()
    return _facts(path, channel, stat.st_size, stat.st_mtime_ns)


@cache
def _facts(path: Path, channel: Channel, size: int, changed: int) -> SoundFacts:
    kept = cache_folder() / "sounds" / f"{audio_checksum(path)}-{channel}-{_FORMAT}.json"
    # Where it is not there, or damaged, it is made again from the sound.
    with suppress(BrainwavlmError, ValidationError, OSError):
        return _KIND.validate_python(read_json(kept))
    with opened(path) as reader:
        facts = _measured(reader, channel)
    with suppress(OSError):  # a home that cannot be written: it is decoded again next time
        write_json(kept, asdict(facts))
    return facts


def cache_folder() -> Path:
    """The user's own: a data set may not be written to."""
    return Path(os.path.expanduser("~")) / ".cache" / "brainwavlm"


def heard(block: np.ndarray, channel: Channel, path: Path) -> np.ndarray:
    """What is heard of (n_frames, n_channels): the mean, or one channel, (n_frames,)."""
    n_channels = block.shape[1]
    if channel == "mean":
        return block[:, 0] if n_channels == 1 else block.mean(axis=1)
    number = {"left": 1, "right": 2}.get(channel, channel) if isinstance(channel, str) else channel
    if not isinstance(number, int) or number > n_channels:
        raise DatasetError(
            path,
            f"{n_channels} channel{'s' * (n_channels > 1)}, where dataset.yaml asks for channel {channel}.",
            "a sound with that channel.",
            "Correct channel in dataset.yaml: mean, left, right, or a number from 1.",
        )
    return block[:, number - 1]


def _measured(reader: SoundReader, channel: Channel) -> SoundFacts:
    n_frames = not_finite = clipped = 0
    low, high, of_channels = np.inf, -np.inf, np.zeros((2, reader.channels))
    sums: list[np.ndarray] = []  # of each twentieth of a second: count, sum, sum of squares
    for block in reader.blocks():
        sound = np.ascontiguousarray(heard(block, channel, reader.path))
        edges = np.arange(0, len(sound) * ENVELOPE_RATE, reader.rate) // ENVELOPE_RATE
        squares = sound * sound
        sums.append(
            np.stack(
                [
                    np.diff(edges, append=len(sound)),
                    np.add.reduceat(sound, edges, dtype=np.float64),
                    np.add.reduceat(squares, edges, dtype=np.float64),
                ]
            )
        )
        n_frames += len(block)
        if not np.isfinite(sums[-1]).all():
            not_finite += int(np.count_nonzero(~np.isfinite(block)))
        low, high = min(low, float(sound.min())), max(high, float(sound.max()))
        if max(float(block.max()), -float(block.min())) >= FULL_SCALE:
            clipped += int(np.count_nonzero(np.abs(block) >= FULL_SCALE))
        if reader.channels > 1:
            of_channels += [block.sum(axis=0, dtype=np.float64), np.einsum("tc,tc->c", block, block)]
    count, total, square = np.concatenate(sums, axis=1) if sums else np.zeros((3, 0))
    with np.errstate(all="ignore"):
        variance = np.maximum(square / count - (total / count) ** 2, 0)
        mean, n = total.sum() / max(n_frames, 1), max(n_frames, 1)
        power = max(square.sum() / n - mean**2, 0.0)
        each = of_channels[1] / n - (of_channels[0] / n) ** 2
        gain = power / each.mean() if channel == "mean" and each.mean() > 0 else 1.0
        envelope = np.sqrt(variance).clip(max=6e4).astype(np.float16)
    values = {"low": low, "high": high, "mean": mean, "power": power, "gain": gain}
    return SoundFacts(
        rate=reader.rate,
        channels=reader.channels,
        n_frames=n_frames,
        encoding=reader.encoding,
        cut=_cut(reader, n_frames),
        doubt=reader.doubt,
        not_finite=not_finite,
        clipped=clipped,
        envelope=base64.b64encode(envelope.tobytes()).decode(),
        **{name: float(value) if np.isfinite(value) else 0.0 for name, value in values.items()},
    )


def _cut(reader: SoundReader, n_frames: int) -> str:
    if reader.cut:
        return reader.cut
    promised = reader.promised
    whole = f"; its header says {promised / reader.rate:.1f} s" if promised else ""
    if reader.broken:
        return f"truncated or damaged: it cannot be decoded to its end{whole}."
    if promised and n_frames < promised - _TOLERANCE:
        return f"truncated: it decodes to {n_frames / reader.rate:.1f} s{whole}."
    return ""
