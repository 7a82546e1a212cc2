"""Labelled intervals: rounding is mended, what is said twice counts once, all else is refused; and what labels mean."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.textgrid import Interval, Tier, unusable

TOLERANCE = 0.002  # seconds; more than rounding to milliseconds, less than any frame of an aligner
_EXACT = 1e-6  # seconds; below is arithmetic, not rounding of a file


def without_copies(tiers: list[Tier], mended: Counter[str]) -> list[Tier]:
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


def mended_intervals(path: Path, tier: Tier, mended: Counter[str]) -> list[Interval]:
    """Intervals in the order of time that do not overlap and have a length; what was mended is counted."""

    def refused(one: tuple[int, Interval], problem: str) -> DatasetError:
        number, interval = one
        where = f"tier {tier.name!r}, interval {number} {_times(interval)}"
        return unusable(path, f"{where}: {problem}.", "Mend its times, or align the story again.")

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


Kind = Literal["words", "phones"]
# Marks that stand for no speech, without case: of ds003020, Montreal, Kaldi, HTK, Gentle, TIMIT and CHAT.
_MARK = re.compile(
    r"|sil|sp|spn|nsn|eps|unk|oov|ssil|h#|!sil|!enter|!exit|sentence_start|sentence_end|xxx|yyy|[#_.…*+|-]+"
)
# In a tier of phones these name a noise; in one of words they may be what was said: LG, the web's www, Portuguese pau.
_PHONE_MARK = re.compile(
    "silence|noise|pause|pau|breath|br|brth|laugh|laughter|lg|cough|cg|lipsmack|ls|ns|epi|www"
)
_BRACKETED = re.compile(
    r"(\s*(\[+[^\[\]]*\]+|\{+[^{}]*\}+|<+[^<>]*>+|\(+[^()]*\)+|⟨[^⟩]*⟩|«[^»]*»|\*[^*]+\*))+\s*"
)

PHONES = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY"),
    *("JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y"),
    *("Z", "ZH"),
)
_ARPABET_SHARE = (
    0.8  # of all phones; those of English in IPA or SAMPA that look like ARPAbet are about a half
)


def nothing_said(text: str, kind: Kind = "words") -> bool:
    """Whether a label stands for silence, breath, laughter, noise or what nobody could write down.

    A label in brackets of any kind does, and the marks of aligners do; of words also what has neither letter nor digit,
    but @ or { may be a phone (SAMPA).
    """
    mark = text.strip().casefold()
    if kind == "phones":
        mark = re.sub(r"(?<=.)_[bies]$", "", mark)
    if _MARK.fullmatch(mark) or _BRACKETED.fullmatch(mark):
        return True
    if kind == "phones":
        return bool(_PHONE_MARK.fullmatch(mark))
    return not any(character.isalnum() for character in mark)


def is_arpabet(labels: Mapping[str, int]) -> bool:
    """Whether four phones in five are of ARPAbet, from how often each label is there."""
    return sum(n for label, n in labels.items() if _arpabet(label)) >= _ARPABET_SHARE * sum(labels.values())


def phone_classes(stories: Sequence[Sequence[Interval]]) -> tuple[list[list[str]], tuple[str, ...]]:
    """The class of each phone of some stories, and all classes.

    Of ARPAbet, classes are its 39 phones, and AH0, ah and ah_B (Kaldi's place in the word) are AH; "" is none of them.
    Of another set, such as the IPA of Montreal's aligner, they are the labels as they are.
    """
    labels = Counter(interval.text.strip() for some in stories for interval in some)
    class_of = {label: _arpabet(label) if is_arpabet(labels) else label for label in labels}
    classes = PHONES if is_arpabet(labels) else tuple(sorted(labels))
    return [[class_of[interval.text.strip()] for interval in some] for some in stories], classes


def _arpabet(label: str) -> str:
    phone = re.sub(r"\d+$", "", re.sub(r"_[BIES]$", "", label).upper())
    return phone if phone in PHONES else ""
