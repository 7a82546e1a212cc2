"""Ogg and MP3 are streams: one may say no length, break off, or have another one behind it in the same file."""

import io
from pathlib import Path
from typing import Any, BinaryIO

from brainwavlm.errors import DatasetError

_END = 1 << 17  # bytes; a page of Ogg has 65,307 at most
_START = 1 << 12  # bytes; the longest frame of an MP3 has 1441
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz, by version
_KBITS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class Endless(io.FileIO):
    """A file that says it is far longer than it is.

    From the size of an MP3 that does not count its frames, and the bit rate of the first, libsndfile works out a length
    and stops there: of a variable bit rate that may be half of the sound. Tags at the end cannot be read: it would look
    for frames in them, and give up with what it has.
    """

    _from_end = False

    def __init__(self, path: Path):
        super().__init__(path)
        self._end = _before_tags(self, path.stat().st_size)
        super().seek(0)

    def readinto(self, buffer: Any) -> int:
        """As of any file that ends where its tags begin."""
        if self._from_end:  # it looks for the tag itself
            return super().readinto(buffer) or 0
        view = memoryview(buffer).cast("B")
        return super().readinto(view[: max(0, self._end - super().tell())]) or 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        self._from_end = whence == io.SEEK_END
        return super().seek(offset, whence)

    def tell(self) -> int:
        """The place in the file; a tebibyte where it was counted from its end."""
        return 1 << 40 if self._from_end else super().tell()

    @property
    def goes_on(self) -> bool:
        """Whether frames stand behind the place that was read last: those of another rate, or number of channels."""
        here = super().tell()
        return any(_is_frame(self, place) for place in range(here, min(here + _START, self._end)))


def says_no_length(path: Path) -> bool:
    """Whether a file is an MP3 that does not count its frames."""
    with path.open("rb") as file:
        place = _after_tags(file, 0)
        return _is_frame(file, place) and not _counted(file, place)[0]


def require_one_stream(path: Path) -> None:
    """Raise a DatasetError where one stream follows another: libsndfile gives the first, and no word."""
    with path.open("rb") as file:
        if file.read(4) == b"OggS":
            second = _second_ogg(file)
        else:
            place = _after_tags(file, 0)
            n_frames, n_bytes = _counted(file, place) if _is_frame(file, place) else (0, 0)
            second = _after_tags(file, place + n_bytes) if n_frames and n_bytes else None
            second = second if second is not None and _is_frame(file, second) else None
    if second is not None:
        raise DatasetError(
            path,
            f"another sound follows the first in the same file, from byte {second} on: files were joined as they are.",
            "one stream of sound.",
            "Decode all of it into a new file, and name that one:  ffmpeg -i FILE NEW.wav",
        )


def ogg_end(path: Path, start: bytes) -> str:
    """How an Ogg file ends: `cut` within a page, `open` without a page that is marked as the last, or ""."""
    if start[:4] != b"OggS":
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END))
        end = file.read()
    page = end[end.rfind(b"OggS") :]
    n_segments = page[26] if len(page) > 26 else 255
    if len(page) < 27 + n_segments or len(page) < 27 + n_segments + sum(page[27 : 27 + n_segments]):
        return "cut"
    return "" if page[5] & 4 else "open"


def _second_ogg(file: BinaryIO) -> int | None:
    """Where a first page stands behind pages that are none."""
    place, begun = 0, False
    while len(page := _at(file, place, 282)) > 27 and page[:4] == b"OggS":
        if page[5] & 2 and begun:
            return place
        begun |= not page[5] & 2
        place += 27 + page[26] + sum(page[27 : 27 + page[26]])
    return None


def _after_tags(file: BinaryIO, place: int) -> int:
    """The first byte behind ID3 tags, and zeros after these."""
    start = place
    while (tag := _at(file, place, 10))[:3] == b"ID3" and len(tag) == 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
        place += 10 + size + 10 * bool(tag[5] & 0x10)
    padding = _at(file, place, _START)
    return place + len(padding) - len(padding.lstrip(b"\0")) if place > start else place


def _before_tags(file: BinaryIO, end: int) -> int:
    """Where tags at the end begin: ID3 of version 1, and APE before it."""
    if _at(file, max(end - 128, 0), 3) == b"TAG":
        end -= 128
    foot = _at(file, max(end - 32, 0), 32)
    if foot[:8] == b"APETAGEX":
        end -= int.from_bytes(foot[12:16], "little") + 32 * (foot[23] >> 7)
    return end


def _is_frame(file: BinaryIO, place: int) -> bool:
    """Whether a frame of MPEG audio, layer III, stands there, and another one behind it."""
    return bool(size := _frame_size(_at(file, place, 4))) and bool(_frame_size(_at(file, place + size, 4)))


def _frame_size(head: bytes) -> int:
    """Bytes of the frame with these first four; 0 where they are none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, kbits, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or not 0 < kbits < 15 or rate == 3:
        return 0
    first = version == 3
    return (144 if first else 72) * 1000 * _KBITS[first][kbits - 1] // _RATES[version][rate] + (
        head[2] >> 1 & 1
    )


def _counted(file: BinaryIO, place: int) -> tuple[int, int]:
    """Frames and bytes that the first frame counts (Xing, LAME), 0 where it does not."""
    frame = _at(file, place, 64)
    first, mono = frame[1] >> 3 & 3 == 3, frame[3] >> 6 == 3
    side = 36 if first and not mono else 13 if mono and not first else 21
    if frame[side : side + 4] not in (b"Xing", b"Info"):
        return 0, 0
    flags, values = frame[side + 7], frame[side + 8 :]
    n_frames = int.from_bytes(values[:4], "big") if flags & 1 else 0
    values = values[4:] if flags & 1 else values
    return n_frames, int.from_bytes(values[:4], "big") if flags & 2 else 0


def _at(file: BinaryIO, place: int, n_bytes: int) -> bytes:
    file.seek(place)
    return file.read(n_bytes)
