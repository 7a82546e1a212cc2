"""Tables in text with a line of names; transcripts that list words: such tables, and JSON of Gentle and WhisperX."""

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from brainwavlm.files import one_form, parsed_json, require_content
from brainwavlm.stimulus.textgrid import AGAIN, Interval, TextGrid, Tier, label_of, unusable

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


def read_word_list(path: str | Path) -> TextGrid | None:
    """The words, and phones where there are some, as tiers; None of a file that is no such list.

    .csv, .tsv: a line of names with onset, offset (seconds) and word, perhaps further columns; then a word a line.
    .json: what Gentle or WhisperX writes. A word that they did not find in the sound has no length, and is counted as
    left out.

    Raises
    ------
    DatasetError
        A table without these columns, with a time that is no number, or whose times run backwards.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*SEPARATORS, ".json"):
        return None
    require_content(path)
    if suffix in SEPARATORS:
        try:
            return TextGrid([Tier("words", list(_table(path)))])
        except ValueError as error:
            raise unusable(path, f"{error}.", AGAIN) from None
    try:
        content = parsed_json(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise unusable(path, "not UTF-8.", AGAIN) from None
    except (ValueError, RecursionError):
        return None  # the reader of TextGrids says what is wrong with its JSON
    if not isinstance(content, dict) or not {"words", "segments"} & set(content):
        return None
    try:
        words = (
            content["words"] if "words" in content else [w for s in content["segments"] for w in s["words"]]
        )
        tiers = [Tier("words", list(_aligned(words)))]
        phones = [phone for word in words if word.get("start") is not None for phone in _gentle_phones(word)]
        return TextGrid([*tiers, *([Tier("phones", phones)] if phones else [])])
    except (TypeError, LookupError, ValueError, AttributeError, ArithmeticError):
        problem = "JSON with words or segments of another form than Gentle's or WhisperX's."
        raise unusable(path, problem, AGAIN) from None


def _table(path: Path) -> Iterator[Interval]:
    names, rows = table_rows(path)
    if not {"onset", "offset", "word"} <= set(names):
        raise ValueError(f"columns {', '.join(names) or 'none'}")
    before = -math.inf
    for line, row in rows.items():
        start, end = row["onset"], row["offset"]
        try:
            onset, offset = float(start), float(end)
        except ValueError:
            raise ValueError(f"line {line}: onset {start!r}, offset {end!r}") from None
        if onset < before:
            raise ValueError(f"line {line}: onset {onset:g} s is before that of the line above it")
        before = onset
        yield Interval(onset, offset, row["word"])


def _aligned(words: list[Mapping[str, Any]]) -> Iterator[Interval]:
    now = 0.0
    for word in words:
        start, end = word.get("start"), word.get("end")  # absent or null of a word that was not found
        start = now if start is None else float(start)
        now = start if end is None else float(end)
        yield Interval(start, now, label_of(word["word"]))


def _gentle_phones(word: Mapping[str, Any]) -> Iterator[Interval]:
    """Phones of a word follow each other from its start."""
    now = float(word["start"])
    for phone in word.get("phones") or ():
        start, now = now, now + float(phone["duration"])
        yield Interval(start, now, label_of(phone["phone"]))
