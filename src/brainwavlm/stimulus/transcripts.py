"""Transcripts: which tier of a TextGrid holds the words and which the phones, and when each was said."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from brainwavlm.datasets.responses import Story
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.stimulus.decoded_sound import sound_facts
from brainwavlm.stimulus.features.units import Units
from brainwavlm.stimulus.intervals import (
    Kind,
    mended_intervals,
    nothing_said,
    phone_classes,
    without_copies,
)
from brainwavlm.stimulus.text_tables import read_word_list
from brainwavlm.stimulus.textgrid import AGAIN, Interval, Tier, read_textgrid, unusable
from brainwavlm.stimulus.word_vectors import spoken

# Tiers by name, without case, and without the speaker before " - " of Montreal's aligner and of FAVE: those of
# ds003020, Montreal, Prosodylab, Penn, FAVE, Gentle's converters, WebMAUS, EasyAlign and SPPAS. KAN-MAU holds
# pronunciations of words, neither words nor phones.
TIERS: dict[Kind, frozenset[str]] = {
    "words": frozenset({"word", "words", "ort-mau", "ort", "tokensalign"}),
    "phones": frozenset({"phone", "phones", "phoneme", "phonemes", "mau", "phonalign"}),
}
_PADDING = 0.1  # seconds by which encoding may lengthen a sound


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
    unspoken : mapping of words and phones to Counter of str
        Labels that were left out as silence or noise, and how often; empty ones are not counted.
    ends : tuple of float
        Ends of the file's time axis, on which all its times are; NaN where it does not say.
    encoding : str
        As in `TextGrid`.
    """

    phones: list[Interval]
    words: list[Interval]
    tiers: tuple[str, ...] = ()
    mended: Mapping[str, int] = field(default_factory=dict)
    unspoken: Mapping[Kind, Counter[str]] = field(default_factory=dict)
    ends: tuple[float, float] = (0.0, math.nan)
    encoding: str = "UTF-8"


def read_transcript(
    path: str | Path, word_tiers: Iterable[str] = (), phone_tiers: Iterable[str] = ()
) -> Transcript:
    """Phones and words of a TextGrid, in any form of `read_textgrid`, or of a list of words (`read_word_list`).

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
    grid = read_word_list(path) or read_textgrid(path)
    tiers = grid.tiers
    mended: Counter[str] = Counter()
    unspoken: dict[Kind, Counter[str]] = {}
    kept: dict[Kind, list[Interval]] = {}
    chosen: list[Tier] = []
    named: dict[Kind, tuple[str, ...]] = {"words": tuple(word_tiers), "phones": tuple(phone_tiers)}
    for kind, names in named.items():
        some = without_copies(_chosen(path, tiers, kind, names), mended)
        intervals = [interval for tier in some for interval in mended_intervals(path, tier, mended)]
        labels = Counter(text for interval in intervals if (text := interval.text.strip()))
        unspoken[kind] = Counter({text: n for text, n in labels.items() if nothing_said(text, kind)})
        intervals = [interval for interval in intervals if not nothing_said(interval.text, kind)]
        kept[kind] = sorted(intervals, key=lambda interval: (interval.start, interval.end))
        chosen += some
    if not chosen:
        raise _without(path, _listed(tiers), "words or phones")
    if not any(kept.values()):
        raise unusable(path, f"silences and noises only in {_listed(chosen)}.", AGAIN)
    tier_names = tuple(tier.name for tier in tiers)
    return Transcript(
        kept["phones"],
        kept["words"],
        tier_names,
        dict(+mended),
        unspoken,
        (grid.start, grid.end),
        grid.encoding,
    )


def said(story: Story, kind: Kind) -> list[Interval]:
    """Phones or words of a story that has a transcript.

    Raises
    ------
    DatasetError
        As `read_transcript` and `require_own_axis`, or where it has none of that kind.
    """
    transcript = transcript_of(story)
    intervals = transcript.words if kind == "words" else transcript.phones
    if not intervals:
        assert story.transcript is not None
        raise _without(story.transcript, ", ".join(map(repr, transcript.tiers)), kind)
    return intervals


def labels_said(stories: Iterable[Story], kind: Kind, key: str, asked_for: str) -> dict[str, Units]:
    """Phones or words by story, under what each is called: its class of `phone_classes`, or the word as `spoken`.

    Raises
    ------
    ConfigError
        A story has no transcript; of `key`, and of what it was `asked_for`.
    DatasetError
        As `said`.
    """
    stories = list(stories)
    for story in stories:
        if story.transcript is None:
            raise ConfigError(
                key,
                f"{asked_for}, but {story.name} has no transcript.",
                f"a transcript with {kind} for every story.",
                f"Add it to the data set, or leave {asked_for} out.",
            )
    intervals = [said(story, kind) for story in stories]
    names = [[spoken(interval.text) for interval in some] for some in intervals]
    if kind == "phones":
        names, _ = phone_classes(intervals)
    return {
        story.name: Units.said(some, called)
        for story, some, called in zip(stories, intervals, names, strict=True)
    }


def transcript_of(story: Story) -> Transcript:
    """The transcript of a story that has one, on the axis of its sound; DatasetError as for `said`."""
    assert story.transcript is not None
    transcript = read_transcript(story.transcript, story.word_tiers, story.phone_tiers)
    if begins_elsewhere(transcript):
        require_own_axis(story.transcript, transcript, sound_facts(story.audio, story.channel).seconds)
    return transcript


def begins_elsewhere(transcript: Transcript) -> bool:
    """Whether a file's time axis begins elsewhere than at 0: with its first label, or where it was cut from another."""
    return abs(transcript.ends[0]) > 1e-6  # which NaN is not


def require_own_axis(path: Path, transcript: Transcript, seconds: float) -> None:
    """Raise a DatasetError where times are those of a longer recording, of which the sound is a part.

    Praat keeps them when it extracts a part of a TextGrid, while a sound file always begins at 0. Then the axis is as
    long as the sound, and does not end with it: |xmax - xmin - seconds| <= 0.1 s < |xmax - seconds|.
    """
    start, end = transcript.ends
    if begins_elsewhere(transcript) and abs(end - start - seconds) <= _PADDING < abs(end - seconds):
        raise DatasetError(
            path,
            f"its times run from xmin = {start:g} to xmax = {end:g} s, as long as the sound, which lasts "
            f"{seconds:.2f} s: they are those of a longer recording, from which it was cut.",
            "times that count from the sound's onset.",
            f"Take {start:g} s from all of them; in Praat: Modify times, Shift times to..., start time 0.",
        )


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
