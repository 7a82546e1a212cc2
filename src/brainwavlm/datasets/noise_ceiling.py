"""How repeatable responses are: the noise ceiling of a subject from repeated presentations of one story.

It is a property of the recordings alone. What a model reaches of it is in `brainwavlm.evaluation.scores`.

N repeats y_n(t) and their mean m(t); Var over rows with n - 1.

    TP = mean_n Var(y_n)                      total power
    SP = (N Var(m) - TP) / (N - 1)            signal power; SP <= 0: no ceiling, NaN
    CC_max = sqrt(SP / Var(m))                correlation of the mean with the true signal

Sahani and Linden 2003; Schoppe et al. 2016, doi 10.3389/fncom.2016.00010. TP comes from the repeats; taking
TP = 1 for z-scored repeats differs by up to .004 in CC_max.
"""

from collections.abc import Collection, Iterable
from itertools import combinations

import numpy as np

from brainwavlm.datasets.repeats import SAME, batches, repeat_faults, whole_rows, z_scores
from brainwavlm.datasets.responses import Recording


def cc_max(repeats: np.ndarray) -> np.ndarray:
    """CC_max = sqrt(SP / Var(m)) = 1 / sqrt(1 + (TP / SP - 1) / N); NaN where SP <= 0.

    Parameters
    ----------
    repeats : array (n_repeats, n_rows, n_voxels)

    Returns
    -------
    array (n_voxels,), float64

    Raises
    ------
    ValueError
        Fewer than two repeats, or one that is there twice: the copies' noise would pass for signal.

    References
    ----------
    Schoppe et al. 2016; parity: tests/parity/test_reference_numbers.py.
    """
    z = z_scores(np.asarray(repeats))
    for first, second in combinations(range(len(z)), 2):
        r = (z[first] * z[second]).mean(0)
        if (~np.isnan(r)).any() and np.nanmedian(np.abs(r)) > SAME:
            raise ValueError(f"repeats {first} and {second} are the same recording")
    return ceiling_of_share(signal_share(repeats), len(repeats))


def ceiling_of_share(share: np.ndarray, n_repeats: float) -> np.ndarray:
    """CC_max of a mean of N presentations, from the signal's share s of one's variance: sqrt(s / (s + (1 - s) / N))."""
    known = np.where(share > 0, share, np.nan)
    return np.sqrt(known / (known + (1 - known) / n_repeats))


def ceiling(
    recordings: Iterable[Recording], n_voxels: int, scored: Collection[str] | None = None
) -> tuple[np.ndarray | None, dict[str, int]]:
    """CC_max of a subject over all rows of some stories, from all stories with repeats.

    s = sum_i n_i SP_i / TP_i / sum_i n_i over the stories with repeats, n_i their rows: the signal's share of the
    variance of one presentation, by which stories of any split and any number of repeats tell of each other. A mean of
    more presentations has a higher ceiling: 1 / N is the mean of 1 / N_j over the rows of the stories that are scored.

    Pooling before the root keeps stories whose signal power comes out below zero by chance: dropping them, or the
    mean of one CC_max a story, is biased upwards and noisier.

    Parameters
    ----------
    recordings : iterable of Recording
    n_voxels : int
    scored : collection of str or None
        Stories whose responses are scored; None: test stories with repeats, where there are none all with repeats.

    Returns
    -------
    ceiling : array (n_voxels,) float64, or None where no story has repeats
    repeats : dict of str to int
        Story to number of repeats; reports say so when a ceiling rests on one story.

    Raises
    ------
    DatasetError
        A repeat that does not vary, or is there twice.
    """
    shares, rows = np.zeros(n_voxels), np.zeros(n_voxels)
    everything = {recording.story.name: recording for recording in recordings}
    presentations = {name: n_repeats(recording) for name, recording in everything.items()}
    repeated = {name: n for name, n in presentations.items() if n > 1}
    if not repeated:
        return None, repeated
    for name in repeated:
        recording = everything[name]
        if error := repeat_faults(recording, n_voxels).refused(recording):
            raise error
        share = np.empty(n_voxels)
        for columns, repeats in batches(recording, n_voxels):
            share[columns] = signal_share(repeats[:, whole_rows(repeats)])
        varies = ~np.isnan(share)
        shares += np.where(varies, share, 0.0) * recording.shape[0]
        rows += varies * recording.shape[0]
    of_test = [name for name in repeated if everything[name].story.split == "test"]
    counted = [name for name in (scored if scored is not None else of_test or repeated) if name in everything]
    lengths = [everything[name].shape[0] for name in counted]
    inverse = np.average([1 / max(presentations[name], 1) for name in counted], weights=lengths)
    return ceiling_of_share(shares / np.where(rows > 0, rows, np.nan), 1 / inverse), repeated


def n_repeats(recording: Recording) -> int:
    """Presentations that a recording holds one by one; 0 where only their mean, or a single one, is there."""
    first = recording.repeats(slice(0, 1))
    return 0 if first is None else len(first)


def signal_share(repeats: np.ndarray) -> np.ndarray:
    """SP / TP, (n_voxels,) float64: the signal's share of one presentation's variance; NaN for a constant voxel."""
    signal, of_mean = powers(repeats)
    n = len(repeats)
    total = n * of_mean - (n - 1) * signal
    # What is left of a constant voxel is rounding.
    rounding = 1e-24 * (np.asarray(repeats, dtype=np.float64) ** 2).mean((0, 1))
    return signal / np.where((of_mean > rounding) & (total > rounding), total, np.nan)


def powers(repeats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signal power SP, below zero by chance where there is little, and Var(m); (n_voxels,) each, float64."""
    repeats = np.asarray(repeats, dtype=np.float64)
    n = len(repeats)
    if repeats.ndim != 3 or n < 2:
        raise ValueError(f"repeats {repeats.shape} are not (2 or more, n_rows, n_voxels)")
    total = repeats.var(axis=1, ddof=1).mean(0)
    of_mean = repeats.mean(0).var(axis=0, ddof=1)
    return (n * of_mean - total) / (n - 1), of_mean
