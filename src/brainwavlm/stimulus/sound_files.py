"""Sound files decoded to their end, whatever their headers promise; what these promise is told beside it."""

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from brainwavlm.errors import DatasetError
from brainwavlm.files import require_content
from brainwavlm.stimulus.sound_streams import Endless, ogg_end, require_one_stream, says_no_length

# Hz. Below telephone speech vowels lose their second formant; above is a mistake in a header, for which resampling
# would need all memory.
RATES = (8000, 768000)
RATE_REMEDY = "Take the sound from its source again, or mend the rate in the header."
_UNKNOWN = 0x7FFFE000  # bytes; pipes write such sizes, from sox's 0x7FFFF000 to ffmpeg's 0xFFFFFFFF, or 0
_BLOCK_SECONDS = 10
# libsndfile's names of those whose lengths are compared with what is there.
_COMPARED = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "SVX", "HTK", "NIST", "FLAC", "OGG", "MP3"}
_END = 1 << 17  # bytes


@dataclass(frozen=True)
class Header:
    """What a file's header says, and what is wrong with it before anything is decoded.

    Attributes
    ----------
    rate, channels : int
    encoding : str
        E.g. "WAV PCM_16".
    n_frames : int or None
        Samples a channel; None where the header does not say.
    cut : str
        That the file is cut, as a sentence; empty otherwise.
    doubt : str
        What may be wrong, as a sentence; empty otherwise.
    """

    rate: int
    channels: int
    encoding: str
    n_frames: int | None
    cut: str = ""
    doubt: str = ""


class SoundReader:
    """A sound file from its start to its end.

    Attributes
    ----------
    header : Header
    broken : bool
        Whether decoding ended in an error: of what `blocks` gave, the last is from before it.
    """

    def __init__(self, path: Path, file: "_Stream", header: Header):
        self.path, self.header, self._file, self.broken = path, header, file, False

    def blocks(self) -> Iterator[np.ndarray]:
        """The sound in pieces of ten seconds, (n_frames, n_channels) float32."""
        try:
            while len(block := self._file.read(_BLOCK_SECONDS * self.header.rate, "float32", always_2d=True)):
                yield block
        except soundfile.LibsndfileError:
            self.broken = True
        self.broken |= isinstance(self._file.name, Endless) and self._file.name.goes_on


class _Stream(soundfile.SoundFile):
    """Decodes as far as there is something: it never seeks, nor stops where the header says."""

    def seekable(self) -> bool:
        return False


class _Patched(io.FileIO):
    """A file of which some bytes read otherwise."""

    def __init__(self, path: Path, place: int, content: bytes):
        super().__init__(path)
        self._place, self._content = place, content

    def readinto(self, buffer: Any) -> int:
        start = self.tell()
        n_bytes = super().readinto(buffer) or 0
        view = memoryview(buffer).cast("B")
        for place, byte in enumerate(self._content, self._place - start):
            if 0 <= place < n_bytes:
                view[place] = byte
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
    with path.open("rb") as file:
        start = file.read(1024)
    wav = _WavChunks.of(path) if start[:4] in (b"RIFF", b"RIFX") and start[8:12] == b"WAVE" else None
    require_one_stream(path)
    if wav is not None and wav.rate is not None:
        _require_rate(path, wav.rate)
    promised: int | None = None
    source: Path | _Patched | Endless = path
    if wav is not None and wav.misleading:
        source = _Patched(path, wav.place, b"\xff\xff\xff\xff")
    elif start[:4] == b"fLaC" and len(start) >= 26:
        promised = int.from_bytes(start[21:26], "big") & 0xFFFFFFFFF
        source = _Patched(path, 21, bytes([start[21] & 0xF0, 0, 0, 0, 0]))
    elif start[:7] == b"NIST_1A" and (counted := re.search(rb"\nsample_count -i (\d{1,18})\s", start)):
        promised = int(counted[1])
    elif says_no_length(path):
        source = Endless(path)
    elif path.suffix.lower() == ".raw":
        source = _Patched(path, 0, b"")
    if isinstance(source, io.FileIO):
        source.name = ""  # by its ending .raw soundfile would take it for samples without a header
    try:
        with _Stream(source) as file:
            _require_rate(path, file.samplerate)
            guessed = file.frames >= 1 << 62 or isinstance(source, Endless) or (wav and wav.unknown)
            if promised is None and not guessed:
                promised = file.frames
            if wav is not None and wav.misleading and not wav.unknown and wav.align:
                promised = wav.declared // wav.align
            yield SoundReader(
                path,
                file,
                Header(
                    file.samplerate,
                    file.channels,
                    f"{file.format} {file.subtype}",
                    promised or None,
                    wav.cut if wav else _cut(file.extra_info, start, path),
                    "its last page is not marked as the last: cut, or taken from a stream."
                    if ogg_end(path, start) == "open"
                    else f"{file.format}: a cut file of this form cannot be told from a whole one."
                    if file.format not in _COMPARED
                    else "",
                ),
            )
    except soundfile.LibsndfileError as error:
        raise DatasetError(
            path,
            f"not readable as sound ({path.stat().st_size} bytes): {error.error_string}",
            "a WAV, FLAC, Ogg or MP3 file.",
            "Download it again, or convert it:  ffmpeg -i FILE NEW.wav",
        ) from None
    finally:
        if isinstance(source, io.FileIO):
            source.close()


def audio_checksum(path: str | Path) -> str:
    """SHA-256 of the file, hexadecimal."""
    path = Path(path)
    require_content(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_rate(path: Path, rate: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise DatasetError(
            path, f"a sampling rate of {rate} Hz in its header.", f"{RATES[0]} to {RATES[1]} Hz.", RATE_REMEDY
        )


def _cut(log: str, start: bytes, path: Path) -> str:
    """Whether libsndfile's log of the header (AIFF, AU, RF64, W64), or the end of an Ogg file, says that it is cut."""
    for declared, there in re.findall(r":\s*(\d+) \(should be (\d+)\)", log):
        if int(there) < int(declared) < _UNKNOWN:
            return f"truncated: {int(declared) - int(there)} bytes fewer than its header says."
    return "truncated: it ends within a page." if ogg_end(path, start) == "cut" else ""


@dataclass(frozen=True)
class _WavChunks:
    """Where the data chunk's size stands, what it says, the bytes that are there, bytes a frame, and the rate."""

    place: int = 0
    declared: int = 0
    there: int = 0
    align: int = 0
    rate: int | None = None
    more: bool = False  # whether what follows the declared data is a chunk, or nothing

    @property
    def unknown(self) -> bool:
        """Whether the header was written before the length was known."""
        return self.there > 0 and (
            (self.declared == 0 and not self.more)
            or (self.declared >= _UNKNOWN and self.declared > self.there)
        )

    @property
    def misleading(self) -> bool:
        """Whether libsndfile would stop too early: more than 50 ms of bytes after the data that are no chunk."""
        left = self.there - self.declared
        enough = 0.05 * self.align * (self.rate or 0)
        return not self.more and left > (0 if self.declared == 0 else enough) and self.align > 0

    @property
    def cut(self) -> str:
        """That bytes are missing, as a sentence."""
        missing = self.declared - self.there
        if missing <= 0 or self.unknown:
            return ""
        return f"truncated: {missing} bytes fewer than its header says."

    @classmethod
    def of(cls, path: Path) -> "_WavChunks | None":
        size = path.stat().st_size
        with path.open("rb") as file:
            order: Any = "little" if file.read(12)[:4] == b"RIFF" else "big"
            align, rate = 0, None
            while len(head := file.read(8)) == 8:
                place, declared = file.tell() - 4, int.from_bytes(head[4:], order)
                if head[:4] == b"data":
                    there = size - place - 4
                    file.seek(declared + declared % 2, io.SEEK_CUR)
                    after = file.read(8)
                    left = there - declared - declared % 2 - 8
                    text = after[:4].isascii() and after[:4].decode("ascii", "replace").isprintable()
                    is_chunk = len(after) == 8 and text and int.from_bytes(after[4:], order) <= left
                    return cls(place, declared, there, align, rate, is_chunk)
                body = file.read(declared + declared % 2) if declared < _END else b""
                if head[:4] == b"fmt " and len(body) >= 16:
                    rate, align = int.from_bytes(body[4:8], order), int.from_bytes(body[12:14], order)
                elif not body:
                    file.seek(declared + declared % 2, io.SEEK_CUR)
        return None if rate is None else cls(rate=rate)
