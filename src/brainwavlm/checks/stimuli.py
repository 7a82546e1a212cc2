"""What can be wrong with a story's sound and transcript."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from brainwavlm.checks.report import Problem
from brainwavlm.checks.transcripts import TranscriptCheck, check_transcript
from brainwavlm.datasets.responses import Story
from brainwavlm.errors import DatasetError
from brainwavlm.files import require_content
from brainwavlm.stimulus.audio import RATE_REMEDY, RATES, SAMPLE_RATE, SoundFacts, sound_facts

SILENT = 10 ** (-70 / 20)  # largest sample within a second, full scale 1
FULL_SCALE = 1 - 2**-15  # what 16-bit sound can reach
LONG_SILENCE = 10  # seconds


@dataclass
class StimulusCheck:
    """One story's stimulus: what is wrong, and what the responses are compared with.

    Attributes
    ----------
    problems : list of Problem
    seconds : float or None
        Length of the sound; None when it cannot be read.
    rate : int or None
    transcript : TranscriptCheck or None
        None where there is none.
    """

    problems: list[Problem] = field(default_factory=list)
    seconds: float | None = None
    rate: int | None = None
    transcript: TranscriptCheck | None = None


def check_stimulus(story: Story) -> StimulusCheck:
    """Read a story's sound and transcript from end to end."""
    result = StimulusCheck()
    try:
        _check_sound(story.audio, result)
    except DatasetError as error:
        result.problems.append(Problem.of(error, "sound"))
    if story.transcript is not None:
        result.transcript = check_transcript(story, story.transcript, result.seconds)
        result.problems += result.transcript.problems
    return result


def _check_sound(path: Path, result: StimulusCheck) -> None:
    require_content(path)
    header = _wav_header(path)
    if header is not None and not RATES[0] <= header.rate <= RATES[1]:
        result.problems.append(_rate_problem(path, header.rate))
        return
    facts = sound_facts(path)
    if facts.n_frames == 0:
        raise DatasetError(path, "no samples.", "a sound.", "Replace it by the story's sound.")
    result.rate, result.seconds = facts.rate, facts.seconds
    result.problems += _header_problems(path, facts, header.missing if header else 0)
    result.problems += _level_problems(path, _levels(path))


def _header_problems(path: Path, facts: SoundFacts, missing: int) -> Iterator[Problem]:
    if missing > 0:
        yield Problem(
            "sound",
            str(path),
            f"truncated: {missing} bytes fewer than its header says.",
            "a whole WAV file.",
            "Download it again, and compare its size with the source.",
        )
    if facts.rate < SAMPLE_RATE:
        yield Problem(
            "rate",
            str(path),
            f"a sampling rate of {facts.rate} Hz: nothing above {facts.rate // 2} Hz can be heard.",
            f"{SAMPLE_RATE} Hz or more.",
            f"It will be resampled to {SAMPLE_RATE} Hz; better take a recording with a higher rate.",
            "warning",
        )
    if facts.channels > 1:
        yield Problem(
            "stereo",
            str(path),
            f"{facts.channels} channels.",
            "one channel.",
            "Their mean is used; nothing needs to be done if they carry the same speech.",
            "warning",
        )


def _rate_problem(path: Path, rate: int) -> Problem:
    return Problem(
        "rate",
        str(path),
        f"a sampling rate of {rate} Hz in its header.",
        f"{RATES[0]} to {RATES[1]} Hz; the speech models hear {SAMPLE_RATE} Hz.",
        RATE_REMEDY,
    )


def _level_problems(path: Path, levels: "_Levels") -> Iterator[Problem]:
    if levels.not_finite:
        yield Problem(
            "sound",
            str(path),
            f"{levels.not_finite} samples are not finite.",
            "finite samples.",
            "Export the sound again, e.g. as 16-bit WAV.",
        )
    elif levels.peak == 0:
        yield Problem(
            "silence",
            str(path),
            "silence: all samples are zero.",
            "the story's sound.",
            "Replace the file; exporting a muted track gives such files.",
        )
    elif levels.longest_silence >= LONG_SILENCE:
        yield Problem(
            "silence",
            str(path),
            f"{levels.longest_silence} s of silence on end, from {levels.silent_from} s on.",
            f"speech with pauses under {LONG_SILENCE} s.",
            "Listen to it there; it is used as it is.",
            "warning",
        )
    if levels.clipped:
        yield Problem(
            "clipping",
            str(path),
            f"{levels.clipped} samples at full scale ({100 * levels.clipped / levels.n_samples:.2g} %): clipped.",
            "sound below full scale.",
            "Export it again at a lower gain if there are many; it is used as it is.",
            "warning",
        )


@dataclass
class _Levels:
    peak: float = 0.0
    clipped: int = 0
    not_finite: int = 0
    n_samples: int = 0
    longest_silence: int = 0
    silent_from: int = 0


def _levels(path: Path) -> _Levels:
    levels = _Levels()
    silent = 0
    with soundfile.SoundFile(path) as file:
        blocks = file.blocks(blocksize=file.samplerate, dtype="float32", always_2d=True)
        for second, block in enumerate(blocks):
            size = np.abs(block)
            peak = float(size.max())
            levels.not_finite += int(np.count_nonzero(~np.isfinite(size)))
            levels.clipped += int(np.count_nonzero(size >= FULL_SCALE))
            levels.peak = max(levels.peak, peak)
            levels.n_samples += size.size
            silent = silent + 1 if peak < SILENT else 0
            if silent > levels.longest_silence:
                levels.longest_silence, levels.silent_from = silent, second + 1 - silent
    return levels


@dataclass(frozen=True)
class _WavHeader:
    rate: int
    missing: int  # bytes that the header promises and the file does not have; libsndfile plays what is there


def _wav_header(path: Path) -> _WavHeader | None:
    with path.open("rb") as file:
        start = file.read(28)
    if len(start) < 28 or start[:4] != b"RIFF" or start[12:16] != b"fmt ":
        return None
    promised = int.from_bytes(start[4:8], "little")
    has_length = promised not in (0, 0xFFFFFFFF)  # else written while its length was not known
    return _WavHeader(
        rate=int.from_bytes(start[24:28], "little"),
        missing=promised + 8 - path.stat().st_size if has_length else 0,
    )
