"""What can be wrong with one file of responses: shape, clock, voxels, repeats."""

from functools import partial

import h5py
import numpy as np

from brainwavlm.checks.outliers import add_voxel_problems
from brainwavlm.checks.report import Problem, Problems
from brainwavlm.config import AlignmentConfig, WindowConfig
from brainwavlm.datasets.hdf5 import open_hdf5, stored
from brainwavlm.datasets.repeats import SAME, repeat_faults
from brainwavlm.datasets.responses import Recording, require_repeats
from brainwavlm.datasets.row_times import TOLERANCE
from brainwavlm.datasets.usable_rows import EDGE, gaps, looks_transposed, rows_with_sound, without_rows
from brainwavlm.datasets.usable_voxels import Scan, array_blocks, recording_blocks, scan
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.windows import cut_windows

LONG_TAIL = 30.0  # seconds of sound after the last row


def check_responses(
    problems: Problems,
    recording: Recording,
    seconds: float | None,
    expected_rows: int | None,
    has_ceiling: bool = False,
) -> tuple[Recording, Scan, bool] | None:
    """Read one recording from end to end, a few rows at a time.

    Parameters
    ----------
    problems : Problems
        What is wrong is added here.
    recording : Recording
        Whose file is read.
    seconds : float or None
        Length of the sound, if it could be read.
    expected_rows : int or None
        Rows that the data set's own table promises.
    has_ceiling : bool
        Whether the subject comes with a noise ceiling, so that none is measured on repeats.

    Returns
    -------
    The recording with the rows that are used, its voxels, and whether it has repeats; None where it cannot be read.
    """
    with problems.told("responses"), open_hdf5(recording.path) as file:
        n_trs = recording.shape[0]
        if expected_rows is not None and n_trs != expected_rows:
            problems.error(
                "rows",
                recording.path,
                f"{n_trs} rows.",
                f"{expected_rows} rows, as the data set's own table says (ds003020: respdict.json less 20).",
                "Download it again, or check which volumes were cut.",
            )
        if "start" in file["data"].attrs and "start" not in file.attrs:
            problems.warn(
                "tr_times",
                recording.path,
                "start is an attribute of data.",
                "the attribute start of the file.",
                "It is used as if it were the file's.",
            )
        used = _used(problems, recording, seconds)
        voxels = scan(recording_blocks(used))
        rows = np.arange(used.shape[0]) if used.rows is None else used.rows
        add_voxel_problems(problems, used.path, voxels, partial(recording_blocks, used), rows, "data")
        used = _uncensored(problems, used, voxels.censored)
        _add_gaps(problems, used)
        has_repeats = _add_repeat_problems(problems, file, recording, used, has_ceiling)
        return used, voxels, has_repeats
    return None


def _used(problems: Problems, recording: Recording, seconds: float | None) -> Recording:
    """The recording without rows that have no sound, for windows as they are cut by default."""
    path, tr, audio = recording.path, recording.tr, recording.story.audio.name
    try:
        spacing, (times, stated) = recording.spacing, recording.clock
    except DatasetError as error:
        problems.append(Problem.of(error, "tr_times"))
        return recording
    if not stated:
        problems.warn(
            "tr_times",
            path,
            f"neither tr_times nor start: row k is taken for the volume at k * {tr:g} s of the sound.",
            "the clock of the rows: tr_times, or the attribute start.",
            "Write start=0 if the first row is the sound's onset; if volumes came before it, or were cut, say when.",
        )
    steps = np.diff(times)
    # Evenly spaced at a multiple of the TR: rather a wrong tr than a gap before every row.
    even = np.ptp(steps) <= TOLERANCE * tr < abs(float(np.median(steps)) - tr)
    if even or abs(spacing - tr) > TOLERANCE * tr:
        problems.warn(
            "tr_times",
            path,
            f"rows {np.median(steps):.4g} s apart.",
            f"{tr:g} s, the data set's tr.",
            f"Its tr_times are used, and delays count TRs of {spacing:.4g} s; correct tr, or tr_times, whichever "
            f"is wrong.",
        )
    if seconds is None:
        return recording
    with problems.told("rows"):
        ends = cut_windows(int(seconds * SAMPLE_RATE + 0.5), WindowConfig()).times
        used = rows_with_sound(recording, seconds, ends, AlignmentConfig())
        if used.rows is not None:
            before, after = int(used.rows[0]), len(times) - 1 - int(used.rows[-1])
            problems.warn(
                "rows",
                path,
                f"{before} rows before and {after} after the sound, of {len(times)} at {times[0]:.1f} to "
                f"{times[-1]:.1f} s, are left out.",
                f"rows within {EDGE} TRs of {audio} ({seconds:.1f} s); counted for windows.stride up to {spacing:g} s.",
                "Nothing needs to be done if the scanner ran before or after the sound. If not, check the "
                "sound's length and sampling rate, and the clock.",
            )
        elif seconds - times[-1] > LONG_TAIL:
            problems.warn(
                "rows",
                path,
                f"the last of {len(times)} rows is at {times[-1]:.1f} s.",
                f"rows until about the end of {audio} ({seconds:.1f} s).",
                f"If the data are (n_voxels, n_trs), write data.T: {recording.shape[1]} rows would fit the sound."
                if looks_transposed(recording, seconds)
                else "Sound after the last row is not used. Check that both are of one story, and the sampling rate.",
            )
        return used
    return recording


def _uncensored(problems: Problems, used: Recording, censored: np.ndarray) -> Recording:
    if not len(censored):
        return used
    rows = censored if used.rows is None else used.rows[censored]
    with problems.told("rows"):
        kept = without_rows(used, censored)
        first = used.responses(slice(censored[0], censored[0] + 1))
        value = "NaN" if np.isnan(first).all() else f"{np.nanmin(first):g}"
        problems.warn(
            "censored",
            used.path,
            f"{len(rows)} rows hold NaN or one number in all voxels, the first of them row {rows[0]} ({value}).",
            "a number in each row.",
            "They are taken for censored volumes and left out; delays reach over them in seconds.",
        )
        return kept
    return used


def _add_gaps(problems: Problems, used: Recording) -> None:
    try:
        times = used.tr_times
        rows = gaps(times, used.spacing)
    except DatasetError:  # told by _used
        return
    if len(rows):
        first = rows[0]
        row = first if used.rows is None else used.rows[first]
        problems.warn(
            "gap",
            used.path,
            f"{len(rows)} rows do not come one TR after the row before; the first is row {row}, at "
            f"{times[first]:.2f} s, {times[first] - times[first - 1]:.2f} s after.",
            f"rows {used.spacing:g} s apart.",
            "Delays are seconds: they are found by tr_times, and no row counts for another. Nothing "
            "needs to be done if volumes were censored, or runs joined.",
        )


def _add_repeat_problems(
    problems: Problems, file: h5py.File, recording: Recording, used: Recording, has_ceiling: bool
) -> bool:
    """Whether the open file of a recording has repeats, `used` with the rows that are used.

    Added are repeats of a wrong shape, too few, of which no ceiling can be measured, or not those of the data.
    """
    path, story = used.path, used.story.name
    with problems.told("repeats"):
        repeats = stored(file, "individual_repeats", path)
        if repeats is None:
            return False
        require_repeats(repeats, recording.shape, path)
        n_repeats, n_trs = repeats.shape[:2]
        if n_repeats < 2:
            problems.warn(
                "repeats",
                path,
                f"{n_repeats} repeat.",
                "two or more.",
                "No ceiling can be computed from it; scores are given without one.",
            )
            return True
        add_voxel_problems(
            problems,
            path,
            scan(array_blocks(repeats)),
            lambda chosen: (block[:, chosen] for block in array_blocks(repeats)),
            np.tile(np.arange(n_trs), n_repeats),
            "individual_repeats",
        )
        faults = repeat_faults(used, used.shape[1])
        if error := faults.refused(used):
            problems.append(Problem.of(error, "repeats", "warning" if has_ceiling else "error"))
        if faults.unrelated:
            problems.warn(
                "repeats",
                path,
                f"repeat {', '.join(map(str, faults.unrelated))} of {story} (counted from 0) has no more in "
                "common with the others than chance gives.",
                "presentations of one story, row by row.",
                "Check that it is of this story, and that its rows start when those of the others do. It is used as it "
                "is: the ceiling comes out low.",
            )
        if faults.r_of_mean < SAME:
            alone = (
                "" if faults.of_data is None else f" data are repeat {faults.of_data} alone (counted from 0)."
            )
            problems.warn(
                "repeats",
                path,
                f"the mean of individual_repeats of {story} is not data: their median correlation is "
                f"{faults.r_of_mean:.3f}.{alone}",
                "data that are the mean of the repeats, up to scale.",
                "The ceiling is that of the mean of the repeats, and would not be that of data: write the mean "
                "into data, or take out individual_repeats.",
            )
        return True
    return False
