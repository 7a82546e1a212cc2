"""What can be wrong with a story's transcript, and what is to be known of all of them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from brainwavlm.checks.report import Problems
from brainwavlm.datasets.responses import Story
from brainwavlm.stimulus.intervals import TOLERANCE, Kind, is_arpabet
from brainwavlm.stimulus.transcripts import (
    TIERS,
    Transcript,
    begins_elsewhere,
    read_transcript,
    require_own_axis,
)

EMPTY = frozenset(
    {"nan", "null", "n/a"}
)  # what programs write for an empty label; "nan" may be a grandmother
_MOST = 8  # labels that a fact lists


# What a file says, without the intervals, and how often each label of words and phones is there.
ReadTranscript = tuple[Transcript, Mapping[Kind, Counter[str]]]


def check_transcript(
    problems: Problems, story: Story, path: Path, seconds: float | None
) -> ReadTranscript | None:
    """Read a story's transcript from end to end; `seconds` is the length of its sound, if that could be read."""
    with problems.told("transcript", "warning"):  # only what asks for words or phones needs it
        transcript = read_transcript(path, story.word_tiers, story.phone_tiers)
        if seconds is not None:
            _add_time_problems(problems, story, path, transcript, seconds)
        labels = {kind: Counter(one.text.strip() for one in getattr(transcript, kind)) for kind in TIERS}
        return replace(transcript, words=[], phones=[]), labels
    return None


def _add_time_problems(
    problems: Problems, story: Story, path: Path, transcript: Transcript, seconds: float
) -> None:
    start, end = transcript.ends
    if begins_elsewhere(transcript):
        with problems.told("transcript", "warning"):
            require_own_axis(path, transcript, seconds)
            problems.warn(
                "transcript",
                path,
                f"its time axis runs from xmin = {start:g} to xmax = {end:g} s; {story.audio.name} lasts "
                f"{seconds:.1f} s.",
                "an axis that begins at 0, the sound's onset.",
                f"Its times are used as they are. If its words come {start:g} s late, it was cut from a longer one: "
                "in Praat, Modify times, Shift times to..., start time 0.",
            )
    intervals = [*transcript.words, *transcript.phones]
    first, last = min(one.start for one in intervals), max(one.end for one in intervals)
    if last > seconds + 1 or first < 0 or last < seconds / 2 or first > seconds / 2:
        problems.warn(
            "transcript",
            path,
            f"words from {first:.1f} to {last:.1f} s.",
            f"words within the sound, which lasts {seconds:.1f} s, and in both its halves.",
            "Check that sound and transcript are of one recording and begin together, and that times are seconds.",
        )


def transcript_facts(transcripts: Mapping[str, ReadTranscript]) -> Iterator[str]:
    """What was mended in transcripts, which tiers they lack, and another set of phones than ARPAbet."""
    read = {name: one for name, (one, _) in transcripts.items()}
    labels_of = {name: labels for name, (_, labels) in transcripts.items()}
    mended = {name: one.mended for name, one in read.items() if one.mended}
    if mended:
        joined, dropped, copies = (
            sum(counts.get(what, 0) for counts in mended.values()) for what in ("joined", "dropped", "copies")
        )
        yield (
            f"Mended while reading transcripts: {joined} overlaps of {1000 * TOLERANCE:g} ms or less joined, {dropped} "
            f"intervals without length and {copies} tiers that copy another left out ({', '.join(mended)})."
        )
    for kind in TIERS:
        lacking = [name for name, labels in labels_of.items() if not labels[kind]]
        if lacking:
            yield (
                f"{len(lacking)} transcripts have no tier that is known to hold {kind}, which {kind} as targets or in "
                f"downstream tasks need; tiers of {lacking[0]}: {', '.join(read[lacking[0]].tiers)}. "
                f"If one does, name it in dataset.yaml:  transcript: {{file: FILE, {kind}: TIER}}"
            )
        unspoken = sum((one.unspoken[kind] for one in read.values()), Counter[str]())
        if unspoken:
            yield f"Left out of the {kind} as silence or noise: {_counted(unspoken)}."
    words, phones = (sum((labels[kind] for labels in labels_of.values()), Counter[str]()) for kind in TIERS)
    if empty := Counter({word: n for word, n in words.items() if word.casefold() in EMPTY}):
        yield f"Taken for words: {_counted(empty)}. If nothing is said there, write empty labels."
    for encoding in sorted({one.encoding for one in read.values()} - {"UTF-8", "UTF-16"}):
        names = [name for name, one in read.items() if one.encoding == encoding]
        shown = [word for name in names for word in labels_of[name]["words"] if not word.isascii()][:3]
        yield (
            f"{len(names)} transcripts are in neither UTF-8 nor UTF-16 and are read as {encoding} ({', '.join(names)})"
            f"{', e.g. ' * bool(shown)}{', '.join(map(repr, shown))}. If words are misspelt, save them as UTF-8."
        )
    of_phones = {name: labels["phones"] for name, labels in labels_of.items() if labels["phones"]}
    others = [name for name, labels in of_phones.items() if not is_arpabet(labels)]
    if others and not is_arpabet(phones):
        yield (
            f"Phones are of another set than ARPAbet: {len(phones)} classes, called as in the transcripts: "
            f"{', '.join(sorted(phones))}."
        )
    if others and len(others) < len(of_phones):
        yield f"Phones of {', '.join(others)} are of another set than those of the other stories."


def _counted(labels: Counter[str]) -> str:
    most = ", ".join(f"{label!r} {n} times" for label, n in labels.most_common(_MOST))
    others = len(labels) - _MOST
    return f"{most} and {others} other labels" if others > 0 else most
