"""What can be wrong with one file of responses: shape, clock, voxels, repeats."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from brainwavlm.checks.report import Problem
from brainwavlm.datasets.hdf5 import open_hdf5, stored
from brainwavlm.datasets.responses import Recording, require_repeats
from brainwavlm.datasets.usable_voxels import Scan, array_blocks, scan
from brainwavlm.errors import DatasetError

REACH = 3  # TRs: half-width of the kernel that reads the sound; no sound within it leaves a row empty
LONG_TAIL = 30.0  # seconds of sound after the last row


@dataclass(frozen=True)
class ResponseCheck:
    """One response file: what is wrong, and what is compared between files.

    Attributes
    ----------
    problems : list of Problem
    shape : tuple of int or None
        (n_trs, n_voxels); None when the file cannot be read.
    voxels : Scan or None
        Unusable voxels; None when the file has none that can be used.
    has_repeats : bool
    """

    problems: list[Problem]
    shape: tuple[int, int] | None = None
    voxels: Scan | None = None
    has_repeats: bool = False


def check_responses(recording: Recording, seconds: float | None, expected_rows: int | None) -> ResponseCheck:
    """Read one recording from end to end, a few rows at a time.

    Parameters
    ----------
    recording : Recording
        Whose file is read.
    seconds : float or None
        Length of the sound, if it could be read.
    expected_rows : int or None
        Rows that the data set's own table promises.
    """
    path = recording.path
    try:
        n_trs, n_voxels = recording.shape
        with open_hdf5(path) as file:
            problems = list(_shape_problems(file, path, expected_rows))
            if n_trs < 2:
                return ResponseCheck(problems)
            problems += _clock_problems(recording, seconds)
            voxels = scan(array_blocks(file["data"]))
            problems += _voxel_problems(path, voxels, "data")
            repeats = _repeats(file, recording, problems)
            if repeats is not None:
                problems += _repeat_problems(repeats, path)
    except DatasetError as error:
        return ResponseCheck([Problem.of(error, "responses")])
    except (OSError, KeyError, RuntimeError) as error:  # a damaged piece in a file that opens
        return ResponseCheck(
            [
                Problem(
                    "responses",
                    str(path),
                    f"cannot be read to its end: {error}",
                    "a whole HDF5 file.",
                    "Download it again, and compare its size with the source.",
                )
            ]
        )
    usable = None if voxels.unusable.all() else voxels
    return ResponseCheck(problems, (n_trs, n_voxels), usable, repeats is not None)


def _shape_problems(file: h5py.File, path: Path, expected_rows: int | None) -> Iterator[Problem]:
    n_trs, n_voxels = file["data"].shape
    if n_trs < 2:
        yield Problem(
            "rows",
            str(path),
            f"data of shape ({n_trs}, {n_voxels}).",
            "two rows or more.",
            "Write it again, or take the story out of the data set.",
        )
    if expected_rows is not None and n_trs != expected_rows:
        yield Problem(
            "rows",
            str(path),
            f"{n_trs} rows.",
            f"{expected_rows} rows, as the data set's own table says (ds003020: respdict.json less 20).",
            "Download it again, or check which volumes were cut.",
        )


def _clock_problems(recording: Recording, seconds: float | None) -> Iterator[Problem]:
    path, tr = recording.path, recording.tr
    n_trs = recording.shape[0]
    try:
        times = recording.tr_times
    except DatasetError as error:
        yield Problem.of(error, "tr_times")
        return
    spacing = float(np.mean(np.diff(times)))
    if abs(spacing - tr) > 0.01 * tr:
        yield Problem(
            "tr_times",
            str(path),
            f"rows {spacing:.4g} s apart.",
            f"{tr:g} s, the data set's tr.",
            "Its tr_times are used; correct tr, or tr_times, whichever is wrong.",
            "warning",
        )
    if seconds is None:
        return
    if times[-1] > seconds + REACH * spacing:
        beyond = int(np.count_nonzero(times > seconds + REACH * spacing))
        yield Problem(
            "rows",
            str(path),
            f"{n_trs} rows, the last at {times[-1]:.1f} s, outlast the sound by {times[-1] - seconds:.1f} s.",
            f"rows until {REACH} TRs after the end of {recording.story.audio.name} ({seconds:.1f} s).",
            f"Check the sound's length and sampling rate and the clock, or cut {beyond} rows.",
        )
    elif seconds - times[-1] > LONG_TAIL:
        yield Problem(
            "rows",
            str(path),
            f"the last of {n_trs} rows is at {times[-1]:.1f} s.",
            f"rows until about the end of {recording.story.audio.name} ({seconds:.1f} s).",
            "Sound after the last row is not used. Check that both are of one story, and the sampling rate.",
            "warning",
        )


def _voxel_problems(path: Path, voxels: Scan, name: str) -> Iterator[Problem]:
    n_unusable = int(np.count_nonzero(voxels.unusable))
    if not n_unusable:
        return
    counts = ", ".join(f"{count} {kind}" for kind, count in voxels.counts.items() if count)
    all_of_them = n_unusable == len(voxels.unusable)
    yield Problem(
        "voxels",
        str(path),
        f"{n_unusable} of {len(voxels.unusable)} voxels cannot be used in {name}: {counts}.",
        "finite numbers that vary.",
        "Write the file again: nothing in it can be used."
        if all_of_them
        else "They are left out of this subject in every story; nothing is filled with zeros.",
        "error" if all_of_them else "warning",
    )


def _repeats(file: h5py.File, recording: Recording, problems: list[Problem]) -> h5py.Dataset | None:
    try:
        repeats = stored(file, "individual_repeats", recording.path)
        if repeats is not None:
            require_repeats(repeats, recording.shape, recording.path)
    except DatasetError as error:
        problems.append(Problem.of(error, "repeats"))
        return None
    return repeats


def _repeat_problems(repeats: h5py.Dataset, path: Path) -> Iterator[Problem]:
    if repeats.shape[0] < 2:
        yield Problem(
            "repeats",
            str(path),
            f"{repeats.shape[0]} repeat.",
            "two or more.",
            "No ceiling can be computed from it; scores are given without one.",
            "warning",
        )
    else:
        for problem in _voxel_problems(path, scan(array_blocks(repeats)), "individual_repeats"):
            yield replace(problem, severity="warning")
