"""Praat's TextGrids: every form that Praat reads, as tiers of labelled intervals, whichever program wrote them.

A text file is a row of free-standing tokens: numbers, "strings" whose quotes are doubled, <flags>; all else, and what
stands behind an exclamation mark, is comment. The long and the short form are the same row of tokens.
"""

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainwavlm.errors import DatasetError
from brainwavlm.files import require_content

_TOKEN = re.compile(
    r'(?<![^\s=?])(?:"(?P<text>[^"]*(?:""[^"]*)*)(?P<close>"?)|(?P<flag><\w+>)|(?P<number>[-+]?\.?\d\S*)|!.*)'
)
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?:/(\d+))?(%?)")
_BINARY = b"ooBinaryFile"
# Of files that take a TextGrid's place, by how they begin.
_OTHERS = {
    b"#!MLF!#": "a label file of HTK (MLF)",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<?xml": "XML, as ELAN writes it",
    b"%pdf": "a PDF",
    b"pk\3\4": "a ZIP archive",
    b"\x1f\x8b": "compressed by gzip",
    b"riff": "a sound",
    b"flac": "a sound",
    b"oggs": "a sound",
    b"id3": "a sound",
}
EXPORT = "Open it where it was made and save it as a TextGrid, or remove it from the data set."
AGAIN = "Download it again, save it as text with Praat, or remove it from the data set."


@dataclass(frozen=True)
class Interval:
    """Something said: seconds from sound onset, and the text."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Tier:
    """A tier of intervals, or of points, which end where they start."""

    name: str
    intervals: list[Interval]
    points: bool = False


class _Malformed(ValueError):
    """What is wrong within a TextGrid, as a sentence."""


def read_tiers(path: str | Path) -> list[Tier]:
    """Tiers of a TextGrid in their order: Praat's long, short, chronological or binary form, or praatIO's JSON.

    Text may be UTF-8 or UTF-16, or else is taken for Latin-1 (of Windows), as Praat takes it; lines may end in any way.

    Raises
    ------
    DatasetError
        Missing, a git-annex pointer, empty, something else than a TextGrid, or one that breaks off.
    """
    path = Path(path)
    require_content(path)
    content = path.read_bytes()
    if not content.strip():
        raise unusable(path, "an empty file.", AGAIN)
    start = content[:40].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    other = next((what for first, what in _OTHERS.items() if start.startswith(first.lower())), None)
    if other is not None:
        raise unusable(path, f"{other}, no TextGrid.", EXPORT)
    try:
        if content.startswith(_BINARY):
            return _grid(_Binary(content[len(_BINARY) :]), path)
        text = _decoded(content)
        if start[:1] in (b"{", b"["):
            return _json(text, path)
        if "chronological" in text[:200]:
            return _chronological(_Text(text))
        if "TextFile" not in text[:200]:
            raise unusable(path, f"no TextGrid: it begins with {' '.join(text[:40].split())!r}.", AGAIN)
        source = _Text(text)
        source.string()  # ooTextFile
        return _grid(source, path)
    except _Malformed as error:
        raise unusable(path, f"no readable TextGrid: {error}", AGAIN) from None


def unusable(path: Path, found: str, remedy: str) -> DatasetError:
    """The error of a transcript."""
    return DatasetError(path, found, "a TextGrid with a tier of words, or of phones and words.", remedy)


def _decoded(content: bytes) -> str:
    marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"F\0": "utf-16-le", b"\0F": "utf-16-be"}
    for encoding in (marks.get(content[:2], "utf-8-sig"), "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


class _Text:
    """Values of a text file, in their order."""

    def __init__(self, text: str):
        self._text = text
        self._tokens = (match for match in _TOKEN.finditer(text) if match.lastgroup)
        self.ahead = next(self._tokens, None)

    def number(self) -> float:
        token = self._next("number", "a number")
        value = _NUMBER.fullmatch(token)
        if value is None or value[2] == "0":
            raise self._wrong(f"{token!r} is no number")
        return float(value[1]) / int(value[2] or 1) / (100 if value[3] else 1)

    def count(self) -> int:
        token = self._next("number", "a whole number")
        if not token.isdecimal():
            raise self._wrong(f"{token!r} is no count")
        return int(token)

    def string(self) -> str:
        return self._next("text", "text in quotes").replace('""', '"')

    kind = string

    def exists(self) -> bool:
        return self._next("flag", "<exists>") == "<exists>"

    def _next(self, group: str, expected: str) -> str:
        self._match = self.ahead
        if self._match is None:
            raise _Malformed(f"it breaks off where {expected} is expected.")
        if self._match["text"] is not None:
            after = self._text[self._match.end() : self._match.end() + 1]
            if not self._match["close"] or after.strip():
                raise self._wrong("a quote that is not closed, or not doubled within a label")
        value = self._match[group]
        if value is None:
            raise self._wrong(f"{self._match[0][:40]!r} where {expected} is expected")
        self.ahead = next(self._tokens, None)
        return value

    def _wrong(self, what: str) -> _Malformed:
        assert self._match is not None
        lines = re.findall(r"\r\n?|\n", self._text[: self._match.start()])
        return _Malformed(f"{what}, line {len(lines) + 1}.")


class _Binary:
    """Values of Praat's binary form, in their order: big-endian, strings of one or two bytes a character."""

    def __init__(self, content: bytes):
        self._content, self._place = content, 0
        if self.kind() != "TextGrid":
            raise _Malformed("binary, but no TextGrid.")
        self._place = 0

    def _next(self, form: str) -> Any:
        try:
            (value,) = struct.unpack_from(f">{form}", self._content, self._place)
        except struct.error:
            raise _Malformed("it breaks off.") from None
        self._place += struct.calcsize(f">{form}")
        return value

    def number(self) -> float:
        return self._next("d")

    def count(self) -> int:
        return self._next("i")

    def exists(self) -> bool:
        return bool(self._next("B"))

    def kind(self) -> str:
        return self._next(f"{self._next('B')}s").decode("latin-1")

    def string(self) -> str:
        length = self._next("H")
        if length == 0xFFFF:
            return self._next(f"{2 * self._next('H')}s").decode("utf-16-be", "replace")
        return self._next(f"{length}s").decode("latin-1")


def _grid(source: "_Text | _Binary", path: Path) -> list[Tier]:
    kind = source.kind()
    if kind.split(" ")[0] != "TextGrid":
        raise unusable(path, f"Praat's {kind}, no TextGrid.", EXPORT)
    source.number(), source.number()
    tiers = []
    for _ in range(source.count() if source.exists() else 0):
        points, name = source.kind() == "TextTier", source.string()
        source.number(), source.number()
        intervals = []
        for _ in range(source.count()):
            start = source.number()
            intervals.append(Interval(start, start if points else source.number(), source.string()))
        tiers.append(Tier(name, intervals, points))
    return tiers


def _chronological(source: _Text) -> list[Tier]:
    """Times and the number of tiers, kind, name and times of each, then tier, times and text in the order of time."""
    source.string()
    source.number(), source.number()
    tiers = []
    for _ in range(source.count()):
        points, name = source.kind() == "TextTier", source.string()
        source.number(), source.number()
        tiers.append(Tier(name, [], points))
    while source.ahead is not None:
        number = source.count()
        if not 1 <= number <= len(tiers):
            raise _Malformed(f"an interval of tier {number}, of {len(tiers)}.")
        tier, start = tiers[number - 1], source.number()
        tier.intervals.append(Interval(start, start if tier.points else source.number(), source.string()))
    return tiers


def _json(text: str, path: Path) -> list[Tier]:
    """What praatIO and Montreal's aligner write as JSON: tiers by name, or listed."""
    content: Any = None
    try:
        content = json.loads(text)
        tiers = content["tiers"]
        by_name = tiers.items() if isinstance(tiers, dict) else [(tier["name"], tier) for tier in tiers]
        return [
            Tier(
                str(name),
                [Interval(float(one[0]), float(one[-2]), str(one[-1] or "")) for one in tier["entries"]],
                any(len(one) == 2 for one in tier["entries"]),
            )
            for name, tier in by_name
        ]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        keys = f" with {', '.join(map(str, list(content)[:5]))}" if isinstance(content, dict) else ""
        raise unusable(path, f"JSON{keys}, no TextGrid.", EXPORT) from None
