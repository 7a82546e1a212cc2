"""Praat's TextGrids: every form that Praat reads, as tiers of labelled intervals, whichever program wrote them."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainwavlm.errors import DatasetError
from brainwavlm.files import RepeatedKeyError, one_form, parsed_json, require_content
from brainwavlm.stimulus.praat_values import BinaryValues, Malformed, TextValues

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
EXPORT = "Open it where it was made and save it as a TextGrid or a table, or remove it from the data set."
AGAIN = "Download it or export it again, or remove it from the data set."


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


@dataclass(frozen=True)
class TextGrid:
    """Tiers in their order, and what the file says of itself.

    Attributes
    ----------
    tiers : list of Tier
        Their names and texts in Unicode's form NFC, in which a word is one word however its accents were typed.
    start, end : float
        Ends of its time axis (xmin, xmax), on which all its times are; NaN where it does not say.
    encoding : str
        "UTF-8", "UTF-16"; "Windows-1252" and "Latin-1" are assumed, where bytes are neither.
    """

    tiers: list[Tier]
    start: float = math.nan
    end: float = math.nan
    encoding: str = "UTF-8"


def read_textgrid(path: str | Path) -> TextGrid:
    """A TextGrid: Praat's long, short, chronological or binary form, or praatIO's JSON.

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
            return _grid(BinaryValues(content[len(_BINARY) :]), path, "UTF-16")
        text, encoding = _decoded(content)
        if start[:1] in (b"{", b"["):
            return _json(text, path, encoding)
        if "chronological" in text[:200]:
            return _chronological(TextValues(text), encoding)
        if "TextFile" not in text[:200]:
            raise unusable(path, f"no TextGrid: it begins with {' '.join(text[:40].split())!r}.", AGAIN)
        source = TextValues(text)
        source.string()  # ooTextFile
        grid = _grid(source, path, encoding)
        if source.ahead is not None and (source.ahead["number"] or source.ahead["close"]):
            raise Malformed(f"{source.ahead[0][:40]!r} follows its last tier: a size is too small.")
        return grid
    except Malformed as error:
        raise unusable(path, f"no readable TextGrid: {error}", AGAIN) from None


def unusable(path: Path, found: str, remedy: str) -> DatasetError:
    """The error of a transcript."""
    return DatasetError(
        path,
        found,
        "words, or phones and words, as tiers of a TextGrid; or words alone: a table onset,offset,word in the order of "
        "time, in seconds, or Gentle's or WhisperX's JSON.",
        remedy,
    )


def _decoded(content: bytes) -> tuple[str, str]:
    marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"F\0": "utf-16-le", b"\0F": "utf-16-be"}
    known = marks.get(content[:2], "utf-8-sig")
    for codec, name in (
        (known, known[:6].upper().rstrip("-")),
        ("cp1252", "Windows-1252"),
        ("latin-1", "Latin-1"),
    ):
        try:
            return content.decode(codec), name
        except UnicodeDecodeError:
            continue
    raise AssertionError("Latin-1 has all bytes")


def _grid(source: TextValues | BinaryValues, path: Path, encoding: str) -> TextGrid:
    kind = source.kind()
    if kind.split(" ")[0] != "TextGrid":
        raise unusable(path, f"Praat's {kind}, no TextGrid.", EXPORT)
    ends = source.number(), source.number()
    tiers = []
    for _ in range(source.count() if source.exists() else 0):
        points, name = source.kind() == "TextTier", source.string()
        source.number(), source.number()
        intervals = []
        for _ in range(source.count()):
            start = source.number()
            intervals.append(Interval(start, start if points else source.number(), source.string()))
        tiers.append(Tier(name, intervals, points))
    return TextGrid(tiers, *ends, encoding)


def _chronological(source: TextValues, encoding: str) -> TextGrid:
    """Times and the number of tiers, kind, name and times of each, then tier, times and text in the order of time."""
    source.string()
    ends = source.number(), source.number()
    tiers = []
    for _ in range(source.count()):
        points, name = source.kind() == "TextTier", source.string()
        source.number(), source.number()
        tiers.append(Tier(name, [], points))
    while source.ahead is not None:
        number = source.count()
        if not 1 <= number <= len(tiers):
            raise Malformed(f"an interval of tier {number}, of {len(tiers)}.")
        tier, start = tiers[number - 1], source.number()
        tier.intervals.append(Interval(start, start if tier.points else source.number(), source.string()))
    return TextGrid(tiers, *ends, encoding)


def _json(text: str, path: Path, encoding: str) -> TextGrid:
    """What praatIO and Montreal's aligner write as JSON: tiers by name, or listed."""
    content: Any = None
    try:
        content = parsed_json(text)
        tiers = content["tiers"]
        by_name = tiers.items() if isinstance(tiers, dict) else [(tier["name"], tier) for tier in tiers]
        ends = [content.get(a, content.get(b)) for a, b in (("xmin", "start"), ("xmax", "end"))]
        start, end = (float(time) if isinstance(time, int | float) else math.nan for time in ends)
        return TextGrid(
            [
                Tier(
                    label_of(name),
                    [Interval(float(one[0]), float(one[-2]), label_of(one[-1])) for one in tier["entries"]],
                    any(len(one) == 2 for one in tier["entries"]),
                )
                for name, tier in by_name
            ],
            start,
            end,
            encoding,
        )
    except RepeatedKeyError as error:
        raise Malformed(f"its JSON {error}.") from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        if content is None:
            raise unusable(path, f"not readable as JSON: {error}.", AGAIN) from None
        keys = f" with {', '.join(map(str, list(content)[:5]))}" if isinstance(content, dict) else ""
        raise unusable(path, f"JSON{keys}, no TextGrid.", EXPORT) from None


def label_of(value: Any) -> str:
    """Text of a label; null and NaN, as pandas writes what is empty, are no text."""
    return "" if value is None or value != value else one_form(str(value))
