"""Tables of a page: pandas draws them, with a scope for every header and a body of its own for each group of rows."""

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup, escape
from pandas.io.formats.style import Styler

from brainwavlm.formatting.numbers import format_p, number, percent, signed
from brainwavlm.reporting.page.render import download
from brainwavlm.results.result import Result
from brainwavlm.results.tables import csv_text

Table = dict[str, Any]  # label, html, file
Format = Callable[[Any], str]
Row = Mapping[str, Any]
_PALER = 1.6  # the scale of colours ends before they are too dark for black text


class _Table(Styler):
    env = Environment(
        loader=ChoiceLoader([PackageLoader("brainwavlm.reporting"), Styler.loader]), trim_blocks=True
    )
    template_html_table = env.get_template("table.html.j2")


def table(
    label: str,
    caption: str | Markup,
    frame: pd.DataFrame,
    *,
    classes: Mapping[str, Any] | None = None,
    heat: pd.DataFrame | None = None,
    of: tuple[Result, str] | None = None,
    element: str = "",
    simulated: bool = False,
) -> Table:
    """A table for the templates. Texts are shown as they are, whatever signs they hold; only `Markup` is not escaped.

    Parameters
    ----------
    label, caption : str
        The first tells it from the other tables of the page; the second says `simulated`.
    frame : DataFrame
        Columns by their headings, those of results from `headed`. The first holds titles of groups of rows (empty:
        none), the second headers of rows.
    classes : mapping of column to str, or to one str a row, or None
        Classes of cells: `name` and `words` are for text, `range` for drawings.
    heat : DataFrame or None
        Numbers behind columns of the frame: red above 0, blue below.
    of : tuple of Result and str, or None
        The result and its table that is shown: all of its rows can be downloaded, and it knows what is simulated.
    element : str
        Name of the table within the page, for what filters it.
    """
    frame = frame.reset_index(drop=True)
    styler = _Table(frame, uuid=f"{zlib.crc32((label + frame.to_csv()).encode()):x}", cell_ids=False)
    shown: dict[Any, Any] = {name: _escaped(_FORMATS.get(str(name), lambda value: value)) for name in frame}
    styler.format(shown, na_rep="–").format_index(escape="html", axis=1)
    if classes:
        styler.set_td_classes(pd.DataFrame(dict(classes), index=frame.index))
    if heat is not None:
        values = heat.fillna(0)
        end = _PALER * float(values.abs().to_numpy().max())
        ends: dict[str, Any] = {"vmin": -end, "vmax": end, "text_color_threshold": 0}
        styler.background_gradient("RdBu_r", axis=None, subset=list(heat), gmap=values, **ends)
    simulated |= of is not None and of[0].simulated
    badge = Markup('<span class="badge">SIMULATED</span> ') if simulated else ""
    styler.set_caption(str(badge + escape(caption)))
    attributes = 'class="sortable"' + (f' id="{element}"' if element else "")
    text = styler.to_html(table_attributes=attributes, exclude_styles=heat is None)
    file = file_link(of[0].FILES[of[1]], getattr(*of)) if of else None
    return {"label": label, "html": Markup(text), "file": file}


def _escaped(shown: Format) -> Format:
    return lambda value: str(escape(shown(value)))


def _whole(value: float | str) -> str:
    """A count: 1,500; words in its place stay."""
    return value if isinstance(value, str) else f"{int(value):,}"


# Columns of results as a page shows them: heading, and format. `interval` is made of low and high.
_SHOWN: dict[str, tuple[str, Format]] = {
    "r_frozen": ("Frozen r", number),
    "r_tuned": ("Tuned r", number),
    "shared_frozen": ("Shared map r", number),
    "normalised_frozen": ("Share of the ceiling", lambda value: number(value, 2)),
    "r_readout": ("Readout r", number),
    "r_time_only": ("Time only r", number),
    "score_frozen": ("Untuned", number),
    "score_tuned": ("Tuned", number),
    "auc_frozen": ("Frozen AUC", number),
    "auc_tuned": ("Tuned AUC", number),
    "difference": ("Difference", signed),
    "gain": ("Gain", signed),
    "relative_gain": ("Relative gain", percent),
    "interval": ("95 % interval", str),
    "q": ("q", format_p),
    "mean": ("Mean r", number),
    "deviation": ("Deviation", number),
    "deviation_over_seeds": ("Deviation over seeds", number),
    "lowest": ("Lowest", number),
    "highest": ("Highest", number),
    "full_minutes": ("All minutes", lambda value: number(value, 1)),
    "minutes_needed": ("Minutes needed", lambda value: number(value, 1)),
    "layer": ("Hidden state", _whole),
    "n_runs": ("Runs", _whole),
    "n_labels": ("Labels", _whole),
    "n_voxels": ("Voxels", _whole),
    "voxels_frozen": ("Voxels frozen", _whole),
    "voxels_tuned": ("Voxels tuned", _whole),
    "voxels_better": ("Better", _whole),
    "voxels_worse": ("Worse", _whole),
}
_FORMATS = dict(_SHOWN.values())


def headed(rows: pd.DataFrame, first: Mapping[str, Any], *columns: str) -> pd.DataFrame:
    """Columns of results under their headings, others as they are; before them titles of groups and headers of rows."""
    if "interval" in columns:
        rows = rows.assign(interval=intervals(rows["low"], rows["high"]))
    headings = {name: _SHOWN[name][0] for name in columns if name in _SHOWN}
    frame = rows[list(columns)].rename(columns=headings)
    for place, (heading, values) in enumerate(first.items()):
        frame.insert(place, heading, values)
    return frame


def texts(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of `headed` as text."""
    return pd.DataFrame({name: frame[name].map(_FORMATS.get(str(name), str)) for name in frame})


def intervals(low: pd.Series, high: pd.Series, shown: Format = signed) -> list[str]:
    """Ends of intervals as text; a dash where one has no width."""
    return [f"{shown(a)} to {shown(b)}" if a < b else "–" for a, b in zip(low, high, strict=True)]


def file_link(name: str, table: pd.DataFrame) -> dict[str, str]:
    """A table, as its file holds it, as the address of a download."""
    return download(name, csv_text(table).encode(), "text/csv")
