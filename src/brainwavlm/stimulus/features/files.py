"""Tables of the user's: values over time, or labels and values of spans, of every story."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainwavlm.errors import DatasetError
from brainwavlm.files import is_listed, require_content
from brainwavlm.stimulus.features.units import Units, means_of_rows
from brainwavlm.stimulus.intervals import TOLERANCE
from brainwavlm.stimulus.text_tables import SEPARATORS, table_rows
from brainwavlm.stimulus.word_vectors import LARGEST

_SPAN = ["onset", "offset"]
_AFTER = 1.0  # seconds after the sound's end that a time may lie, as of transcripts


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
        Rows of each story in the order of time, by their line in the file; numbers are float64 (an empty field: NaN),
        story and label text.

    Raises
    ------
    DatasetError
        Missing, without one of these columns, or with one twice, a row with more or fewer fields, a time that is no
        number, times that run backwards, an offset that is not after its onset, or spans of a story that overlap.
    """
    path = Path(path)
    if not is_listed(path):
        raise _unusable(path, "a folder." if path.is_dir() else "no such file.")
    require_content(path)
    try:
        names, rows = table_rows(path)
    except ValueError as error:
        raise _unusable(path, f"{error}.") from None
    frame = pd.DataFrame(list(rows.values()), list(rows), names, dtype=str)
    times = _SPAN if set(_SPAN) <= set(frame) else ["time"]
    values = [str(name) for name in frame if name not in ("story", *times)]
    both = times == _SPAN and "time" in values
    if both or not {"story", *times} <= set(frame) or not values or ("label" in values and len(values) > 1):
        raise _unusable(path, f"columns {', '.join(names) or 'none'}.")
    if "label" in frame and not frame["label"].str.strip().any():
        raise _unusable(path, "no label in any row.")
    frame["story"] = frame["story"].str.strip()
    for name in (*times, *(name for name in values if name != "label")):
        numbers = pd.to_numeric(frame[name], errors="coerce").astype(float)
        others = frame[name][~(numbers.abs() <= LARGEST)]
        if len(others) and name not in times:
            others = others[~others.str.strip().str.lower().isin(["", "nan", "na"])]
        if len(others):
            raise _unusable(path, f"line {others.index[0]}: {name} is {others.iloc[0]!r}.")
        frame[name] = numbers
    backwards = frame.groupby("story")[times[0]].diff() < 0
    if backwards.any():
        raise _unusable(path, f"line {_line(backwards)}: {times[0]} is before that of the line above it.")
    if times == _SPAN and (short := frame["offset"] <= frame["onset"]).any():
        raise _unusable(path, f"line {_line(short)}: offset is not after onset.")
    if times == _SPAN:
        ends = frame.groupby("story")["offset"].transform(lambda offsets: offsets.cummax().shift())
        if (overlapping := frame["onset"] < ends - TOLERANCE).any():
            line = _line(overlapping)
            problem = (
                f"line {line}: it begins at {frame['onset'][line]:g} s, before the end of an earlier span of "
            )
            raise _unusable(
                path,
                f"{problem}{frame['story'][line]} ({ends[line]:g} s).",
                "Correct its times; or write what is said at once, as of another speaker, into a table of its own.",
            )
    return frame


def require_within(path: Path, table: pd.DataFrame, story: str, seconds: float) -> None:
    """DatasetError where a story has rows before its sound, or more than a second after its end."""
    first, last = ("time", "time") if "time" in table else _SPAN
    rows = table[table["story"] == story]
    outside = (rows[first] < 0) | (rows[last] > seconds + _AFTER)
    if outside.any():
        line = _line(outside)
        times = " to ".join(f"{rows[name][line]:g}" for name in dict.fromkeys((first, last)))
        raise _unusable(
            path,
            f"line {line}: {times} s, where the sound of {story} lasts {seconds:.1f} s ({outside.sum()} of "
            f"{len(rows)} rows).",
            "Correct the times (are they seconds?), or take these rows out.",
        )


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


def _line(wrong: pd.Series) -> int:
    """The first line of the file of which it is true."""
    return int(wrong.index[int(np.argmax(wrong))])


def _unusable(path: Path, problem: str, remedy: str = "Correct the table.") -> DatasetError:
    return DatasetError(
        path,
        problem,
        "a first line of names, each once: story,time and columns of numbers; or story,onset,offset and label, or "
        "columns of numbers. Seconds from the sound's onset, in their order within a story, no overlaps; numbers up "
        f"to {LARGEST:g}.",
        remedy,
    )
