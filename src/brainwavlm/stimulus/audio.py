"""Sound files of any rate and channel count as 16 kHz mono."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from brainwavlm.datasets.responses import Story
from brainwavlm.errors import DatasetError
from brainwavlm.files import require_content

SAMPLE_RATE = 16000
# Hz. Below telephone speech vowels lose their second formant; above is a mistake in a header, for which resampling
# would need all memory.
RATES = (8000, 768000)
RATE_REMEDY = "Take the sound from its source again, or mend the rate in the header."
_BLOCK = 1 << 20  # frames decoded at once, so that stereo at 44.1 kHz never lies whole in memory


@dataclass(frozen=True)
class SoundFacts:
    """What a sound file's header says.

    Attributes
    ----------
    rate : int
        Samples a second.
    channels : int
    n_frames : int
        Samples a channel.
    seconds : float
    encoding : str
        E.g. "WAV PCM_16".
    """

    rate: int
    channels: int
    n_frames: int
    seconds: float
    encoding: str


def load_sound(path: str | Path) -> np.ndarray:
    """A sound file as the speech models hear it.

    sound = resample(mean over channels), with soxr's HQ filter (about 20 bits).

    Parameters
    ----------
    path : str or Path
        Any format that libsndfile reads: WAV, FLAC, Ogg, MP3.

    Returns
    -------
    array (n_samples,), float32, 16 kHz

    Raises
    ------
    DatasetError
        Missing, a git-annex pointer, no sound, empty, silent throughout, at a rate that no recorder has, or
        with samples that are no numbers.
    """
    path = Path(path)
    with _opened(path) as file:
        rate = file.samplerate
        blocks = []
        while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
            blocks.append(block.mean(axis=1))
    sound = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if not len(sound):
        raise DatasetError(path, "no samples.", "a sound.", "Replace it by the story's sound.")
    if not np.isfinite(sound).all():
        raise DatasetError(
            path,
            f"{np.count_nonzero(~np.isfinite(sound))} samples are not finite.",
            "finite samples.",
            "Export the sound again, e.g. as 16-bit WAV.",
        )
    if not sound.any():
        raise DatasetError(path, "every sample is zero.", "a sound.", "Replace it by the story's sound.")
    if rate == SAMPLE_RATE:
        return sound
    return soxr.resample(sound, rate, SAMPLE_RATE, quality="HQ").astype(np.float32, copy=False)


def sound_facts(path: str | Path) -> SoundFacts:
    """Rate, channels and length from the header; DatasetError as in `load_sound`."""
    path = Path(path)
    with _opened(path) as file:
        return SoundFacts(
            rate=file.samplerate,
            channels=file.channels,
            n_frames=file.frames,
            seconds=file.frames / file.samplerate,
            encoding=f"{file.format} {file.subtype}",
        )


def audio_checksum(path: str | Path) -> str:
    """SHA-256 of the file, hexadecimal."""
    path = Path(path)
    require_content(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    require_content(path)
    try:
        with soundfile.SoundFile(path) as file:
            if not RATES[0] <= file.samplerate <= RATES[1]:
                raise DatasetError(
                    path,
                    f"a sampling rate of {file.samplerate} Hz in its header.",
                    f"{RATES[0]} to {RATES[1]} Hz.",
                    RATE_REMEDY,
                )
            yield file
    except soundfile.LibsndfileError as error:
        raise DatasetError(
            path,
            f"not readable as sound ({path.stat().st_size} bytes): {error.error_string}",
            "a WAV, FLAC, Ogg or MP3 file.",
            "Download it again, or convert it:  ffmpeg -i FILE story.wav",
        ) from None


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
