"""Which rows of a recording are used: one rule for check, plan, ridge, tune and evaluate.

A row at time t is used if its volume was not censored, and it is no further from the sound than this:

    -2 TR < t < length of the sound + 2 TR

There the kernel, 3 TRs to each side, finds a window of the sound, however the sound is cut into windows, if they are no
further apart than a TR. With others (windows.stride, alignment.lobes) rows that no window reaches are left out as well.
What is left out is counted. Nobody is asked to cut rows: without tr_times, which ones are cut decides the clock.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from brainwavlm.config import AlignmentConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.datasets.row_times import TOLERANCE
from brainwavlm.errors import DatasetError

EDGE = 2  # TRs before and after the sound
_OTHER_UNIT = 20  # times the TR: milliseconds, or minutes, and no clock in seconds


def rows_with_sound(
    recording: Recording, seconds: float, window_ends: np.ndarray, alignment: AlignmentConfig
) -> Recording:
    """The recording with those of its rows that have sound.

    Parameters
    ----------
    recording : Recording
    seconds : float
        Length of the sound.
    window_ends : array (n_windows,)
        Seconds at which the windows end that it is cut into, increasing.
    alignment : AlignmentConfig
        The kernel's lobes, and what is added to the time of each row.

    Raises
    ------
    DatasetError
        Rows that outlast the sound by a clock that nobody stated, or most of them by any; a clock that is not in
        seconds; or fewer than two rows with sound.
    """
    times, stated = recording.clock
    tr, audio = recording.spacing, recording.story.audio.name
    steps = np.diff(times)
    # Volumes that were censored leave gaps in their numbers, too.
    numbered = np.isclose(np.median(steps), 1) and np.allclose(steps, np.rint(steps))
    numbered = numbered and abs(recording.tr - 1) > TOLERANCE
    if numbered or not recording.tr / _OTHER_UNIT < np.median(steps) < recording.tr * _OTHER_UNIT:
        raise DatasetError(
            recording.path,
            f"tr_times {np.median(steps):g} apart, where the data set's tr is {recording.tr:g} s.",
            "seconds from sound onset.",
            "Multiply tr_times by the TR if they are numbers of volumes, by 60 if they are minutes; divide them by "
            "1000 if they are milliseconds. If they are right, mend tr in dataset.yaml.",
        )
    later = recording.tr / 2 if alignment.tr_reference == "centre" else 0.0
    # Rounding must not leave a row to the kernel that it does not reach.
    reach = alignment.lobes * tr * (1 - 1e-9)
    end = min(seconds + EDGE * tr, window_ends[-1] - later + reach)
    heard = (times > max(-EDGE * tr, window_ends[0] - later - reach)) & (times < end)
    n_heard, n_after = np.count_nonzero(heard), np.count_nonzero(times >= end)
    lasts = f"{len(times)} rows, the last at {times[-1]:.1f} s; {audio} ends at {seconds:.1f} s."
    turned = (
        f"If the data are (n_voxels, n_trs), write data.T: {recording.shape[1]} rows would fit the sound. "
    )
    turned *= looks_transposed(recording, seconds)
    if not stated and times[-1] >= seconds + EDGE * tr:
        raise DatasetError(
            recording.path,
            f"neither tr_times nor start, so row k is taken for the volume at k * {tr:g} s of the sound: {lasts}",
            "tr_times (seconds from sound onset, one a row), or the attribute start (that of the first row).",
            f"{turned}Does the run begin before the sound, or go on after it? Write when: start=-10 where "
            "the sound begins 10 s into the run, start=0 where they begin together. Rows without sound "
            "are then left out. Do not cut rows instead: which ones are cut moves the clock of all "
            "others.",
        )
    if n_after > n_heard / 2 and n_heard >= 2:
        last = int(np.flatnonzero(heard)[-1]) + 1
        raise DatasetError(
            recording.path,
            f"{n_after} rows, from row {last} on, have no sound: {lasts}",
            f"rows until {EDGE} TRs after the end of the sound, and half as many again at most.",
            f"{turned}Check the sound's length and sampling rate, and tr_times or start. If both are "
            f"right, because the run goes on with another story, write data[:{last}] and "
            f"tr_times[:{last}] together.",
        )
    if n_heard < 2:
        raise DatasetError(
            recording.path,
            f"{n_heard} of {len(times)} rows have sound: they are at {times[0]:.1f} to {times[-1]:.1f} s; {audio} "
            f"lasts {seconds:.1f} s.",
            "rows while the sound plays, in seconds from its onset.",
            f"{turned}Check tr_times or start: they count from the sound's onset, not from the scanner's.",
        )
    return recording if heard.all() else replace(recording, rows=np.flatnonzero(heard))


def without_rows(recording: Recording, censored: np.ndarray) -> Recording:
    """The recording without some of the rows that are used, by their number among these.

    Raises
    ------
    DatasetError
        Fewer than two are left.
    """
    if not len(censored):
        return recording
    rows = np.arange(len(recording.clock[0])) if recording.rows is None else recording.rows
    rows = np.delete(rows, censored)
    if len(rows) < 2:
        raise DatasetError(
            recording.path,
            f"{len(rows)} of {len(rows) + len(censored)} rows are neither censored (NaN or one number "
            "in all voxels) nor without sound.",
            "two rows or more.",
            "Write the responses again, or take the story out of the data set.",
        )
    return replace(recording, rows=rows)


def looks_transposed(recording: Recording, seconds: float) -> bool:
    """Whether the columns, taken for rows, would last about as long as the sound, and the rows do not."""
    lengths = recording.spacing * np.array([len(recording.clock[0]), recording.shape[1]])
    rows_fit, columns_fit = np.abs(lengths - seconds) <= 0.1 * seconds + 20 * recording.spacing
    return bool(columns_fit and not rows_fit)


def left_out(recordings: Iterable[Recording]) -> list[str]:
    """What a report says of rows that are left out; nothing where there are none."""
    counts = {one.story.name: len(one.clock[0]) - one.shape[0] for one in recordings if one.rows is not None}
    if not counts:
        return []
    return [
        f"{sum(counts.values())} rows are left out, before or after the sound or censored (NaN or one number in "
        "all voxels): " + ", ".join(f"{count} of {story}" for story, count in counts.items()) + "."
    ]


def gaps(tr_times: np.ndarray, spacing: float) -> np.ndarray:
    """Rows that do not come one TR, of `spacing` seconds, after the row before them, int (n_gaps,).

    Times that were rounded to so few decimals that a TR is no multiple of them are allowed one unit of the last.
    """
    allowed = TOLERANCE * spacing
    for unit in (1.0, 0.1, 0.01):
        if np.allclose(tr_times / unit, np.rint(tr_times / unit), rtol=0, atol=1e-6):
            if unit < spacing / 2 and abs(spacing / unit - np.rint(spacing / unit)) > 1e-6:
                allowed = max(allowed, unit * (1 + 1e-6))
            break
    return 1 + np.flatnonzero(np.abs(np.diff(tr_times) - spacing) > allowed)
