"""Sound files decoded to their end; what their headers promise is told beside it, and what stands behind it refused."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from brainwavlm.errors import DatasetError
from brainwavlm.files import digest_of, require_content

# Hz. Below telephone speech vowels lose their second formant; above is a mistake in a header, for which resampling
# would need all memory.
RATES = (8000, 768000)
RATE_REMEDY = "Take the sound from its source again, or mend the rate in the header."
_UNKNOWN = 0x7FFFE000  # bytes; pipes write such sizes, from sox's 0x7FFFF000 to ffmpeg's 0xFFFFFFFF
_BLOCK_SECONDS = 1  # libsndfile reads as much behind the end, and only what lies behind that is seen
_BEHIND = 4096, 100  # bytes, and the share of the file, that tags and chunks behind the sound may take
# Forms whose chunks have a name and a size, in this order of bytes; those that would be heard.
_ORDER: dict[str, Literal["little", "big"]] = {"WAV": "little", "WAVEX": "little", "AIFF": "big"}
_SOUND_CHUNKS = {b"RIFF", b"data", b"FORM", b"SSND"}
# libsndfile's names of those whose lengths are compared with what is there.
_COMPARED = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "SVX", "HTK", "NIST", "FLAC", "OGG", "MP3"}


class SoundReader:
    """A sound file from its start to its end, and what its header says.

    Attributes
    ----------
    rate, channels : int
    encoding : str
        E.g. "WAV PCM_16".
    promised : int or None
        Samples a channel; None where the header does not say.
    cut : str
        That the file is cut, as a sentence; empty otherwise.
    doubt : str
        What may be wrong, as a sentence; empty otherwise.
    broken : bool
        Whether decoding ended in an error: of what `blocks` gave, the last is from before it.
    """

    def __init__(self, path: Path, source: "_Source", file: soundfile.SoundFile, promised: int | None):
        self.path, self._source, self._file, self.promised = path, source, file, promised
        self.rate, self.channels = file.samplerate, file.channels
        self.encoding, self.broken = f"{file.format} {file.subtype}", False
        log = file.extra_info
        is_open = "lacks an end-of-stream bit" in log
        self.cut = "truncated: it ends within a page." * (is_open and "Junk after the last page" in log)
        # Of the size of a whole RIFF file nothing depends, and not all programs write it.
        for declared, there in re.findall(r"^(?!RIFF).*:\s*(\d+) \(should be (\d+)\)", log, re.MULTILINE):
            if int(there) < int(declared) < _UNKNOWN:
                self.cut = f"truncated: {int(declared) - int(there)} bytes fewer than its header says."
        self.doubt = "its last page is not marked as the last: cut, or taken from a stream." * is_open
        if file.format not in _COMPARED:
            self.doubt = f"{file.format}: a cut file of this form cannot be told from a whole one."

    def blocks(self) -> Iterator[np.ndarray]:
        """The sound in pieces of a second, (n_frames, n_channels) float32.

        Raises
        ------
        DatasetError
            Where more stands behind the sound than tags: libsndfile stops early, and says nothing.
        """
        try:
            while len(block := self._file.read(_BLOCK_SECONDS * self.rate, "float32", always_2d=True)):
                yield block
        except soundfile.LibsndfileError:
            self.broken = True
            return
        size, end = self.path.stat().st_size, self._source.tell()
        behind, (least, share) = size - end, _BEHIND
        if behind > least and self._file.format in _ORDER:
            behind -= self._chunks(end, _ORDER[self._file.format])
        if behind > max(least, size // share):
            raise DatasetError(
                self.path,
                f"{behind:,} of its {size:,} bytes follow behind the sound that its header tells of: files joined as "
                "they are, or a header with a length that is too small or missing.",
                "one stream of sound, of the length in its header.",
                "Decode all of it into a new file, and name that one:  ffmpeg -i FILE NEW.wav",
            )

    def _chunks(self, start: int, order: Literal["little", "big"]) -> int:
        """Bytes from `start` on that are whole chunks, none of them of sound: metadata may take more than the sound."""
        with self.path.open("rb") as file:
            file.seek(start)
            at, rest = 0, file.read()
        while (name := rest[at : at + 4]) not in _SOUND_CHUNKS and name.decode("latin-1").isprintable():
            size = int.from_bytes(rest[at + 4 : at + 8], order)
            if not name or at + 8 + size > len(rest):
                break
            at += 8 + size + size % 2
        return min(at, len(rest))


class _Stream(soundfile.SoundFile):
    """Decodes as far as there is something: it never seeks, nor stops where the header says."""

    def seekable(self) -> bool:
        return False


class _Source(io.FileIO):
    """A file by its content: not its ending, nor 0 for the size of a WAV's data, as pipes leave it, is believed."""

    def __init__(self, path: Path, start: bytes):
        super().__init__(path)
        self.name = ""  # by its ending .raw soundfile would take it for samples without a header
        at = start.find(b"data") + 4
        is_zero = start[8:12] == b"WAVE" and at > 4 and start[at : at + 4] == bytes(4)
        self._unsaid = range(at, at + 4) if is_zero else range(0)

    def readinto(self, buffer: Any) -> int:
        """As of any file, with a size that libsndfile knows for a missing one."""
        first = self.tell()
        n_bytes = super().readinto(buffer) or 0
        for place in self._unsaid:
            if first <= place < first + n_bytes:
                memoryview(buffer).cast("B")[place - first] = 0xFF
        return n_bytes


@contextmanager
def opened(path: Path) -> Iterator[SoundReader]:
    """A sound file, ready to be decoded.

    Raises
    ------
    DatasetError
        Missing, a git-annex pointer, no sound, or at a rate that no recorder has.
    """
    require_content(path)
    with path.open("rb") as content:
        start = content.read(1024)
        tag = 10 + sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(start[6:10])))
        content.seek(tag if start[:3] == b"ID3" else 0)
        first_frame = content.read(64)
    if start[:4] == b"RIFF" and start[12:16] == b"fmt ":
        _require_rate(path, int.from_bytes(start[24:28], "little"))  # libsndfile does not open what says 0
    try:
        with _Source(path, start) as source, _Stream(source) as file:
            _require_rate(path, file.samplerate)
            promised: int | None = file.frames
            if file.frames >= 1 << 62 or (file.format == "MP3" and not re.search(b"Xing|Info", first_frame)):
                promised = None  # of an MP3 that does not count its frames libsndfile guesses it
            if start[:7] == b"NIST_1A" and (counted := re.search(rb"\nsample_count -i (\d{1,18})\s", start)):
                promised = int(counted[1])
            yield SoundReader(path, source, file, promised or None)
    except soundfile.LibsndfileError as error:
        raise DatasetError(
            path,
            f"not readable as sound ({path.stat().st_size} bytes): {error.error_string}",
            "a WAV, FLAC, Ogg or MP3 file.",
            "Download it again, or convert it:  ffmpeg -i FILE NEW.wav",
        ) from None


def audio_checksum(path: str | Path) -> str:
    """SHA-256 of the file, hexadecimal."""
    path = Path(path)
    require_content(path)
    return digest_of(path)


def _require_rate(path: Path, rate: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise DatasetError(
            path, f"a sampling rate of {rate} Hz in its header.", f"{RATES[0]} to {RATES[1]} Hz.", RATE_REMEDY
        )
