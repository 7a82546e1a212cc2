"""What is wrong with the single presentations of a story, from which the noise ceiling is measured.

z_n are the repeats z-scored over rows, r(a, b) correlations over rows; medians are over voxels.

    constant     z_n is not defined in most voxels that another repeat varies in
    a copy       median |r(z_i, z_j)| > .99: two recordings of one voxel never come near it
    unrelated    sum_v r(z_n, sum of the others) is not above 95 % of what z_n gives when it is turned in time
    not of data  median r(mean, data) < .99, of the repeats as they are and of z-scored ones
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from brainwavlm.datasets.responses import Recording
from brainwavlm.datasets.usable_voxels import censored_rows
from brainwavlm.errors import DatasetError

SAME = 0.99
CHANCE, FEWEST_ROWS = 0.05, 20  # with fewer rows there are too few turns to tell chance
_BYTES_AT_ONCE = 64e6


@dataclass(frozen=True)
class RepeatFaults:
    """Repeats of one recording by what is wrong with them, numbered from 0.

    Attributes
    ----------
    constant, unrelated : list of int
    copies : list of pairs of int
    r_of_mean : float
        Median correlation of their mean with `data`.
    of_data : int or None
        The one repeat that `data` is a copy of.
    """

    constant: list[int]
    copies: list[tuple[int, int]]
    unrelated: list[int]
    r_of_mean: float
    of_data: int | None

    def refused(self, recording: Recording) -> DatasetError | None:
        """What no ceiling can be measured on: a repeat that does not vary, or is there twice."""
        problems = [f"repeat {n} does not vary" for n in self.constant]
        problems += [f"repeats {first} and {second} are the same recording" for first, second in self.copies]
        if not problems:
            return None
        return DatasetError(
            recording.path,
            f"individual_repeats of {recording.story.name}: {', '.join(problems)} (counted from 0).",
            "each presentation once: the noise that copies share passes for signal and raises the ceiling.",
            "Write individual_repeats again from the recordings, each of them once, and data as their mean.",
        )


def repeat_faults(recording: Recording, n_voxels: int) -> RepeatFaults:
    """Read all repeats of a recording, which has two or more, and compare them with each other and with its data."""
    pairs, varies, of_mean, of_one = [], [], [], []
    turned: np.ndarray | float = 0.0
    for columns, repeats in batches(recording, n_voxels):
        rows = whole_rows(repeats)
        z, data = z_scores(repeats[:, rows]), recording.responses(columns=columns)[rows]
        means = np.stack([repeats[:, rows].mean(0), z.mean(0)])
        target = z_scores(data[None])[0]
        of_mean.append((z_scores(means) * target).mean(1))
        of_one.append((z * target).mean(1))
        pairs.append([(z[i] * z[j]).mean(0) for i, j in combinations(range(len(z)), 2)])
        varies.append(~np.isnan(z).any(1))
        spectrum = np.fft.rfft(np.where(np.isnan(z), 0, z), axis=1)
        others = spectrum.sum(0) - spectrum
        turned = turned + np.fft.irfft((spectrum.conj() * others).sum(2), rows.sum(), axis=1)
    vary = np.concatenate(varies, axis=1)
    constant = [n for n in range(len(vary)) if (~vary[n])[vary.any(0)].mean() > 0.5] if vary.any() else []
    same = np.abs(_medians(pairs)) > SAME
    copies = [pair for pair, is_same in zip(combinations(range(len(vary)), 2), same, strict=True) if is_same]
    sums = np.asarray(turned)
    by_chance = (
        (sums >= sums[:, :1]).mean(1) > CHANCE if sums.shape[1] >= FEWEST_ROWS else np.zeros(len(vary), bool)
    )
    r_of_one = _medians(of_one)
    return RepeatFaults(
        constant,
        copies,
        [int(n) for n in np.flatnonzero(by_chance) if n not in constant],
        float(_medians(of_mean).max()),
        int(r_of_one.argmax()) if r_of_one.max() > SAME else None,
    )


def batches(recording: Recording, n_voxels: int) -> Iterator[tuple[slice, np.ndarray]]:
    """A recording's repeats for some voxels at a time, (n_repeats, n_rows, n_batch), so that memory does not grow."""
    first = recording.repeats(slice(0, 1))
    if first is None:
        raise ValueError(f"{recording.path} holds no repeats")
    # float32 from the file, float64 in the computation, and a few copies of it.
    size = max(int(_BYTES_AT_ONCE / (first.size * 32)), 1)
    for start in range(0, n_voxels, size):
        columns = slice(start, min(start + size, n_voxels))
        repeats = recording.repeats(columns)
        assert repeats is not None
        yield columns, repeats


def whole_rows(repeats: np.ndarray) -> np.ndarray:
    """Rows that were censored (NaN or one number in all voxels) in no repeat, bool (n_rows,); a repeat of nothing else
    aside.
    """
    empty = np.stack([censored_rows(repeat) for repeat in repeats])
    return np.asarray(~empty[~empty.all(1)].any(0))


def z_scores(repeats: np.ndarray) -> np.ndarray:
    """Scores z over rows of (n_repeats, n_rows, n_voxels), float64; NaN where nothing varies."""
    centred = np.asarray(repeats, np.float64) - repeats.mean(1, keepdims=True, dtype=np.float64)
    deviation = np.sqrt((centred**2).mean(1, keepdims=True))
    varies = repeats.max(1, keepdims=True) > repeats.min(1, keepdims=True)
    return centred / np.where(varies, deviation, np.nan)


def _medians(batches_of_r: list) -> np.ndarray:
    """Median over voxels of (n, n_batch) each, (n,); 0 where no voxel has a correlation."""
    r = np.concatenate([np.atleast_2d(some) for some in batches_of_r], axis=1)
    return np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else 0.0 for row in r])
