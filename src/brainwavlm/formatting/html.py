"""Small HTML for notebooks: escaped text, quiet tables, and the word SIMULATED in plain view.

Styles stand in the elements, so that nothing else in a notebook changes; colours are the notebook's own, light or dark.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

from brainwavlm.errors import BrainwavlmError

MOST_ROWS = 20
_UNBROKEN = 24  # characters of a cell that stay on one line
_LONGEST = 80  # characters of a cell; the whole text is in its title
_TABLE = "border-collapse:collapse;margin:4px 0;border:0;font-size:inherit;color:inherit"
_CELL = "padding:2px 10px 2px 0;border:0;border-bottom:1px solid rgba(128,128,128,.3);background:none"
_BADGE = (
    "background:#ffd166;color:#1c2733;font-weight:bold;font-size:75%;border-radius:3px;padding:1px 6px;"
    "margin-left:8px;white-space:nowrap"
)


def block(title: str, badges: Iterable[str], *parts: str) -> str:
    """A titled output; parts are HTML already, title and badges are text."""
    marks = "".join(f'<span style="{_BADGE}">{escape(mark)}</span>' for mark in badges)
    head = (
        f'<div style="margin-bottom:4px"><b style="overflow-wrap:anywhere">{escape(title)}</b>{marks}</div>'
    )
    return f'<div style="max-width:60em;font-size:90%;line-height:1.4">{head}{"".join(parts)}</div>'


def simulated_badge(simulated: bool) -> list[str]:
    """The badges of something that is simulated or not."""
    return ["SIMULATED RESPONSES"] if simulated else []


def sentence(text: str) -> str:
    """One line of small text."""
    return f'<div style="opacity:.8;overflow-wrap:anywhere">{escape(text)}</div>' if text else ""


def table(rows: Sequence[Mapping[str, Any]], most: int = MOST_ROWS) -> str:
    """Rows with the same keys; numbers are right-aligned, rows beyond `most` are counted."""
    if not rows:
        return ""
    numeric = {key for key in rows[0] if all(row[key] is None or _is_number(row[key]) for row in rows)}
    head = "".join(_element("th", escape(key), key in numeric) for key in rows[0])
    body = "".join(
        f'<tr style="background:none">{"".join(_data(row[key], key in numeric) for key in rows[0])}</tr>'
        for row in rows[:most]
    )
    more = f"… and {len(rows) - most} more rows" if len(rows) > most else ""
    return (
        f'<div style="overflow-x:auto"><table style="{_TABLE}">'
        f'<thead><tr style="background:none">{head}</tr></thead><tbody>{body}</tbody></table></div>{sentence(more)}'
    )


def shown(value: Any, nothing: str = "–", minus: str = "−") -> str:
    """A value as text: three decimals, a dash for nothing."""
    if value is None or value != value:  # NaN is not itself
        return nothing
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}".replace("-", minus)
    return str(value)


def _data(value: Any, numeric: bool) -> str:
    text = shown(value)
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    title = f' title="{escape(text)}"' if cut != text else ""
    return _element("td", escape(cut), numeric, title)


def _element(kind: str, content: str, numeric: bool, more: str = "") -> str:
    weight = "font-weight:600;" if kind == "th" else ""
    align = "text-align:right;font-variant-numeric:tabular-nums" if numeric else "text-align:left"
    align += ";white-space:nowrap" if len(content) <= _UNBROKEN else ""
    return f'<{kind} style="{_CELL};{weight}{align}"{more}>{content}</{kind}>'


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def or_its_error(title: str, made: Callable[[], str]) -> str:
    """A cell shows what is wrong with a damaged run, as text; a traceback would hide it."""
    try:
        return made()
    except (BrainwavlmError, OSError) as error:
        return block(title, ["CANNOT BE SHOWN"], *(sentence(line) for line in str(error).splitlines()))
