"""What can be wrong with a story's sound and transcript."""

from collections.abc import Iterator

import numpy as np

from brainwavlm.checks.report import Problem, Problems
from brainwavlm.checks.transcripts import ReadTranscript, check_transcript
from brainwavlm.datasets.responses import Story
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.audio import SAMPLE_RATE, SILENT, sound_errors
from brainwavlm.stimulus.decoded_sound import ENVELOPE_RATE, SoundFacts, sound_facts

LONG_SILENCE = 10  # seconds
QUIET = 0.01  # largest sample about the mean; 40 dB below full scale, where 16 bits have nine left
OFFSET = 0.1  # mean of the samples by their standard deviation


def check_stimulus(story: Story) -> tuple[Problems, SoundFacts | None, ReadTranscript | None]:
    """Read a story's sound and transcript from end to end.

    Returns
    -------
    What is wrong, and what the sound and the transcript hold: None of those that are not there or cannot be used.
    """
    problems = Problems()
    sound = _checked_sound(problems, story)
    if story.transcript is None:
        return problems, sound, None
    seconds = None if sound is None else sound.seconds
    return problems, sound, check_transcript(problems, story, story.transcript, seconds)


def _checked_sound(problems: Problems, story: Story) -> SoundFacts | None:
    try:
        facts = sound_facts(story.audio, story.channel)
    except DatasetError as error:
        problems.append(Problem.of(error, "rate" if "sampling rate" in error.found else "sound"))
        return None
    problems += [Problem.of(error, kind) for kind, error in sound_errors(story.audio, facts)]
    if problems:
        return None
    for kind, problem, expected, remedy in _warnings(facts, story):
        problems.warn(kind, story.audio, problem, expected, remedy)
    return facts


def _warnings(facts: SoundFacts, story: Story) -> Iterator[tuple[str, str, str, str]]:
    if facts.doubt:
        yield (
            "length",
            facts.doubt,
            "a header that fits.",
            "All that could be decoded is used; listen to its end.",
        )
    if facts.rate < SAMPLE_RATE:
        yield (
            "rate",
            f"a sampling rate of {facts.rate} Hz: nothing above {facts.rate // 2} Hz can be heard.",
            f"{SAMPLE_RATE} Hz or more.",
            f"It will be resampled to {SAMPLE_RATE} Hz; better take a recording with a higher rate.",
        )
    if facts.channels > 1 and story.channel == "mean":
        yield _channels(facts)
    silent, first = _longest_silence(facts.loudness)
    if silent >= LONG_SILENCE:
        yield (
            "silence",
            f"{silent:.0f} s of silence on end, from {first:.0f} s on.",
            f"speech with pauses under {LONG_SILENCE} s.",
            "Listen to it there; it is used as it is.",
        )
    yield from _level_warnings(facts)


def _channels(facts: SoundFacts) -> tuple[str, str, str, str]:
    channels, setting = (
        f"{facts.channels} channels",
        "set channel: left (or right, or a number) in dataset.yaml",
    )
    if facts.gain < 0.5 / facts.channels:
        channels += f" that partly cancel: their mean is {-10 * np.log10(facts.gain):.0f} dB below them."
        return "channels", channels, "channels that are alike.", f"Listen to their mean, or {setting}."
    if facts.gain < 0.9:
        remedy = f"Their mean is used. If speech is in one of them only, beside triggers or noise, {setting}."
        return "stereo", f"{channels}. They differ.", "one channel, or channels that are alike.", remedy
    return (
        "stereo",
        f"{channels}.",
        "one channel.",
        "Their mean is used; nothing needs to be done: they are alike.",
    )


def _level_warnings(facts: SoundFacts) -> Iterator[tuple[str, str, str, str]]:
    peak, spread = max(-facts.low, facts.high), float(np.sqrt(facts.power))
    if peak > 1.001:
        yield (
            "level",
            f"samples up to {peak:.3g}: above full scale, which {facts.encoding} can hold.",
            "samples between -1 and 1.",
            "Nothing is lost, and it is used as it is; 16-bit files made from it would be clipped.",
        )
    elif facts.clipped:
        share = 100 * facts.clipped / (facts.n_frames * facts.channels)
        yield (
            "clipping",
            f"{facts.clipped} samples at full scale ({share:.2g} %): clipped.",
            "sound below full scale.",
            "Export it again at a lower gain if there are many; it is used as it is.",
        )
    if abs(facts.mean) > max(OFFSET * spread, 0.001):
        yield (
            "offset",
            f"a mean of {facts.mean:.3f} beside a standard deviation of {spread:.3f}: an offset (DC).",
            "samples about 0.",
            "Take it out, e.g.:  sox FILE NEW.wav highpass 20      It is used as it is.",
        )
    if (facts.high - facts.low) / 2 < QUIET:
        yield (
            "level",
            f"too quiet: its largest sample is {-20 * np.log10((facts.high - facts.low) / 2):.0f} dB below full scale.",
            "speech with peaks above -40 dB.",
            "Export it again at a higher gain, from the source: amplified, it stays as coarse as it is.",
        )


def _longest_silence(loudness: np.ndarray) -> tuple[float, float]:
    """Length and start of the longest silence, seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loudness < SILENT, [False]])))
    if not len(edges):
        return 0.0, 0.0
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return lengths[longest] / ENVELOPE_RATE, starts[longest] / ENVELOPE_RATE
