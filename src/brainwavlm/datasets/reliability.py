"""How repeatable responses are: the noise ceiling of a subject from repeated presentations of one story.

It is a property of the recordings alone. What a model reaches of it is in `brainwavlm.evaluation.ceiling`.

N repeats y_n(t) and their mean m(t); Var over rows with n - 1.

    TP = mean_n Var(y_n)                      total power
    SP = (N Var(m) - TP) / (N - 1)            signal power; SP <= 0: no ceiling, NaN
    CC_max = sqrt(SP / Var(m))                correlation of the mean with the true signal

Sahani and Linden 2003; Schoppe et al. 2016, doi 10.3389/fncom.2016.00010. TP comes from the repeats; taking
TP = 1 for z-scored repeats differs by up to .004 in CC_max.
"""

from collections.abc import Callable, Iterable

import numpy as np

from brainwavlm.datasets.base import Recording

_BYTES_AT_ONCE = 512e6


def cc_max(repeats: np.ndarray) -> np.ndarray:
    """CC_max = sqrt(SP / Var(m)) = 1 / sqrt(1 + (TP / SP - 1) / N); NaN where SP <= 0.

    Parameters
    ----------
    repeats : array (n_repeats, n_rows, n_voxels)

    Returns
    -------
    array (n_voxels,), float64

    References
    ----------
    Schoppe et al. 2016; parity: tests/parity/test_reference_numbers.py.
    """
    signal, of_mean = powers(repeats)
    return np.sqrt(signal / np.where(np.isnan(signal), 1.0, of_mean))


def ceiling(recordings: Iterable[Recording], n_voxels: int) -> tuple[np.ndarray | None, dict[str, int]]:
    """CC_max of a subject, mean over the stories with repeats, read some voxels at a time.

    Parameters
    ----------
    recordings : iterable of Recording
        Those without repeats are left out.
    n_voxels : int

    Returns
    -------
    ceiling : array (n_voxels,) float64, or None where no story has repeats
        NaN where no story has signal power above zero.
    repeats : dict of str to int
        Story to number of repeats; reports say so when a ceiling rests on one story.
    """
    repeated = {}
    stories = []
    for recording in recordings:
        first = recording.repeats(slice(0, 1))
        if first is None or len(first) < 2:
            continue
        repeated[recording.story.name] = len(first)
        stories.append(by_voxels(recording, n_voxels, lambda repeats, columns: cc_max(repeats)))
    if not stories:
        return None, repeated
    known = np.isfinite(stories)
    total = np.where(known, stories, 0.0).sum(0)
    return total / np.where(known.any(0), known.sum(0), np.nan), repeated


def by_voxels(
    recording: Recording, n_voxels: int, measure: Callable[[np.ndarray, slice], np.ndarray]
) -> np.ndarray:
    """A measure of a recording's repeats, computed for some voxels at a time so that memory does not grow.

    Parameters
    ----------
    recording : Recording
        With at least two repeats.
    n_voxels : int
    measure : callable
        (repeats (n_repeats, n_rows, n_batch), columns) to (n_batch,).

    Returns
    -------
    array (n_voxels,), float64
    """
    first = recording.repeats(slice(0, 1))
    if first is None:
        raise ValueError(f"{recording.path} holds no repeats")
    # float32 from the file, float64 in the computation, and a few copies of it.
    size = max(int(_BYTES_AT_ONCE / (first.size * 32)), 1)
    values = np.empty(n_voxels)
    for start in range(0, n_voxels, size):
        columns = slice(start, min(start + size, n_voxels))
        repeats = recording.repeats(columns)
        assert repeats is not None
        values[columns] = measure(repeats, columns)
    return values


def powers(repeats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signal power SP, NaN where it is not above zero, and Var(m); (n_voxels,) each, float64."""
    repeats = np.asarray(repeats, dtype=np.float64)
    n_repeats = len(repeats)
    if repeats.ndim != 3 or n_repeats < 2:
        raise ValueError(f"repeats {repeats.shape} are not (2 or more, n_rows, n_voxels)")
    total = repeats.var(axis=1, ddof=1).mean(0)
    of_mean = repeats.mean(0).var(axis=0, ddof=1)
    signal = (n_repeats * of_mean - total) / (n_repeats - 1)
    rounding = 1e-24 * (repeats**2).mean((0, 1))  # what is left of a constant voxel
    return np.where(signal > rounding, signal, np.nan), of_mean
