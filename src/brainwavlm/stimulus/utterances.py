"""Utterances: stretches of speech that a model hears alone, with what is known of each; stories are cut into them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from brainwavlm.datasets.responses import Channel, Story
from brainwavlm.stimulus.intervals import phone_classes
from brainwavlm.stimulus.textgrid import Interval
from brainwavlm.stimulus.transcripts import transcript_of
from brainwavlm.stimulus.word_vectors import spoken

LONGEST = 10.0  # seconds of an utterance that is cut from a story
_AROUND = 0.1  # seconds of sound kept before the first and after the last of what is said
_LATER = 0.2  # share of utterances that are tested; half as many choose the epoch
_ENOUGH_SPEAKERS = 10  # from which on splits are drawn by speaker


@dataclass(frozen=True)
class Utterance:
    """A stretch of a sound.

    Attributes
    ----------
    audio : Path
    source : str
        The story, or the sound, that it is of.
    split : str
        train, validation or test; empty where the data do not say.
    start : float
        Seconds from the sound's onset.
    end : float or None
        None: where the sound ends.
    speaker, text : str
        Empty where they are not known.
    columns : mapping of str to str
        Further labels of the whole utterance, by name.
    phones, words : tuple of Interval
        Seconds from the start of the utterance; empty where they are not known.
    channel : str or int
    """

    audio: Path
    source: str
    split: str = ""
    start: float = 0.0
    end: float | None = None
    speaker: str = ""
    text: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    phones: tuple[Interval, ...] = ()
    words: tuple[Interval, ...] = ()
    channel: Channel = "mean"


def utterances_of_stories(stories: Sequence[Story]) -> list[Utterance]:
    """Stories with a transcript, cut at their longest pauses until no part is longer than 10 s.

    Raises
    ------
    DatasetError
        As `said`.
    """
    told = [story for story in stories if story.transcript is not None]
    transcripts = [transcript_of(story) for story in told]
    classes, _ = phone_classes([transcript.phones for transcript in transcripts])
    utterances = []
    for story, transcript, names in zip(told, transcripts, classes, strict=True):
        phones = [replace(p, text=n) for p, n in zip(transcript.phones, names, strict=True) if n]
        words = [replace(w, text=text) for w in transcript.words if (text := spoken(w.text))]
        for part in parted(words or phones):
            start, end = max(part[0].start - _AROUND, 0.0), part[-1].end + _AROUND
            utterances.append(
                Utterance(
                    story.audio,
                    story.name,
                    story.split,
                    start,
                    end,
                    text=" ".join(within.text for within in _within(words, start, end)),
                    phones=_within(phones, start, end),
                    words=_within(words, start, end),
                    channel=story.channel,
                )
            )
    return utterances


def parted(intervals: Sequence[Interval], longest: float = LONGEST) -> list[Sequence[Interval]]:
    """Intervals in parts of at most so many seconds, cut at the longest pause (of equal ones: nearest the middle)."""
    if len(intervals) < 2 or intervals[-1].end - intervals[0].start <= longest:
        return [intervals]
    middle = (intervals[0].start + intervals[-1].end) / 2
    at = max(
        range(1, len(intervals)),
        key=lambda k: (
            round(intervals[k].start - intervals[k - 1].end, 3),
            -abs(intervals[k].start - middle),
        ),
    )
    return [*parted(intervals[:at], longest), *parted(intervals[at:], longest)]


def _within(intervals: Sequence[Interval], start: float, end: float) -> tuple[Interval, ...]:
    return tuple(
        Interval(one.start - start, one.end - start, one.text)
        for one in intervals
        if start <= (one.start + one.end) / 2 <= end
    )


def with_drawn_splits(utterances: Sequence[Utterance], within_speakers: bool = False) -> list[Utterance]:
    """A fifth of the utterances to test, a tenth to choose the epoch, drawn once for all.

    By speaker where there are 10 or more, so that who is tested was not heard before; within each speaker where that is
    what is asked.

    Parameters
    ----------
    utterances : sequence of Utterance
    within_speakers : bool
        For tasks that have to know each speaker.
    """
    of_speaker: dict[str, list[int]] = {}
    for number, one in enumerate(utterances):
        of_speaker.setdefault(one.speaker, []).append(number)
    if within_speakers:
        return _split(utterances, [[[n] for n in members] for members in of_speaker.values()])
    by_speaker = len(of_speaker) >= _ENOUGH_SPEAKERS
    return _split(
        utterances, [list(of_speaker.values()) if by_speaker else [[n] for n in range(len(utterances))]]
    )


def with_validation(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Where no utterance chooses the epoch, every tenth of those that are fitted."""
    if any(one.split == "validation" for one in utterances):
        return list(utterances)
    fitted = [n for n, one in enumerate(utterances) if one.split == "train"][9::10]
    return [replace(one, split="validation") if n in set(fitted) else one for n, one in enumerate(utterances)]


def _split(utterances: Sequence[Utterance], draws: Sequence[Sequence[list[int]]]) -> list[Utterance]:
    splits = ["train"] * len(utterances)
    for groups in draws:
        order = np.random.default_rng(0).permutation(len(groups))
        n_tested = max(round(_LATER * len(groups)), 1)
        n_validated = max(round(_LATER / 2 * len(groups)), 1)
        for place, number in enumerate(order[: n_tested + n_validated]):
            for n in groups[number]:
                splits[n] = "test" if place < n_tested else "validation"
    return [replace(one, split=split) for one, split in zip(utterances, splits, strict=True)]
