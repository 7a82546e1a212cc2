"""What can be wrong with a story's sound and transcript."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from brainwavlm.datasets.base import Story
from brainwavlm.datasets.problems import Problem
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.audio import SAMPLE_RATE, sound_facts
from brainwavlm.stimulus.transcripts import read_transcript

LOWEST_RATE = 8000  # telephone speech; below it vowels lose their second formant
SILENT = 10 ** (-70 / 20)  # peak within a second, full scale 1
LONG_SILENCE = 10  # seconds
FULL_SCALE = 1 - 2**-15  # what 16-bit sound can reach


@dataclass
class StimulusCheck:
    """One story's stimulus: what is wrong, and what the responses are compared with.

    Attributes
    ----------
    problems : list of Problem
    seconds : float or None
        Length of the sound; None when it cannot be read.
    rate : int or None
    """

    problems: list[Problem] = field(default_factory=list)
    seconds: float | None = None
    rate: int | None = None


def check_stimulus(story: Story) -> StimulusCheck:
    """Read a story's sound and transcript from end to end."""
    result = StimulusCheck()
    try:
        _check_sound(story.audio, result)
    except DatasetError as error:
        result.problems.append(Problem.of(error, "sound"))
    if story.transcript is not None:
        _check_transcript(story.transcript, result)
    return result


def _check_sound(path: Path, result: StimulusCheck) -> None:
    facts = sound_facts(path)
    if facts.n_frames == 0:
        raise DatasetError(path, "no samples.", "a sound.", "Replace it by the story's sound.")
    levels = _levels(path)
    result.rate, result.seconds = facts.rate, facts.seconds
    note = result.problems.append
    missing = _missing_bytes(path)
    if missing > 0:
        note(
            Problem(
                "sound",
                str(path),
                f"truncated: {missing} bytes fewer than its header says.",
                "a whole WAV file.",
                "Download it again, and compare its size with the source.",
            )
        )
    if facts.rate < LOWEST_RATE:
        note(
            Problem(
                "rate",
                str(path),
                f"a sampling rate of {facts.rate} Hz.",
                f"{LOWEST_RATE} Hz or more; {SAMPLE_RATE} Hz is what the speech models hear.",
                "Take the sound from its source again, or mend the rate in the header.",
            )
        )
    elif facts.rate < SAMPLE_RATE:
        note(
            Problem(
                "rate",
                str(path),
                f"a sampling rate of {facts.rate} Hz: nothing above {facts.rate // 2} Hz can be heard.",
                f"{SAMPLE_RATE} Hz or more.",
                f"It will be resampled to {SAMPLE_RATE} Hz; better take a recording with a higher rate.",
                "warning",
            )
        )
    if facts.channels > 1:
        note(
            Problem(
                "stereo",
                str(path),
                f"{facts.channels} channels.",
                "one channel.",
                "Their mean is used; nothing needs to be done if they carry the same speech.",
                "warning",
            )
        )
    if levels.broken:
        note(
            Problem(
                "sound",
                str(path),
                f"{levels.broken} samples are not finite.",
                "finite samples.",
                "Export the sound again, e.g. as 16-bit WAV.",
            )
        )
    elif levels.peak == 0:
        note(
            Problem(
                "silence",
                str(path),
                "silence: all samples are zero.",
                "the story's sound.",
                "Replace the file; exporting a muted track gives such files.",
            )
        )
    elif levels.longest_silence >= LONG_SILENCE:
        note(
            Problem(
                "silence",
                str(path),
                f"{levels.longest_silence} s of silence on end.",
                f"speech with pauses under {LONG_SILENCE} s.",
                "Listen to it there; it is used as it is.",
                "warning",
            )
        )
    if levels.clipped:
        note(
            Problem(
                "clipping",
                str(path),
                f"{levels.clipped} samples at full scale ({100 * levels.clipped_share:.2g} %): clipped.",
                "sound below full scale.",
                "Export it again at a lower gain if there are many; it is used as it is.",
                "warning",
            )
        )


@dataclass
class _Levels:
    peak: float = 0.0
    clipped: int = 0
    clipped_share: float = 0.0
    broken: int = 0
    longest_silence: int = 0


def _levels(path: Path) -> _Levels:
    levels = _Levels()
    silent_seconds = 0
    n_samples = 0
    with soundfile.SoundFile(path) as file:
        for second in file.blocks(blocksize=file.samplerate, dtype="float32", always_2d=True):
            size = np.abs(second)
            peak = float(size.max())
            levels.broken += int(np.count_nonzero(~np.isfinite(size)))
            levels.clipped += int(np.count_nonzero(size >= FULL_SCALE))
            levels.peak = max(levels.peak, peak)
            silent_seconds = silent_seconds + 1 if peak < SILENT else 0
            levels.longest_silence = max(levels.longest_silence, silent_seconds)
            n_samples += size.size
    levels.clipped_share = levels.clipped / max(n_samples, 1)
    return levels


def _missing_bytes(path: Path) -> int:
    """Bytes that a WAV header promises and the file does not have; libsndfile plays what is there."""
    with path.open("rb") as file:
        header = file.read(8)
    promised = int.from_bytes(header[4:8], "little")
    if header[:4] != b"RIFF" or promised in (0, 0xFFFFFFFF):  # written while its length was not known
        return 0
    return promised + 8 - path.stat().st_size


def _check_transcript(path: Path, result: StimulusCheck) -> None:
    try:
        transcript = read_transcript(path)
    except DatasetError as error:
        result.problems.append(Problem.of(error, "transcript"))
        return
    if not transcript.words:
        result.problems.append(
            Problem(
                "transcript",
                str(path),
                "no words.",
                "a tier `word` with the story's words.",
                "Write it again from the alignment, or take the transcript out of the data set.",
            )
        )
    elif result.seconds is not None and transcript.words[-1].end > result.seconds + 1:
        result.problems.append(
            Problem(
                "transcript",
                str(path),
                f"words until {transcript.words[-1].end:.1f} s.",
                f"words within the sound, which lasts {result.seconds:.1f} s.",
                "Check that sound and transcript are of one recording.",
                "warning",
            )
        )
