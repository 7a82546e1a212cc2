"""TextGrids: when which phone and which word was said."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from praatio.textgrid import openTextgrid
from praatio.utilities.errors import PraatioException

from brainwavlm.errors import DatasetError
from brainwavlm.files import require_content

# Marks of silence, breath, laughter and noise in the transcripts of ds003020, after braces and case are stripped.
NOISE_MARKS = frozenset({"", "sentence_start", "sentence_end", "br", "lg", "ls", "ns", "sp"})
PHONES = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY"),
    *("JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y"),
    *("Z", "ZH"),
)


@dataclass(frozen=True)
class Interval:
    """Something said: seconds from sound onset, and the text."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Transcript:
    """Phones (ARPAbet) and words of a story, in order, without silences and noise marks."""

    phones: list[Interval]
    words: list[Interval]


def phone_class(label: str) -> str:
    """AH of AH0: the ARPAbet phone without its stress."""
    return re.sub(r"\d+$", "", label.strip().upper())


def read_transcript(path: str | Path) -> Transcript:
    """Phones and words of a TextGrid, in Praat's long, short or chronological form.

    The tiers are found by name (phone or phones, word or words), else tier 0 is phones and tier 1 words.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Transcript

    Raises
    ------
    DatasetError
        Missing, a git-annex pointer, empty, neither UTF-8 nor UTF-16, no TextGrid, or without words.
    """
    path = Path(path)
    require_content(path)
    text = _text(path)
    try:
        tiers = _chronological(text) if "chronological" in text[:200] else _praatio(path)
    except (PraatioException, ValueError, IndexError, KeyError, StopIteration) as error:
        raise _unusable(path, f"no readable TextGrid ({type(error).__name__}).") from None
    if len(tiers) < 2:
        raise _unusable(path, f"{len(tiers)} tiers.")
    words = [interval for interval in _tier(tiers, "word", 1) if _said(interval.text)]
    if not words:
        raise _unusable(path, "no words.")
    return Transcript([interval for interval in _tier(tiers, "phone", 0) if _said(interval.text)], words)


def write_transcript(path: str | Path, transcript: Transcript, seconds: float) -> None:
    """Write a TextGrid in the long form, tiers `phone` and `word`, gaps filled with empty text.

    Parameters
    ----------
    path : str or Path
    transcript : Transcript
    seconds : float
        Length of the sound.
    """
    out = io.StringIO()
    out.write('File type = "ooTextFile"\nObject class = "TextGrid"\n\n')
    out.write(f"xmin = 0\nxmax = {seconds!r}\ntiers? <exists>\nsize = 2\nitem []:\n")
    for number, (name, said) in enumerate(
        (("phone", transcript.phones), ("word", transcript.words)), start=1
    ):
        filled = list(_filled(said, seconds))
        out.write(f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"\n')
        out.write(f"        xmin = 0\n        xmax = {seconds!r}\n        intervals: size = {len(filled)}\n")
        for place, interval in enumerate(filled, start=1):
            quoted = interval.text.replace('"', '""')
            out.write(f"        intervals [{place}]:\n            xmin = {interval.start!r}\n")
            out.write(f'            xmax = {interval.end!r}\n            text = "{quoted}"\n')
    Path(path).write_text(out.getvalue(), encoding="utf-8")


def _said(text: str) -> bool:
    return text.strip().strip("{}").strip().lower() not in NOISE_MARKS


def _text(path: Path) -> str:
    content = path.read_bytes()
    if not content.strip():
        raise _unusable(path, "an empty file.")
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise _unusable(path, f"bytes that are not {encoding.upper()}, from byte {error.start} on.") from None


def _praatio(path: Path) -> dict[str, list[Interval]]:
    grid = openTextgrid(str(path), False, reportingMode="silence", duplicateNamesMode="rename")
    return {
        tier.name: [Interval(*entry) for entry in tier.entries if len(entry) == 3]  # points have two fields
        for tier in grid.tiers
    }


def _chronological(text: str) -> dict[str, list[Interval]]:
    """Praat's chronological form, which praatio does not read.

    Header, then times and the number of tiers, `"IntervalTier" "name" start end` for each, then
    `tier start end "text"` in the order of time.
    """
    body = text.split("\n", 1)[1]
    body = re.sub(r'("(?:[^"]|"")*")|!.*', lambda match: match[1] or "", body)  # ! starts a comment
    tokens = iter(re.findall(r'"(?:[^"]|"")*"|[-+.\dEe]+', body))
    _, _, n_tiers = float(next(tokens)), float(next(tokens)), int(next(tokens))
    kinds: list[str] = []
    tiers: list[tuple[str, list[Interval]]] = []
    for _ in range(n_tiers):
        kinds.append(_unquoted(next(tokens)))
        tiers.append((_unquoted(next(tokens)), []))
        next(tokens), next(tokens)
    for token in tokens:
        place = int(token) - 1
        times = [float(next(tokens)) for _ in range(2 if kinds[place] == "IntervalTier" else 1)]
        interval = Interval(times[0], times[-1], _unquoted(next(tokens)))
        tiers[place][1].append(interval)
    return dict(tiers)


def _unquoted(token: str) -> str:
    if not token.startswith('"'):
        raise ValueError(token)
    return token[1:-1].replace('""', '"')


def _tier(tiers: dict[str, list[Interval]], name: str, place: int) -> list[Interval]:
    named = [tier for key, tier in tiers.items() if key.strip().lower() in (name, f"{name}s")]
    return named[0] if named else list(tiers.values())[place]


def _filled(said: list[Interval], seconds: float) -> Iterator[Interval]:
    now = 0.0
    for interval in said:
        if interval.start > now:
            yield Interval(now, interval.start, "")
        yield interval
        now = interval.end
    if now < seconds:
        yield Interval(now, seconds, "")


def _unusable(path: Path, found: str) -> DatasetError:
    return DatasetError(
        path,
        found,
        "a TextGrid in UTF-8 with a phone tier and a word tier.",
        "Download it again, save it as text in UTF-8 with Praat, or remove it from the data set.",
    )
