"""CSV files of an evaluation, read strictly: a cell that is not what it should be is named by line and column."""

import csv
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from brainwavlm.errors import RunError
from brainwavlm.results.schemas import AGAIN

TABLE_COLUMNS = (
    *("run", "target", "n_voxels", "r_frozen", "r_tuned", "difference", "low", "high"),
    *("r_readout", "normalised_frozen", "normalised_tuned"),
)
VOXEL_COLUMNS = ("run", "subject", "voxel", "r_frozen", "r_tuned")
# Read where they are there: evaluations of earlier versions lack them.
_TESTS = (
    *("p_frozen", "p_tuned", "p_difference", "r_time_only", "p_time_only"),
    *("low_frozen", "high_frozen", "low_tuned", "high_tuned"),
    *("voxels_frozen", "voxels_tuned", "voxels_better", "voxels_worse"),
)
_VOXEL_TESTS = tuple(
    f"{name}_{kind}" for kind in ("frozen", "tuned", "difference") for name in ("p", "q", "p_max")
)
_SHARES = ("normalised_frozen", "normalised_tuned")
_TEXT = ("run", "subject", "target")
_WHOLE = ("n_voxels", "voxel", *(name for name in _TESTS if name.startswith("voxels_")))
_CHANCES = tuple(f"{name}_" for name in ("p", "q", "p_max"))
_ROUNDING = 1e-5  # numbers are written with 6 digits
_TRUTH = {"True": True, "False": False, "": np.nan}


def read_table(path: Path) -> pd.DataFrame:
    """table.csv: one row a run and target.

    Raises
    ------
    RunError
        The file is damaged; the error names the line and the column.
    """
    lines, frame = _read(path, TABLE_COLUMNS)
    known = (*TABLE_COLUMNS, "relative_gain", *_TESTS)
    numbers = [name for name in frame if name not in _TEXT and name in known]
    _convert(path, lines, frame, numbers)
    _require_unique(path, lines, frame, ["run", "target"])
    return frame


def read_voxels(path: Path, targets: Sequence[str]) -> pd.DataFrame:
    """voxels.csv: one row a run and voxel; targets become True, False, or NaN where another run alone has them.

    Parameters
    ----------
    path : Path
    targets : sequence of str
        Each has a column of its own.

    Raises
    ------
    RunError
        The file is damaged; the error names the line and the column.
    """
    lines, frame = _read(path, (*VOXEL_COLUMNS, *targets))
    optional = ("r_readout", "r_time_only", *_SHARES, *_VOXEL_TESTS)
    _convert(path, lines, frame, [*VOXEL_COLUMNS[2:], *(name for name in optional if name in frame)])
    for name in targets:
        _require(path, lines, frame[name], name, lambda text: text in _TRUTH, "True or False")
        frame[name] = frame[name].map(_TRUTH).astype(object)
        some = frame[name].notna().groupby(frame["run"]).transform("any")
        partly = (some & frame[name].isna()).to_numpy()
        if partly.any():
            raise _error(path, lines[int(partly.argmax())], name, "empty", "True or False")
    _require_unique(path, lines, frame, ["run", "voxel"])
    return frame


def read_frame(path: Path, texts: Sequence[str], numbers: Sequence[str], again: str) -> pd.DataFrame:
    """Any other table of this program: columns of text, columns of numbers (empty: NaN); further ones stay text.

    Parameters
    ----------
    path : Path
    texts, numbers : sequence of str
        Columns that must be there.
    again : str
        How to make the file again, for errors.

    Raises
    ------
    RunError
        The file is damaged; the error names the line and the column.
    """
    lines, frame = _read(path, (*texts, *numbers), again)
    for name in numbers:
        for line, text in zip(lines, frame[name], strict=True):
            if not _is_number(text):
                found = f"line {line}, column {name}: {text[:40]!r}."
                raise RunError(path, found, "a number, or nothing where there is none.", again)
        frame[name] = frame[name].replace("", "nan").astype(np.float64)
    return frame


def _read(path: Path, columns: Sequence[str], again: str = AGAIN) -> tuple[list[int], pd.DataFrame]:
    """The line of each row, and the cells as text."""
    if not path.is_file():
        raise RunError(path, "no such file.", "a file of an evaluation.", again)
    lines, rows = [], []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
        reader = csv.reader(StringIO(text, newline=""), strict=True)
        for row in reader:
            lines.append(reader.line_num)
            rows.append(row)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise RunError(path, f"not readable as CSV: {error}.", "a CSV file in UTF-8.", again) from None
    header = rows[0] if rows else []
    missing = [name for name in columns if name not in header]
    if missing:
        raise RunError(path, f"no column {', '.join(missing)}.", f"the columns {', '.join(columns)}.", again)
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise RunError(path, f"column {twice[0]} more than once.", "each column once.", again)
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise RunError(
                path, f"line {line} has {len(row)} fields.", f"{len(header)}, as in the first line.", again
            )
    if not text.endswith("\n"):
        raise RunError(path, f"line {lines[-1]} is cut off: no line end.", "a whole file.", again)
    return lines[1:], pd.DataFrame(rows[1:], columns=header, dtype=object)


def _convert(path: Path, lines: list[int], frame: pd.DataFrame, numbers: Sequence[str]) -> None:
    for name in (name for name in _TEXT if name in frame):
        _require(path, lines, frame[name], name, bool, "a name")
    for name in numbers:
        if name in _WHOLE:
            _require(path, lines, frame[name], name, _is_whole, "a whole number from 0")
            frame[name] = frame[name].astype(np.int64)
            continue
        _require(path, lines, frame[name], name, _is_number, "a number, or nothing where there is none")
        frame[name] = frame[name].replace("", "nan").astype(np.float64)
        if name.startswith("r_"):
            beyond = (frame[name].abs() > 1 + _ROUNDING).to_numpy()
            if beyond.any():
                at = int(beyond.argmax())
                raise _error(path, lines[at], name, f"{frame[name][at]:g}", "a correlation from -1 to 1")
        if name.startswith(_CHANCES):
            beyond = ((frame[name] <= 0) | (frame[name] > 1 + _ROUNDING)).to_numpy()
            if beyond.any():
                at = int(beyond.argmax())
                raise _error(path, lines[at], name, f"{frame[name][at]:g}", "a p above 0 and up to 1")


def _require(
    path: Path, lines: list[int], texts: pd.Series, name: str, good: Callable[[str], bool], expected: str
) -> None:
    for line, text in zip(lines, texts, strict=True):
        if not good(text):
            raise _error(path, line, name, repr(text[:40]) if text else "empty", expected)


def _require_unique(path: Path, lines: list[int], frame: pd.DataFrame, key: list[str]) -> None:
    again = frame.duplicated(key).to_numpy()
    if again.any():
        at = int(again.argmax())
        named = ", ".join(f"{name} {frame[name][at]}" for name in key)
        raise RunError(
            path, f"line {lines[at]} repeats {named}.", f"one row for each {' and '.join(key)}.", AGAIN
        )


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _is_number(text: str) -> bool:
    try:
        return not text or bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _error(path: Path, line: int, column: str, found: str, expected: str) -> RunError:
    return RunError(path, f"line {line}, column {column}: {found}.", f"{expected}.", AGAIN)
