"""Which voxels hold numbers that vary, and which volumes were censored, found story by story, a few rows at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from brainwavlm.datasets.responses import Recording
from brainwavlm.errors import DatasetError

LEAST = 1e-4  # of a voxel's level; z-scores take what spreads by a tenth of that for rounding of float32
SPREAD = 0.1  # of a voxel's range; what spreads over less has an outlier beside it
_BYTES = 1 << 25  # of responses read at once
_FEWEST = 10  # voxels; fewer may hold one number by chance


@dataclass(frozen=True)
class Scan:
    """Voxels of one array of responses by what is wrong with them.

    Attributes
    ----------
    nan, infinite, constant : arrays (n_voxels,) bool
        Constant: high - low <= 1e-4 max(|low|, |high|).
    censored : int array (n_censored,)
        Rows that hold NaN, 0 or one other number in every voxel: volumes that were taken out, as AFNI and others write
        them. They say nothing of a voxel. An array of nothing else has none.
    low, high : arrays (n_voxels,)
        Least and largest number of each voxel.
    calmest : array (n_voxels,)
        Range of each voxel in that piece of the rows in which it varies least.
    """

    nan: np.ndarray
    infinite: np.ndarray
    constant: np.ndarray
    censored: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    low: np.ndarray = field(default_factory=lambda: np.zeros(1))
    high: np.ndarray = field(default_factory=lambda: np.zeros(1))
    calmest: np.ndarray = field(default_factory=lambda: np.zeros(1))

    @property
    def unusable(self) -> np.ndarray:
        """NaN, infinite or constant."""
        return self.nan | self.infinite | self.constant

    @property
    def may_have_outliers(self) -> np.ndarray:
        """Voxels that vary over less than a tenth of their range in some piece, or ten times as much as most do."""
        with np.errstate(invalid="ignore", over="ignore"):
            spread = np.where(self.unusable, 0, self.high - self.low)
        varying = spread[spread > 0]
        usual = np.median(varying) if len(varying) else 0.0
        return ~self.unusable & ((self.calmest < SPREAD * spread) | (SPREAD * spread > usual))

    def __or__(self, other: "Scan") -> "Scan":
        return Scan(self.nan | other.nan, self.infinite | other.infinite, self.constant | other.constant)

    @property
    def counts(self) -> dict[str, int]:
        """Voxels of each kind; one that is two kinds counts in both."""
        return {name: int(np.count_nonzero(getattr(self, name))) for name in ("nan", "infinite", "constant")}


def usable_voxels(
    recordings: Iterable[Recording],
) -> tuple[np.ndarray, dict[str, int], dict[str, np.ndarray]]:
    """Voxels whose responses are finite and vary in every story.

    kept[v] = all over stories of (no NaN, no infinity, not constant as in `Scan`), over volumes that were not censored

    Parameters
    ----------
    recordings : iterable of Recording
        One subject's.

    Returns
    -------
    kept : array (n_voxels,) bool
    counts : dict of str to int
        Voxels that are nan, infinite or constant in some story.
    censored : dict of str to int array
        Rows of each story, of those that are used, that hold NaN, 0, or one number in every voxel.

    Memory does not grow with the number of stories.

    Raises
    ------
    DatasetError
        Stories whose numbers of voxels differ, or no story.
    """
    whole: Scan | None = None
    first: Recording | None = None
    censored = {}
    for recording in recordings:
        first = first or recording
        require_columns(recording, first)
        story = scan(recording_blocks(recording))
        censored[recording.story.name] = story.censored
        whole = story if whole is None else whole | story
    if whole is None:
        raise DatasetError(
            "responses", "no recording.", "at least one.", "Choose a subject that has responses."
        )
    return ~whole.unusable, whole.counts, censored


def require_columns(recording: Recording, other: Recording) -> None:
    """Raise a DatasetError unless a recording has as many voxels as another of the subject."""
    n_voxels, expected = recording.shape[1], other.shape[1]
    if n_voxels != expected:
        raise DatasetError(
            recording.path,
            f"{n_voxels} voxels.",
            f"{expected} voxels, as in {other.path.name}.",
            "All responses of a subject must have the same columns: make them with one mask.",
        )


def scan(blocks: Iterable[np.ndarray]) -> Scan:
    """Voxels that hold NaN, hold infinity, or never change, from consecutive rows (n_rows, n_voxels)."""
    n_rows, censored = 0, []
    nan: Any = False  # of blocks of censored rows alone
    whole: tuple[np.ndarray, ...] | None = None
    for block in blocks:
        empty = censored_rows(block)
        censored.append(n_rows + np.flatnonzero(empty))
        n_rows += len(block)
        rows = block[~empty] if empty.any() else block
        if not len(rows):
            nan = nan | np.isnan(block.min(axis=0))
            continue
        # In fewer rows than that, some of so many voxels vary little by chance.
        least = max(4, round(4 * np.log10(rows.shape[1])))
        for piece in np.array_split(rows, max(1, len(rows) // least)):
            whole = _extremes(piece, least) if whole is None else _joined(whole, _extremes(piece, least))
    if not n_rows:
        raise ValueError("no rows to look at")
    if whole is None:
        return Scan(nan, np.zeros_like(nan), ~nan)
    low, high, calmest, infinite = whole
    nan = np.isnan(low)
    level = np.maximum(abs(low), abs(high))
    with np.errstate(invalid="ignore", over="ignore"):
        constant = ~nan & ~infinite & (high - low <= LEAST * level)
    return Scan(nan, infinite, constant, np.concatenate(censored), low, high, calmest)


def censored_rows(rows: np.ndarray) -> np.ndarray:
    """Which of some rows (n_rows, n_voxels) hold NaN, 0 or one other number in all voxels, bool (n_rows,).

    What is NaN beside a number counts for nothing. Another number than 0 must be that of ten voxels or more.
    """
    low, high = rows.min(axis=1), rows.max(axis=1)
    missing = np.isnan(low)
    if missing.any():
        low[missing], high[missing] = (end.reduce(rows[missing], axis=1) for end in (np.fmin, np.fmax))
    one_number = (low == high) & np.isfinite(low)
    if rows.shape[1] < _FEWEST:
        one_number &= low == 0
    return np.isnan(low) | one_number


def _extremes(rows: np.ndarray, least: int) -> tuple[np.ndarray, ...]:
    low, high = rows.min(axis=0), rows.max(axis=0)
    infinite = np.isinf(low) | np.isinf(high)
    if (nan := np.isnan(low)).any():  # which hides infinity
        infinite[nan] = np.isinf(rows[:, nan]).any(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        return low, high, high - low if len(rows) >= least else np.full_like(low, np.inf), infinite


def _joined(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    ends = np.minimum(one[0], other[0]), np.maximum(one[1], other[1])
    return *ends, np.minimum(one[2], other[2]), one[3] | other[3]


def array_blocks(array: h5py.Dataset) -> Iterator[np.ndarray]:
    """An array (n_trs, n_voxels) or (n_repeats, n_trs, n_voxels) in pieces of a few rows, float32."""
    step = _rows_at_once(array.shape[-1])
    for leading in np.ndindex(array.shape[:-2]):
        for first in range(0, array.shape[-2], step):
            with np.errstate(over="ignore"):  # too large for float32 is infinite, and counted so
                yield array[(*leading, slice(first, first + step))].astype(np.float32, copy=False)


def recording_blocks(recording: Recording, columns: slice | np.ndarray = slice(None)) -> Iterator[np.ndarray]:
    """The rows of a recording that are used, a few at a time, float32."""
    n_trs, n_voxels = recording.shape
    step = _rows_at_once(n_voxels)
    for first in range(0, n_trs, step):
        with np.errstate(over="ignore"):
            yield recording.responses(slice(first, first + step), columns)


def _rows_at_once(n_voxels: int) -> int:
    return max(1, _BYTES // (8 * max(n_voxels, 1)))
