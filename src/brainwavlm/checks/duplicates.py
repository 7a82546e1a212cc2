"""One recording under two names: a sound that is two stories, an array of responses of two stories or subjects.

One sound must not be on both sides of a split. Bytes differ where a recording was encoded again, resampled, made louder
or trimmed; its loudness over time does not. One array of responses is the wrong one under one name at least.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import combinations

import numpy as np

from brainwavlm.checks.report import Problems
from brainwavlm.datasets.base import Dataset
from brainwavlm.datasets.responses import Recording
from brainwavlm.datasets.usable_voxels import recording_blocks
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.audio import same_content
from brainwavlm.stimulus.decoded_sound import ENVELOPE_RATE, SoundFacts

ALIKE = 0.9  # correlation of loudness; of two recordings of speech it stays below 0.7 at any lag
SHORTEST = 10.0  # seconds in common
LONGEST = 60.0  # seconds in common that are enough, however long the sounds are
_VARYING = 0.1  # of the whole sound's variance; else what is in common may be a silence
_SMOOTH = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9  # a shift by half a sample then changes little


def add_same_sound(
    problems: Problems, dataset: Dataset, subjects: Iterable[str], sounds: Mapping[str, SoundFacts]
) -> None:
    """Add stories with one sound, or one recording, in two splits of a subject."""
    first = same_content({name: dataset.stories[name].audio for name in sounds})
    loudness = {name: facts.loudness for name, facts in sounds.items()}
    compared: dict[tuple[str, str], str | None] = {}
    for subject in subjects:
        split_of = {
            name: recording.story.split
            for name, recording in dataset.recordings(subject).items()
            if name in sounds
        }
        for one, other in combinations(sorted(split_of), 2):
            if split_of[one] == split_of[other]:
                continue
            key = (first[one], first[other])
            if key not in compared:
                compared[key] = "sound" if key[0] == key[1] else _alike(loudness[one], loudness[other])
            if compared[key] is not None:
                problems.error(
                    "split",
                    dataset.stories[one].audio,
                    f"{subject} heard the same {compared[key]} as {one} ({split_of[one]}) and {other} "
                    f"({split_of[other]}).",
                    "each story in one split.",
                    "Give them the same split, or remove one.",
                )


def _alike(one: np.ndarray, other: np.ndarray) -> str | None:
    r, lag = best_overlap(one, other)
    if r < ALIKE:
        return None
    later = f", {abs(lag):.1f} s {'later' if lag > 0 else 'earlier'} in the first" if abs(lag) >= 0.1 else ""
    return f"recording (loudness r = {r:.2f}{later}; the files differ)"


def best_overlap(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Max over lags l of corr(x[t + l], y[t]), over the t at which both are heard, and that lag.

    Parameters
    ----------
    one, other : arrays (n_one,), (n_other,)
        Loudness at 20 Hz, from `SoundFacts.loudness`. Half of the shorter one, or a minute, must be in common, ten
        seconds at least.

    Returns
    -------
    r : float
        0 for sounds that are too short.
    seconds : float
        How much later in `one` it is said than in `other`.
    """
    from scipy.signal import correlate, correlation_lags  # half a second to import

    x, y = (np.convolve(np.sqrt(sound.astype(np.float64)), _SMOOTH, "same") for sound in (one, other))
    n, m = len(x), len(y)
    least = max(SHORTEST, min(LONGEST, min(n, m) / ENVELOPE_RATE / 2)) * ENVELOPE_RATE
    if min(n, m) < least:
        return 0.0, 0.0
    x, y = x - x.mean(), y - y.mean()
    lags = correlation_lags(n, m)  # of x[t + lag] with y[t]
    first, last = np.maximum(lags, 0), np.minimum(lags + m, n)
    count = last - first
    products = correlate(x, y, method="fft")
    sums = [_stretch(x, first, last), _stretch(y, first - lags, last - lags)]
    (mean_x, power_x), (mean_y, power_y) = [(total / count, square / count) for total, square in sums]
    variance_x, variance_y = power_x - mean_x**2, power_y - mean_y**2
    usable = (count >= least) & (variance_x > _VARYING * x.var()) & (variance_y > _VARYING * y.var())
    if not usable.any():
        return 0.0, 0.0
    scale = np.sqrt(np.where(usable, variance_x * variance_y, 1))
    r = np.where(usable, (products / count - mean_x * mean_y) / scale, 0)
    best = int(r.argmax())
    return float(r[best]), float(lags[best] / ENVELOPE_RATE)


def _stretch(x: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total, square = (np.concatenate([[0.0], np.cumsum(values)]) for values in (x, x * x))
    return total[last] - total[first], square[last] - square[first]


def same_responses(recordings: Iterable[Recording]) -> Iterator[DatasetError]:
    """Recordings with the same numbers, to the last bit; only files that begin alike are read whole."""
    by_start: dict[tuple[tuple[int, int], bytes], list[Recording]] = {}
    for recording in recordings:
        with suppress(DatasetError):  # told with the file
            first_row = recording.responses(slice(0, 1)).tobytes()
            by_start.setdefault((recording.shape, first_row), []).append(recording)
    for alike in by_start.values():
        yield from _same(alike) if len(alike) > 1 else ()


def _same(recordings: Iterable[Recording]) -> Iterator[DatasetError]:
    first: dict[str, Recording] = {}
    for recording in recordings:
        try:
            other = first.setdefault(_checksum(recording), recording)
        except DatasetError:
            continue
        if other is not recording:
            two = recording.subject != other.subject
            here, there = (f"{f' of {one.subject}' * two} to {one.story.name}" for one in (recording, other))
            yield DatasetError(
                recording.path,
                f"the responses{here} are those{there}, to the last bit.",
                "responses of its own for each story and subject.",
                f"Write the right ones, here or in {other.path.parent.name}/{other.path.name}, or take one of the two "
                "out of the data set.",
            )


def _checksum(recording: Recording) -> str:
    digest, known = hashlib.sha256(), False
    for block in recording_blocks(recording):
        digest.update(np.ascontiguousarray(block).data)
        known = known or bool(np.isfinite(block).any())
    return digest.hexdigest() if known else str(recording.path)  # nothing but NaN is told as that
