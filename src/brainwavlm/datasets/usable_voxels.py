"""Which voxels hold numbers that vary, and which volumes were censored, found story by story, a few rows at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import h5py
import numpy as np

from brainwavlm.datasets.responses import Recording
from brainwavlm.errors import DatasetError

_BYTES = 1 << 25  # of responses read at once


@dataclass(frozen=True)
class Scan:
    """Voxels of one array of responses by what is wrong with them; each (n_voxels,) bool.

    `censored` are its rows that hold NaN or 0 in every voxel, int (n_censored,): volumes that were taken out, as AFNI
    and others write them. They say nothing of a voxel. An array of nothing else has none.
    """

    nan: np.ndarray
    infinite: np.ndarray
    constant: np.ndarray
    censored: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    @property
    def unusable(self) -> np.ndarray:
        """Any of the three."""
        return self.nan | self.infinite | self.constant

    def __or__(self, other: "Scan") -> "Scan":
        return Scan(self.nan | other.nan, self.infinite | other.infinite, self.constant | other.constant)

    @property
    def counts(self) -> dict[str, int]:
        """Voxels of each kind; one that is two kinds counts in both."""
        return {name: int(np.count_nonzero(getattr(self, name))) for name in ("nan", "infinite", "constant")}


@dataclass(frozen=True)
class Mask:
    """Voxels that can be used.

    Attributes
    ----------
    kept : array (n_columns,) bool
        Finite and varying in every story.
    counts : dict of str to int
        Columns that are nan, infinite or constant in some story.
    censored : dict of str to int array
        Rows of each story, of those that are used, that hold NaN or 0 in every voxel.
    """

    kept: np.ndarray
    counts: dict[str, int]
    censored: dict[str, np.ndarray] = field(default_factory=dict)


def usable_voxels(recordings: Iterable[Recording], columns: slice | np.ndarray | None = None) -> Mask:
    """Voxels whose responses are finite and vary in every story.

    kept[v] = all over stories of (no NaN, no infinity, max > min of column v), over volumes that were not censored

    Parameters
    ----------
    recordings : iterable of Recording
        One subject's.
    columns : slice or bool array (n_voxels,) or None
        Only these columns are looked at.

    Returns
    -------
    Mask over the columns looked at. Memory does not grow with the number of stories.

    Raises
    ------
    DatasetError
        Stories whose numbers of voxels differ, or no story.
    """
    chosen = slice(None) if columns is None else columns
    whole: Scan | None = None
    first: Recording | None = None
    censored = {}
    for recording in recordings:
        if first is None:
            first = recording
        elif recording.shape[1] != first.shape[1]:
            raise DatasetError(
                recording.path,
                f"{recording.shape[1]} voxels.",
                f"{first.shape[1]} voxels, as in {first.path.name}.",
                "All responses of a subject must have the same columns: make them with one mask.",
            )
        story = scan(recording_blocks(recording, chosen))
        censored[recording.story.name] = story.censored
        whole = story if whole is None else whole | story
    if whole is None:
        raise DatasetError(
            "responses", "no recording.", "at least one.", "Choose a subject that has responses."
        )
    return Mask(~whole.unusable, whole.counts, censored)


def scan(blocks: Iterable[np.ndarray]) -> Scan:
    """Voxels that hold NaN, hold infinity, or never change, from consecutive rows (n_rows, n_voxels)."""
    n_rows, censored, parts, nan = 0, [], [], None
    for block in blocks:
        missing = np.isnan(block)
        nan = missing.any(axis=0) if nan is None else nan | missing.any(axis=0)
        empty = (missing | (block == 0)).all(axis=1)
        censored.append(n_rows + np.flatnonzero(empty))
        n_rows += len(block)
        rows, missing = (block[~empty], missing[~empty]) if empty.any() else (block, missing)
        if len(rows):
            parts.append(
                (missing.any(axis=0), np.isinf(rows).any(axis=0), rows.min(axis=0), rows.max(axis=0))
            )
        if len(parts) == 2:
            parts = [_joined(*parts)]
    if nan is None:
        raise ValueError("no rows to look at")
    if not parts:
        return Scan(nan, np.zeros_like(nan), ~nan)
    nan, infinite, low, high = parts[0]
    return Scan(nan, infinite, ~nan & ~infinite & (low == high), np.concatenate(censored))


def _joined(one: tuple, other: tuple) -> tuple:
    return one[0] | other[0], one[1] | other[1], np.minimum(one[2], other[2]), np.maximum(one[3], other[3])


def array_blocks(array: h5py.Dataset) -> Iterator[np.ndarray]:
    """An array (n_trs, n_voxels) or (n_repeats, n_trs, n_voxels) in pieces of a few rows, float32."""
    step = _rows_at_once(array.shape[-1])
    for leading in np.ndindex(array.shape[:-2]):
        for first in range(0, array.shape[-2], step):
            with np.errstate(over="ignore"):  # too large for float32 is infinite, and counted so
                yield array[(*leading, slice(first, first + step))].astype(np.float32)


def recording_blocks(recording: Recording, columns: slice | np.ndarray = slice(None)) -> Iterator[np.ndarray]:
    """The rows of a recording that are used, a few at a time, float32."""
    n_trs, n_voxels = recording.shape
    step = _rows_at_once(n_voxels)
    for first in range(0, n_trs, step):
        with np.errstate(over="ignore"):
            yield recording.responses(slice(first, first + step), columns)


def _rows_at_once(n_voxels: int) -> int:
    return max(1, _BYTES // (8 * max(n_voxels, 1)))
