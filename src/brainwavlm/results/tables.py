"""Tables of results as CSV (NaN is an empty field, numbers have 6 digits), and the summary beside them.

That of voxels is compressed: it is nearly all of an evaluation.
"""

import gzip
import math
import os
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.errors import RunError
from brainwavlm.files import Part, digest_of, read_json, replacing, write_json
from brainwavlm.formatting.numbers import plus_minus, shared_change
from brainwavlm.results.schemas import COLUMNS, REPLICATES, TEXT, WHOLE

_TYPES: dict[str, Any] = {**dict.fromkeys(TEXT, str), **dict.fromkeys(WHOLE, np.int64)}
_PERHAPS_EMPTY = ("differences.csv", "epochs.csv")  # of a single group, of runs without epochs
_FORMAT: dict[str, Any] = {"index": False, "float_format": "%.6g"}
# What people read above columns of results; and what is made of several.
_HEADINGS = {
    "n_voxels": "voxels",
    "n_runs": "runs",
    "n_labels": "labels",
    "task": "said",
    "r_readout": "own readout",
    **dict.fromkeys(("r_frozen", "r2_frozen", "auc_frozen", "score_frozen"), "frozen"),
    **dict.fromkeys(("r_tuned", "r2_tuned", "auc_tuned", "score_tuned"), "tuned"),
}
_MADE: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "change, 95 %": lambda row: plus_minus(row["difference"], row["low"], row["high"]),
    "difference, 95 %": lambda row: plus_minus(row["difference"], row["low"], row["high"]),
    "gain, 95 %": lambda row: plus_minus(row["gain"], row["low"], row["high"]),
    "shared map": lambda row: shared_change(row, "difference" if "difference" in row else "gain"),
    "over seeds": lambda row: plus_minus(row["difference"], row["seed_low"], row["seed_high"]),
}


def csv_text(frame: pd.DataFrame) -> str:
    """A table as the text of a CSV file."""
    return frame.to_csv(**_FORMAT)


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a CSV file, whole or not at all. ValueError where a column is missing that the reader asks for."""
    missing = [name for name in COLUMNS.get(path.name, ()) if name not in frame]
    if missing:
        raise ValueError(f"{path.name} without {', '.join(missing)}")
    content = csv_text(frame).encode()
    if path.suffix == ".gz":
        # Without its time, which would tell equal tables apart. Higher levels save little.
        content = gzip.compress(content, 1, mtime=0)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    if path.suffix == ".gz":
        path.with_suffix("").unlink(missing_ok=True)  # of an earlier version, and not of this result


def write_if_any(path: Path, frame: pd.DataFrame) -> None:
    """Write a table that has rows; one without takes away the file of an earlier result, which is not of this one."""
    if len(frame):
        write_frame(path, frame)
    else:
        path.unlink(missing_ok=True)


def table_path(path: Path) -> Path:
    """Where a table lies: earlier versions did not compress that of voxels."""
    before = path.with_suffix("") if path.suffix == ".gz" else path
    return before if before.is_file() and not path.exists() else path


def read_table(
    path: Path, summary: Mapping[str, Any], again: str, further: Sequence[str] = ()
) -> pd.DataFrame:
    """One of the tables named in `COLUMNS`, with `further` columns of numbers; `again` is how to make it again.

    RunError where it is missing, without one of its columns, with a word in place of a number, or not the one that
    `summary`, which lies beside it, was written with.
    """
    columns, path = (*COLUMNS[path.name], *further), table_path(path)
    if not path.is_file():
        raise RunError(path, "no such file.", f"a table with {', '.join(columns)}.", again)
    require_written(path, summary, again)
    try:
        # Rows with more fields than columns would be shifted by one without index_col, and cut without the error.
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            frame = pd.read_csv(
                path,
                dtype={name: _TYPES.get(name, np.float64) for name in columns},
                index_col=False,
                keep_default_na=False,
                na_values=[""],
                low_memory=False,
            )
        missing = [name for name in columns if name not in frame]
        if missing:
            raise ValueError(f"no column {', '.join(missing)}")
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if path.suffix == ".csv" and file.read() != b"\n":
                raise ValueError("its last line is cut off")
        if frame.empty and path.name not in _PERHAPS_EMPTY:
            raise ValueError("no rows")
    except (EOFError, OSError, OverflowError, ValueError, zlib.error, pd.errors.ParserWarning) as error:
        raise RunError(
            path, f"not readable: {error}.", f"a table with {', '.join(columns)}.", again
        ) from None
    return frame


def read_if_any(path: Path, summary: Mapping[str, Any], again: str) -> pd.DataFrame:
    """A table that may be missing: then without rows and columns."""
    return read_table(path, summary, again) if is_written(path, summary) else pd.DataFrame()


def is_written(path: Path, summary: Mapping[str, Any]) -> bool:
    """Whether there is such a file beside the summary, or was one when that was written."""
    return path.name in (summary.get("files") or ()) or os.path.lexists(path)


def require_written(path: Path, summary: Mapping[str, Any], again: str) -> None:
    """RunError where a file is not the one that the summary beside it was written with, as far as that says."""
    digest = (summary.get("files") or {}).get(path.name)
    if digest is not None and digest != digest_of(path):
        raise RunError(
            path,
            "not the file that summary.json was written with: cut off, edited, or of another result.",
            "both files as one command wrote them.",
            f"{again}\nOr, if it was changed on purpose, take its line out of files in summary.json.",
        )


def write_summary(path: Path, summary: Mapping[str, Any], kind: type[Part]) -> None:
    """Write summary.json, whole or not at all, with checksums of what lies beside it.

    ValidationError where the reader would refuse it.
    """
    kind.model_validate(summary)
    files = [path.with_name(name) for name in (*COLUMNS, REPLICATES)]
    write_json(path, {**summary, "files": {file.name: digest_of(file) for file in files if file.is_file()}})


def read_summary(path: Path, kind: type[Part], again: str) -> dict[str, Any]:
    """The content of summary.json. RunError where it is missing, damaged, or of a version that this one cannot read."""
    try:
        return read_json(path, kind=kind, remedy=again)
    except OSError as error:
        raise RunError(path, f"not readable: {error.strerror}.", "a JSON file.", again) from None


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A mapping a row, from column to value."""
    return [{str(column): value for column, value in row.items()} for row in frame.to_dict("records")]


def rows_or_none(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The same, None where there is nothing."""
    return records(frame.astype(object).where(frame.notna(), None))


def told(table: pd.DataFrame, *columns: str) -> list[dict[str, Any]]:
    """Rows of a table for people: columns under their headings, and changes with their intervals by theirs."""
    shown = table.astype({name: int for name in columns if name in WHOLE})
    return [
        {
            _HEADINGS.get(name, name.replace("_", " ")): _MADE[name](row) if name in _MADE else row[name]
            for name in columns
        }
        for row in records(shown)
    ]


def frame_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """For JSON: a mapping a row, floats with 6 digits, None for NaN."""
    return [rounded(row) for row in records(frame)]


def rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON: floats with 6 digits, None for NaN."""
    return {
        key: (None if math.isnan(value) else float(f"{value:.6g}")) if isinstance(value, float) else value
        for key, value in row.items()
    }


def under_both_readouts(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table of results, and once more as the readout that voxels share has them, where it was asked."""
    if "shared_tuned" not in table:
        return records(table)
    columns = {"shared_frozen": "r_frozen", "shared_tuned": "r_tuned"}
    shared = table.drop(columns=list(columns.values())).rename(columns=columns)
    return records(table) + records(shared.assign(readout="shared"))
