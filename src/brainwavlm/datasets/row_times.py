"""When the rows of a response file were recorded: its `tr_times`, or `start` and the TR, which must not contradict."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from brainwavlm.datasets.hdf5 import NUMBERS, stored
from brainwavlm.errors import DatasetError

TOLERANCE = 0.01  # of a TR: what rounding in files and scanners may change of it


def row_times(
    file: h5py.File, data: h5py.Dataset, path: Path, tr: float, start: float | None
) -> tuple[np.ndarray, bool]:
    """Times of all rows, and whether the file, or the data set by `start`, says them.

    times = tr_times, else start + tr * row. `start` is an attribute of the file, or else of `data`.

    Returns
    -------
    times : array (n_trs,) float64
        Seconds from sound onset, finite and increasing.
    stated : bool

    Raises
    ------
    DatasetError
        Times that are something else, or two that contradict by more than a hundredth of a TR.
    """
    times = stored(file, "tr_times", path)
    claims = {}
    if times is not None:
        increasing = _increasing(_times(times, data.shape, path), path)
        claims["tr_times[0]"] = increasing[0]
    for holder, attributes in (("the file", file.attrs), ("data", data.attrs)):
        if "start" in attributes:
            claims[f"start of {holder}"] = _start(attributes["start"], path)
    if claims and max(claims.values()) - min(claims.values()) > TOLERANCE * tr:
        raise DatasetError(
            path,
            f"two clocks: {', '.join(f'{name} = {value:g}' for name, value in claims.items())} s.",
            "one time of the first row, in seconds from sound onset.",
            "Remove the one that is wrong.",
        )
    if times is not None:
        return increasing, True
    first = next(iter(claims.values()), start)
    return _increasing((first or 0.0) + tr * np.arange(float(len(data))), path), first is not None


def _times(times: h5py.Dataset | h5py.Group, data: tuple[int, int], path: Path) -> np.ndarray:
    shape, n_trs = getattr(times, "shape", None), data[0]  # a group has no shape
    if shape != (n_trs,):
        raise DatasetError(
            path,
            f"tr_times of shape {shape} beside {n_trs} rows.",
            "one time a row.",
            f"There are as many times as columns: if the data are (n_voxels, n_trs), write data.T {data[::-1]}."
            if shape == data[1:]
            else "Write tr_times again, in seconds from sound onset.",
        )
    numbers = times.dtype.kind in NUMBERS
    values = times[()].astype(np.float64) if numbers else np.full(n_trs, np.nan)
    if not np.isfinite(values).all():
        wrong = np.count_nonzero(~np.isfinite(values))
        raise DatasetError(
            path,
            f"tr_times of type {times.dtype}: {wrong} of {n_trs} times are no numbers.",
            "seconds from sound onset.",
            "Write tr_times again.",
        )
    return values


def _start(value: Any, path: Path) -> float:
    number = np.asarray(value)  # an attribute without a value becomes an object
    if number.dtype.kind not in NUMBERS or number.size != 1 or not np.isfinite(number).all():
        raise DatasetError(
            path,
            f"start = {value!r}.",
            "one number: the sound's time at the first row in seconds.",
            "Write the attribute start again, or tr_times.",
        )
    return float(number.item())


def _increasing(times: np.ndarray, path: Path) -> np.ndarray:
    later = np.diff(times) > 0
    if not later.all():
        row = int(np.argmin(later)) + 1
        raise DatasetError(
            path,
            f"tr_times not increasing at row {row} ({times[row]:g} s after {times[row - 1]:g} s).",
            "increasing seconds from sound onset.",
            "Write tr_times again, in seconds from sound onset. Where two runs are joined, the second one's go on from "
            "where it begins in the sound; two runs of the same stretch are individual_repeats, or two stories.",
        )
    return times
