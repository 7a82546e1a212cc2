"""Transcripts: which tier of a TextGrid holds the words and which the phones, and when each was said."""

import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from brainwavlm.datasets.responses import Story
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.spoken_labels import Kind, nothing_said
from brainwavlm.stimulus.textgrid import AGAIN, Interval, Tier, read_tiers, unusable

# Tiers by name, without case, and without the speaker before " - " of Montreal's aligner and of FAVE: those of
# ds003020, Montreal, Prosodylab, Penn, FAVE, Gentle's converters, WebMAUS, EasyAlign and SPPAS. KAN-MAU holds
# pronunciations of words, neither words nor phones.
TIERS: dict[Kind, frozenset[str]] = {
    "words": frozenset({"word", "words", "ort-mau", "ort", "tokensalign"}),
    "phones": frozenset({"phone", "phones", "phoneme", "phonemes", "mau", "phonalign"}),
}
TOLERANCE = 0.002  # seconds; more than rounding to milliseconds, less than any frame of an aligner
_EXACT = 1e-6  # seconds; below is arithmetic, not rounding of a file


@dataclass(frozen=True)
class Transcript:
    """Phones and words of a story, in order, without silences and noise marks.

    Attributes
    ----------
    phones, words : list of Interval
        Empty where no tier holds them.
    tiers : tuple of str
        Names of all tiers of the file.
    mended : mapping of str to int
        Intervals `joined` (overlaps, and ends before starts, of 2 ms or less) and `dropped` (of length 0), and
        tiers that are `copies` of another.
    """

    phones: list[Interval]
    words: list[Interval]
    tiers: tuple[str, ...] = ()
    mended: Mapping[str, int] = field(default_factory=dict)


def read_transcript(
    path: str | Path, word_tiers: Iterable[str] = (), phone_tiers: Iterable[str] = ()
) -> Transcript:
    """Phones and words of a TextGrid, in any form of `read_tiers`.

    Tiers are found by name, never by place; those of several speakers are joined in the order of time. A transcript may
    have words only, or phones only.

    Parameters
    ----------
    path : str or Path
    word_tiers, phone_tiers : iterable of str
        Names of the tiers, where they are none of `TIERS`.

    Returns
    -------
    Transcript

    Raises
    ------
    DatasetError
        Missing, a git-annex pointer, no TextGrid, no tier whose name is known, or several that may hold the same,
        nothing said, or intervals that overlap, or end before they start, by more than 2 ms.
    """
    path = Path(path)
    tiers = read_tiers(path)
    mended: Counter[str] = Counter()
    spoken: dict[Kind, list[Interval]] = {}
    chosen: list[Tier] = []
    named: dict[Kind, tuple[str, ...]] = {"words": tuple(word_tiers), "phones": tuple(phone_tiers)}
    for kind, names in named.items():
        some = _once(_chosen(path, tiers, kind, names), mended)
        intervals = [interval for tier in some for interval in _mended(path, tier, mended)]
        intervals = [interval for interval in intervals if not nothing_said(interval.text, kind)]
        spoken[kind] = sorted(intervals, key=lambda interval: (interval.start, interval.end))
        chosen += some
    if not chosen:
        raise _without(path, _listed(tiers), "words or phones")
    if not any(spoken.values()):
        raise unusable(path, f"silences and noises only in {_listed(chosen)}.", AGAIN)
    tier_names = tuple(tier.name for tier in tiers)
    return Transcript(spoken["phones"], spoken["words"], tier_names, dict(+mended))


def said(story: Story, kind: Kind) -> list[Interval]:
    """Phones or words of a story that has a transcript; DatasetError as `read_transcript`, or where it has none."""
    assert story.transcript is not None
    transcript = read_transcript(story.transcript, story.word_tiers, story.phone_tiers)
    intervals = transcript.words if kind == "words" else transcript.phones
    if not intervals:
        raise _without(story.transcript, ", ".join(map(repr, transcript.tiers)), kind)
    return intervals


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
    out.write(f"xmin = 0\nxmax = {float(seconds)!r}\ntiers? <exists>\nsize = 2\nitem []:\n")
    for number, (name, intervals) in enumerate(
        (("phone", transcript.phones), ("word", transcript.words)), start=1
    ):
        filled = list(_filled(intervals, seconds))
        out.write(f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"\n')
        out.write(
            f"        xmin = 0\n        xmax = {float(seconds)!r}\n        intervals: size = {len(filled)}\n"
        )
        for place, interval in enumerate(filled, start=1):
            quoted = interval.text.replace('"', '""')
            out.write(f"        intervals [{place}]:\n            xmin = {float(interval.start)!r}\n")
            out.write(f'            xmax = {float(interval.end)!r}\n            text = "{quoted}"\n')
    Path(path).write_bytes(out.getvalue().encode())  # bytes: ends of lines within labels stay as they are


def _chosen(path: Path, tiers: list[Tier], kind: Kind, names: tuple[str, ...]) -> list[Tier]:
    """Tiers of that kind: those named, or those whose names are known; points are no stretches of time."""
    if not names:
        called = [tier.name.strip().casefold().rpartition(" - ")[2] for tier in tiers]
        chosen = {tier.name: name for tier, name in zip(tiers, called, strict=True) if name in TIERS[kind]}
        if len(set(chosen.values())) > 1:
            raise unusable(
                path, f"several tiers that may hold {kind}: {', '.join(map(repr, chosen))}.", _naming(path)
            )
        return [tier for tier in tiers if tier.name in chosen and not tier.points]
    for name in names:
        if not any(tier.name == name and not tier.points for tier in tiers):
            raise unusable(
                path,
                f"no tier of intervals {name!r}, which dataset.yaml names; tiers: {_listed(tiers)}.",
                f"Correct {kind} of this transcript in dataset.yaml.",
            )
    return [tier for tier in tiers if tier.name in names and not tier.points]


def _once(tiers: list[Tier], mended: Counter[str]) -> list[Tier]:
    """The tiers without those that say, with the same times, what another says: each of their words counted twice."""

    def same(one: Tier, other: Tier) -> bool:
        return len(one.intervals) == len(other.intervals) and all(
            a.text == b.text and max(abs(a.start - b.start), abs(a.end - b.end)) <= TOLERANCE
            for a, b in zip(one.intervals, other.intervals, strict=True)
        )

    kept: list[Tier] = []
    for tier in tiers:
        if any(same(tier, other) for other in kept):
            mended["copies"] += 1
        else:
            kept.append(tier)
    return kept


def _mended(path: Path, tier: Tier, mended: Counter[str]) -> list[Interval]:
    """Intervals in the order of time that do not overlap and have a length; what was mended is counted."""

    def refused(one: tuple[int, Interval], problem: str) -> DatasetError:
        number, interval = one
        where = f"tier {tier.name!r}, interval {number} {_times(interval)}"
        return unusable(path, f"{where}: {problem}.", "Mend its times in Praat, or align the story again.")

    for number, interval in enumerate(tier.intervals, 1):
        if not (math.isfinite(interval.start) and math.isfinite(interval.end)):
            raise refused((number, interval), "its times are no numbers")
    kept: list[tuple[int, Interval]] = []
    for number, interval in sorted(enumerate(tier.intervals, 1), key=lambda one: (one[1].start, one[1].end)):
        if interval.end < interval.start - TOLERANCE - _EXACT:
            raise refused((number, interval), "it ends before it starts")
        if kept and (overlap := kept[-1][1].end - interval.start) > 0:
            before = kept[-1][1]
            if overlap > TOLERANCE + _EXACT:
                problem = f"it overlaps interval {kept[-1][0]} {_times(before)} by {1000 * overlap:.3g} ms"
                raise refused((number, interval), problem)
            mended["joined"] += overlap > _EXACT
            kept[-1] = (kept[-1][0], Interval(before.start, interval.start, before.text))
            if interval.start - before.start <= _EXACT:
                mended["dropped"] += 1
                kept.pop()
        mended["joined"] += interval.end < interval.start - _EXACT
        if interval.end - interval.start <= _EXACT:
            mended["dropped"] += 1
        else:
            kept.append((number, interval))
    return [interval for _, interval in kept]


def _times(interval: Interval) -> str:
    return f"({interval.text!r}, {interval.start:.3f} to {interval.end:.3f} s)"


def _filled(intervals: list[Interval], seconds: float) -> Iterator[Interval]:
    now = 0.0
    for interval in intervals:
        if interval.start > now:
            yield Interval(now, interval.start, "")
        yield interval
        now = interval.end
    if now < seconds:
        yield Interval(now, seconds, "")


def _listed(tiers: Iterable[Tier]) -> str:
    return ", ".join(f"{tier.name!r}{' (points)' * tier.points}" for tier in tiers) or "none"


def _without(path: Path, tiers: str, kind: str) -> DatasetError:
    return unusable(
        path,
        f"no tier that is known to hold {kind}; tiers: {tiers}.",
        _naming(path),
    )


def _naming(path: Path) -> str:
    return f"Name them in dataset.yaml:  transcript: {{file: {path.name}, words: TIER, phones: TIER}}"
