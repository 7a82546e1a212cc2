"""Tables of the user's: values over time, or labels and values of spans, of every story."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainwavlm.errors import DatasetError
from brainwavlm.files import is_listed, require_content
from brainwavlm.stimulus.features.units import Units, means_of_rows
from brainwavlm.stimulus.word_lists import SEPARATORS

_SPAN = ["onset", "offset"]


def is_table(path: str | Path) -> bool:
    """Whether a file is taken for a table rather than for vectors of words."""
    return Path(path).suffix.lower() in SEPARATORS


def read_table(path: str | Path) -> pd.DataFrame:
    """A table with the columns story, then time or onset and offset, then label or numbers.

    Parameters
    ----------
    path : str or Path
        .csv or .tsv with a line of names.

    Returns
    -------
    DataFrame
        Rows of each story in the order of time; numbers are float64 (an empty field: NaN), story and label text.

    Raises
    ------
    DatasetError
        Missing, without one of these columns, a time that is no number, times that run backwards, or an offset that is
        not after its onset.
    """
    path = Path(path)
    if not is_listed(path):
        raise _unusable(path, "a folder." if path.is_dir() else "no such file.")
    require_content(path)
    try:
        frame = pd.read_csv(path, sep=SEPARATORS[path.suffix.lower()], dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise _unusable(path, f"not readable: {error}.") from None
    times = _SPAN if set(_SPAN) <= set(frame) else ["time"]
    values = [str(name) for name in frame if name not in ("story", *times)]
    if not {"story", *times} <= set(frame) or not values or ("label" in values and len(values) > 1):
        raise _unusable(path, f"columns {', '.join(map(str, frame)) or 'none'}.")
    for name in (*times, *(name for name in values if name != "label")):
        numbers = pd.to_numeric(frame[name], errors="coerce").astype(float)
        empty = frame[name].str.strip().str.lower().isin(["", "nan", "na"]) & (name not in times)
        wrong = ~np.isfinite(numbers) & ~empty
        if wrong.any():
            raise _unusable(path, f"line {_line(wrong)}: {name} is {frame[name][wrong].iloc[0]!r}.")
        frame[name] = numbers
    backwards = frame.groupby("story")[times[0]].diff() < 0
    if backwards.any():
        raise _unusable(path, f"line {_line(backwards)}: {times[0]} is before that of the line above it.")
    if times == _SPAN and (short := frame["offset"] <= frame["onset"]).any():
        raise _unusable(path, f"line {_line(short)}: offset is not after onset.")
    return frame


def spans(table: pd.DataFrame, story: str) -> tuple[Units, np.ndarray]:
    """Spans of a story with their labels, and their values (n_spans, n_columns); none for a table of labels."""
    rows = table[table["story"] == story]
    labels = tuple(rows["label"].str.strip()) if "label" in rows else ()
    numbers = rows.drop(columns=["story", *_SPAN, *(["label"] if "label" in rows else [])])
    units = Units(rows["onset"].to_numpy(), rows["offset"].to_numpy(), labels)
    return units, numbers.to_numpy(np.float32)


def means_over_time(table: pd.DataFrame, story: str, units: Units) -> np.ndarray:
    """u[j] = mean over the rows whose time is in (starts[j], ends[j]], (n_units, n_columns) float32; NaN without one.

    An empty field counts in no mean.
    """
    rows = table[table["story"] == story]
    values = rows.drop(columns=["story", "time"]).to_numpy(float)
    first, last = (np.searchsorted(rows["time"], side, side="right") for side in (units.starts, units.ends))
    return means_of_rows(values, first, last)


def _line(wrong: "pd.Series | np.ndarray") -> int:
    """In the file, whose first line names the columns."""
    return int(np.flatnonzero(wrong)[0]) + 2


def _unusable(path: Path, problem: str) -> DatasetError:
    return DatasetError(
        path,
        problem,
        "a first line of names: story,time and columns of numbers; or story,onset,offset and label, or columns of "
        "numbers; seconds from the sound's onset, in the order of time within a story.",
        "Correct the table.",
    )
