"""Users' tables in text: a line of names, then as many fields in every row, separated by commas or tabs."""

import csv
from collections.abc import Iterator
from pathlib import Path

from brainwavlm.files import one_form

SEPARATORS = {".csv": ",", ".tsv": "\t"}


def table_rows(path: Path) -> tuple[list[str], dict[int, dict[str, str]]]:
    """Names of the columns, and each row that is not empty, by its line: fields by name.

    Text is in Unicode's form NFC, in which a word is one word however its accents were typed.

    Raises
    ------
    ValueError
        What is wrong, in words: not UTF-8, a quote that does not end, or not before whole lines, a name that is there
        twice or missing, or a row with more or fewer fields than there are names.
    """
    lines = _rows(path)
    names = [name.strip() for name in next(lines, (1, []))[1]]
    wrong = next((name for name in names if not name or names.count(name) > 1), None)
    if wrong is not None:
        raise ValueError(
            f"column {wrong!r} twice" if wrong else f"columns {', '.join(names)}: one has no name"
        )
    rows = {}
    for line, fields in lines:
        if len(fields) != len(names):
            raise ValueError(
                f"line {line} has {len(fields)} fields, for the {len(names)} names {', '.join(names)}"
            )
        rows[line] = dict(zip(names, fields, strict=True))
    return names, rows


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=SEPARATORS[path.suffix.lower()], strict=True)
            for fields in rows:
                lines = [line for field in fields for line in field.splitlines()[1:]]
                if any(line.count(rows.dialect.delimiter) == len(fields) - 1 > 0 for line in lines):
                    raise ValueError(
                        f"line {rows.line_num}: a quote before it, not closed, takes whole lines for one field"
                    )
                if fields:
                    yield rows.line_num, list(map(one_form, fields))
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: {error}") from None
