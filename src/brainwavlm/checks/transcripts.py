"""What can be wrong with a story's transcript, and what is to be known of all of them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from brainwavlm.checks.report import Problem
from brainwavlm.datasets.responses import Story
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.spoken_labels import is_arpabet
from brainwavlm.stimulus.transcripts import TIERS, TOLERANCE, read_transcript


@dataclass
class TranscriptCheck:
    """One story's transcript.

    Attributes
    ----------
    problems : list of Problem
    tiers, without : tuple of str
        Names of all tiers, and which of words and phones no tier holds.
    mended : mapping of str to int
        As in `Transcript`.
    phones : Counter of str
        How often each label is there.
    """

    problems: list[Problem] = field(default_factory=list)
    tiers: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    mended: Mapping[str, int] = field(default_factory=dict)
    phones: Counter[str] = field(default_factory=Counter)


def check_transcript(story: Story, path: Path, seconds: float | None) -> TranscriptCheck:
    """Read a story's transcript from end to end; `seconds` is the length of its sound, if that could be read."""
    result = TranscriptCheck()
    try:
        transcript = read_transcript(path, story.word_tiers, story.phone_tiers)
    except DatasetError as error:  # only what asks for words or phones needs it
        result.problems.append(Problem.of(error, "transcript", "warning"))
        return result
    result.tiers, result.mended = transcript.tiers, transcript.mended
    result.without = tuple(kind for kind in TIERS if not getattr(transcript, kind))
    result.phones = Counter(phone.text.strip() for phone in transcript.phones)
    intervals = [*transcript.words, *transcript.phones]
    first, last = min(one.start for one in intervals), max(one.end for one in intervals)
    if seconds is not None and (last > seconds + 1 or first < 0 or last < seconds / 2 or first > seconds / 2):
        result.problems.append(
            Problem(
                "transcript",
                str(path),
                f"words from {first:.1f} to {last:.1f} s.",
                f"words within the sound, which lasts {seconds:.1f} s, and in both its halves.",
                "Check that sound and transcript are of one recording and begin together, and that times are seconds.",
                "warning",
            )
        )
    return result


def transcript_facts(transcripts: Mapping[str, TranscriptCheck]) -> Iterator[str]:
    """What was mended in transcripts, which tiers they lack, and another set of phones than ARPAbet."""
    mended = {name: one.mended for name, one in transcripts.items() if one.mended}
    if mended:
        joined, dropped, copies = (
            sum(counts.get(what, 0) for counts in mended.values()) for what in ("joined", "dropped", "copies")
        )
        yield (
            f"Mended while reading transcripts: {joined} overlaps of {1000 * TOLERANCE:g} ms or less joined, {dropped} "
            f"intervals without length and {copies} tiers that copy another left out ({', '.join(mended)})."
        )
    for kind in TIERS:
        lacking = [name for name, one in transcripts.items() if kind in one.without]
        if lacking:
            yield (
                f"{len(lacking)} transcripts have no tier that is known to hold {kind}, which {kind} as targets or in "
                f"downstream tasks need; tiers of {lacking[0]}: {', '.join(transcripts[lacking[0]].tiers)}. If one "
                f"does, name it in dataset.yaml:  transcript: {{file: FILE, {kind}: TIER}}"
            )
    phones = sum((one.phones for one in transcripts.values()), Counter[str]())
    others = [name for name, one in transcripts.items() if not is_arpabet(one.phones)]
    if others and not is_arpabet(phones):
        yield (
            f"Phones are of another set than ARPAbet: {len(phones)} classes, called as in the transcripts: "
            f"{', '.join(sorted(phones))}."
        )
    if others and len(others) < sum(bool(one.phones) for one in transcripts.values()):
        yield f"Phones of {', '.join(others)} are of another set than those of the other stories."
