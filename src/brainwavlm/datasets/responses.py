"""What the scanner recorded while somebody listened to a story: one HDF5 file."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from brainwavlm.datasets.hdf5 import NUMBERS, open_hdf5, stored
from brainwavlm.datasets.row_times import TOLERANCE, row_times
from brainwavlm.errors import DatasetError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Channel = Literal["mean", "left", "right"] | int


@dataclass(frozen=True)
class Story:
    """One stimulus.

    Attributes
    ----------
    name : str
    audio : Path
        Sound file.
    transcript : Path or None
        TextGrid.
    split : str
        train, validation or test.
    channel : str or int
        What is heard of a sound with several channels: their mean, left (1), right (2), or which, from 1.
    word_tiers, phone_tiers : tuple of str
        Tiers of the TextGrid, where their names do not say what they hold.
    """

    name: str
    audio: Path
    transcript: Path | None
    split: Split
    channel: Channel = "mean"
    word_tiers: tuple[str, ...] = ()
    phone_tiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recording:
    """One subject's responses to one story, read from disk when asked for.

    Attributes
    ----------
    subject : str
    story : Story
    path : Path
        HDF5 file with `data` (n_trs, n_voxels), perhaps `tr_times` (n_trs,) and `individual_repeats`
        (n_repeats, n_trs, n_voxels).
    tr : float
        Seconds between volumes.
    start : float or None
        Sound time of the first row in seconds, where the file holds no tr_times. None: the data set does not say; a
        file that does not say either is taken to begin with the sound.
    rows : int array (n_trs,) or None
        Rows of the file that are used, increasing; None: all.
    """

    subject: str
    story: Story
    path: Path
    tr: float
    start: float | None = None
    rows: np.ndarray | None = field(default=None, compare=False)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(n_trs, n_voxels)."""
        with open_hdf5(self.path) as file:
            n_trs, n_voxels = _data(file, self.path).shape
        return n_trs if self.rows is None else len(self.rows), n_voxels

    @cached_property
    def tr_times(self) -> np.ndarray:
        """Seconds from sound onset at which each row's volume starts, (n_trs,) float64, finite and increasing.

        A file whose `tr_times` or `start` say something else is a DatasetError.
        """
        return self.clock[0] if self.rows is None else self.clock[0][self.rows]

    @cached_property
    def clock(self) -> tuple[np.ndarray, bool]:
        """Times of all rows of the file, used or not, and whether the file or the data set says them."""
        with open_hdf5(self.path) as file:
            return row_times(file, _data(file, self.path), self.path, self.tr, self.start)

    @cached_property
    def spacing(self) -> float:
        """Seconds of a TR by the clock: median, or mean, of its steps over the whole TRs in each, so that gaps count
        for nothing. A clock that does not tick in TRs has the median of its steps.
        """
        steps = np.diff(self.clock[0])
        ticks = steps / np.maximum(np.rint(steps / self.tr), 1)
        for tick in (float(np.median(ticks)), float(np.mean(ticks))):
            if abs(tick - self.tr) <= TOLERANCE * self.tr:
                return tick
        return float(np.median(steps))

    def responses(self, rows: slice = slice(None), columns: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Measured responses, as they are in the file.

        Parameters
        ----------
        rows : slice
            TRs, of those that are used.
        columns : slice, or bool array (n_voxels,)
            Voxels.

        Returns
        -------
        array (n_rows, n_columns), float32. NaN stays NaN.
        """
        with open_hdf5(self.path) as file:
            data = _data(file, self.path)
            if self.rows is None:
                return _columns(data, (rows,), columns)
            used = self.rows[rows]
            # HDF5 reads scattered rows far slower than a stretch of them.
            return _columns(data, (slice(used[0], used[-1] + 1),), columns)[used - used[0]]

    def repeats(self, columns: slice | np.ndarray = slice(None)) -> np.ndarray | None:
        """Single presentations, (n_repeats, n_trs, n_columns) float32; None if heard once."""
        with open_hdf5(self.path) as file:
            repeats = stored(file, "individual_repeats", self.path)
            if repeats is None:
                return None
            require_repeats(repeats, _data(file, self.path).shape, self.path)
            if not len(repeats):
                return None
            values = _columns(repeats, (slice(None), slice(None)), columns)
            return values if self.rows is None else values[:, self.rows]


def _data(file: h5py.File, path: Path) -> h5py.Dataset:
    data = stored(file, "data", path)
    if data is None or getattr(data, "ndim", 0) != 2:
        arrays = {
            key: file.get(key) for key in file if isinstance(file.get(key, getlink=True), h5py.HardLink)
        }
        keys = ", ".join(f"{key} {array.shape}" for key, array in arrays.items() if hasattr(array, "shape"))
        raise DatasetError(
            path,
            f"holds {keys or 'nothing'}.",
            "an array `data` (n_trs, n_voxels).",
            "Write the responses under the key `data`.",
        )
    if data.dtype.kind not in NUMBERS:
        raise DatasetError(path, f"data of type {data.dtype}.", "numbers.", "Write data as float32.")
    if data.shape[0] < 2 or not data.shape[1]:
        raise DatasetError(
            path,
            f"data of shape {data.shape}.",
            "two rows or more, and voxels.",
            "Write it again, or take the story out of the data set.",
        )
    return data


def require_repeats(repeats: h5py.Dataset | h5py.Group, shape: tuple[int, int], path: Path) -> None:
    """Raise a DatasetError unless the repeats are numbers with the rows and voxels of the data."""
    repeats_shape = getattr(repeats, "shape", None)
    kind = getattr(repeats, "dtype", np.dtype(object))
    if (
        repeats_shape is None
        or len(repeats_shape) != 3
        or repeats_shape[1:] != shape
        or kind.kind not in NUMBERS
    ):
        raise DatasetError(
            path,
            f"individual_repeats of shape {repeats_shape} beside data of shape {shape}, type {kind}.",
            f"numbers (n_repeats, {shape[0]}, {shape[1]}).",
            "Write the repeats again, or remove them: then no ceiling can be computed.",
        )


def _columns(array: h5py.Dataset, leading: tuple, columns: slice | np.ndarray) -> np.ndarray:
    if isinstance(columns, slice):
        return array[(*leading, columns)].astype(np.float32, copy=False)
    # HDF5 reads scattered columns far slower than rows; take whole rows and drop columns in memory.
    chosen = np.asarray(columns)
    if array.ndim == 2:
        return array[leading[0]].astype(np.float32, copy=False)[:, chosen]
    return np.stack([array[n][:, chosen] for n in range(array.shape[0])]).astype(np.float32)
