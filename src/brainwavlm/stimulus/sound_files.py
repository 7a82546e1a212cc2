"""Sound files decoded to their end, whatever their headers promise; what these promise is told beside it."""

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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
    wav = _wav_data(path) if start[:4] in (b"RIFF", b"RIFX") and start[8:12] == b"WAVE" else None
    require_one_stream(path)
    promised: int | None = None
    source: Path | _Patched | Endless = path
    if wav is not None and wav.short_at is not None:
        promised, source = wav.promised, _Patched(path, wav.short_at, b"\xff\xff\xff\xff")
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


class _WavData(NamedTuple):
    """What a WAV file says of its data."""

    short_at: int | None  # place of their size, where libsndfile would stop too early
    promised: int | None  # frames, then
    unknown: bool  # whether the header was written before the length was known
    cut: str  # as of a `Header`


def _wav_data(path: Path) -> _WavData | None:
    """None of a file without a data chunk. DatasetError of a rate that no recorder has.

    Sound goes on behind the declared data where more than 50 ms of bytes follow that are no chunk.
    """
    size, align, rate = path.stat().st_size, 0, 0
    with path.open("rb") as file:
        order: Any = "little" if file.read(12)[:4] == b"RIFF" else "big"
        while len(head := file.read(8)) == 8:
            start, declared = file.tell(), int.from_bytes(head[4:], order)
            if head[:4] == b"fmt ":
                body = file.read(16)
                rate, align = int.from_bytes(body[4:8], order), int.from_bytes(body[12:14], order)
                _require_rate(path, rate)
            file.seek(start + declared + declared % 2)
            if head[:4] == b"data":
                break
        else:
            return None
        after, end = file.read(8), file.tell()
    is_chunk = bool(re.match(rb"[ -~]{4}", after)) and len(after) == 8
    is_chunk = is_chunk and int.from_bytes(after[4:], order) <= size - end
    there = size - start
    unknown = there > 0 and (declared >= max(_UNKNOWN, there + 1) or (declared == 0 and not is_chunk))
    short = not is_chunk and align > 0 and there - declared > (0.05 * align * rate if declared else 0)
    cut = (
        ""
        if unknown or there >= declared
        else f"truncated: {declared - there} bytes fewer than its header says."
    )
    return _WavData(
        start - 4 if short else None, declared // align if short and declared else None, unknown, cut
    )
