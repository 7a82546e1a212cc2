"""Tables of the page: cells as text with the number they sort by, and the file that holds them all."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from brainwavlm.formatting.numbers import number, signed

Sheet = dict[str, Any]  # label, caption, columns, groups: title and rows of cells; csv
Cell = dict[str, Any]  # text; perhaps value, background, ink


def sheet(
    label: str,
    caption: str,
    columns: Sequence[str],
    groups: Iterable[tuple[str, Sequence[Sequence[Cell]]]],
    csv: Mapping[str, str] | None = None,
) -> Sheet:
    """A table of the page; the first cell of a row is its header, a group without a title has no header row."""
    return {
        "label": label,
        "caption": caption,
        "columns": list(columns),
        "groups": [{"title": title, "rows": list(rows)} for title, rows in groups],
        "csv": csv,
    }


def text(value: Any) -> Cell:
    """A cell of words."""
    return {"text": str(value)}


def score(value: float, digits: int = 3, sign: bool = False) -> Cell:
    """A cell of one number, that sorts by all its digits."""
    shown = signed(value, digits) if sign else number(value, digits)
    return {"text": shown, "value": "" if np.isnan(value) else repr(float(value))}


def whole(value: float) -> Cell:
    """A count."""
    return {
        "text": "–" if np.isnan(value) else f"{int(value):,}",
        "value": "" if np.isnan(value) else str(int(value)),
    }


def chance(value: float) -> Cell:
    """A p."""
    if np.isnan(value):
        return {"text": "–", "value": ""}
    return {"text": "<0.001" if value < 0.001 else f"{value:.3f}", "value": repr(float(value))}


def interval(low: float, high: float, sign: bool = True) -> Cell:
    """The ends of an interval, sorted by the lower one; a dash where it has no width."""
    if np.isnan(low) or np.isnan(high) or low == high:
        return {"text": "–", "value": ""}
    ends = [signed(end) if sign else number(end) for end in (low, high)]
    return {"text": " to ".join(ends), "value": repr(float(low))}


def file_link(path: Path) -> dict[str, str]:
    """A file's own bytes as the address of a download."""
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    return {"name": path.name, "uri": f"data:text/csv;charset=utf-8;base64,{content}"}


def heat(cell: Cell, value: float, largest: float) -> Cell:
    """The cell on the colour of its value between -largest and largest, with black or white text, as reads better."""
    if np.isnan(value) or largest <= 0:
        return cell
    red, green, blue = (
        float(part) for part in matplotlib.colormaps["RdBu_r"](0.5 + 0.5 * value / largest)[:3]
    )
    background = "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))
    return {**cell, "background": background, "ink": ink_on((red, green, blue))}


def ink_on(colour: Sequence[float]) -> str:
    """Black or white, as reads better on a colour of red, green and blue from 0 to 1."""
    red, green, blue = (float(part) for part in colour)
    light = 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)
    return "#000" if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else "#fff"


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def column(frame: pd.DataFrame, name: str) -> list[str]:
    """Different values of a column, in order."""
    return [str(value) for value in dict.fromkeys(frame[name])]
