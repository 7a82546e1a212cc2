"""Tables of a page: pandas draws them, with a scope for every header and a body of its own for each group of rows.

Headings, columns and captions are in templates/tables.yaml; here too are the tables of an evaluation.
"""

import zlib
from collections.abc import Callable, Mapping
from functools import partial
from importlib import resources
from typing import Any

import pandas as pd
import yaml
from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup, escape
from pandas.io.formats.style import Styler

from brainwavlm.formatting.numbers import format_p, number, percent, shared_change, signed, voxel_count
from brainwavlm.reporting.page.render import download
from brainwavlm.reporting.page.wording import verdict
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.result import Result
from brainwavlm.results.tables import csv_text

Table = dict[str, Any]  # label, html, file
Format = Callable[[Any], str]
_PALER = 1.6  # the scale of colours ends before they are too dark for black text
_WIDTH, _MARGIN = 190, 8  # of the drawing of an interval
_WORDS = yaml.safe_load(
    (resources.files("brainwavlm.reporting") / "templates/tables.yaml").read_text("utf-8")
)


class _Table(Styler):
    env = Environment(
        loader=ChoiceLoader([PackageLoader("brainwavlm.reporting"), Styler.loader]), trim_blocks=True
    )
    template_html_table = env.get_template("table.html.j2")


def _whole(value: float | str) -> str:
    """A count: 1,500; words in its place stay."""
    return value if isinstance(value, str) else f"{int(value):,}"


_SHOWN: dict[str, Format] = {"number": number, "signed": signed, "percent": percent, "p": format_p}
_SHOWN |= {
    "whole": _whole,
    "text": lambda value: value,
    "one": partial(number, digits=1),
    "two": partial(number, digits=2),
}
_HEADINGS = {name: words for some in _WORDS["headings"].values() for name, words in some.items()}
_FORMATS = {words: _SHOWN[kind] for kind, some in _WORDS["headings"].items() for words in some.values()}
# Columns made of two: the ends of an interval.
_INTERVALS: dict[str, tuple[str, str, Format]] = {
    "interval": ("low", "high", signed),
    "seed_interval": ("seed_low", "seed_high", signed),
    "interval_frozen": ("low_frozen", "high_frozen", number),
    "interval_tuned": ("low_tuned", "high_tuned", number),
    "shared_interval_frozen": ("shared_low_frozen", "shared_high_frozen", number),
}


def table(
    label: str,
    rows: pd.DataFrame,
    first: Mapping[str, Any] | None = None,
    *,
    classes: Mapping[str, Any] | None = None,
    heat: pd.DataFrame | None = None,
    of: tuple[Result, str] | None = None,
    element: str = "",
    simulated: bool = False,
    **words: str,
) -> Table | None:
    """A table for the templates; None without rows. Only `Markup` is not escaped, whatever signs a text holds.

    Parameters
    ----------
    label : str
        Its place in tables.yaml, which has its caption and columns; tells it from the other tables of the page.
    rows : DataFrame
        Rows of a result. With no columns in tables.yaml, the table itself by its headings: the first column holds
        titles of groups of rows (empty: none), the second headers of rows.
    first : mapping of str to column, or None
        Those first two columns of a result.
    classes : mapping of column to str, or to one str a row, or None
        Classes of cells: `name` and `words` are for text, `range` for drawings.
    heat : DataFrame or None
        Numbers behind columns of the table: red above 0, blue below.
    of : tuple of Result and str, or None
        The result and its table that is shown: all of its rows can be downloaded, and it knows what is simulated.
    element : str
        Name of the table within the page, for what filters it.
    **words : str
        What label, headings and caption leave open.
    """
    if rows.empty:
        return None
    about = _WORDS["tables"][label]
    label = about.get("label", label).format(**words)
    frame = headed(rows, first or {}, *about["columns"]) if "columns" in about else rows
    frame = frame.rename(columns=lambda name: str(name).format(**words) if name in _FORMATS else name)
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
    badge = '<span class="badge">SIMULATED</span> ' if simulated else ""
    styler.set_caption(badge + str(Markup(about["caption"]).format(**words)))
    attributes = 'class="sortable"' + (f' id="{element}"' if element else "")
    text = styler.to_html(table_attributes=attributes, exclude_styles=heat is None)
    file = file_link(of[0].FILES[of[1]], getattr(*of)) if of else None
    return {"label": label, "html": Markup(text), "file": file}


def _escaped(shown: Format) -> Format:
    return lambda value: str(escape(shown(value)))


def headed(rows: pd.DataFrame, first: Mapping[str, Any], *columns: str) -> pd.DataFrame:
    """Columns of results under their headings; before them titles of groups and headers of rows.

    A column with a question mark is left out where it is empty.
    """
    for name, (low, high, shown) in _INTERVALS.items():
        if low in rows:
            rows = rows.assign(**{name: intervals(rows[low], rows[high], shown)})
    there = [
        name for name in columns if name[-1] != "?" or (name[:-1] in rows and rows[name[:-1]].notna().any())
    ]
    names = {name.removesuffix("?"): _HEADINGS[name.removesuffix("?")] for name in there}
    frame = rows[list(names)].rename(columns=names)
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


def scores_table(results: Evaluation, titles: Mapping[str, str]) -> Table | None:
    """Scores by target, and their differences, drawn too; `titles` are by run."""
    rows, simulated = results.table, results.simulated
    first = {"run": rows["run"].map(titles), "Target": rows["target"]}
    models = [model for model in ("frozen", "tuned") if f"clean_r_{model}" in rows]
    if models:
        # What only simulated responses have: r of the predictions with the signal, without its noise.
        own, shared = (
            rows[[f"{name}_{model}" for model in models]].map(number).agg(" to ".join, axis=1)
            for name in ("clean_r", "clean_shared_r")
        )
        rows = rows.assign(clean=own + " (" + shared + ")")
    if "r_tuned" not in rows:
        return table("Scores by target, untuned", rows, first, simulated=simulated)
    span = min(0.0, rows["low"].min()), max(0.0, rows["high"].max())
    axis = f"{signed(span[0])} … 0 … {signed(span[1])}"
    own_target = rows["target"] == rows["run"].map({run["name"]: run["target"] for run in results.runs})
    told = (rows["r_frozen"] > 0) & ~(rows.get("p_frozen", pd.Series(0.0, rows.index)) >= 0.05)
    first["Target"] = rows["target"] + own_target.map({True: " (tuned on)", False: ""})
    each = rows.to_dict("records")
    rows = rows.assign(
        relative_gain=rows["difference"] / rows["r_frozen"].where(told),
        drawing=[_drawing(row, span) for row in each],
    )
    if rows["normalised_tuned"].notna().any():
        ends = zip(rows["normalised_frozen"], rows["normalised_tuned"], strict=True)
        rows["ceiling"] = [f"{number(a, 2)} to {number(b, 2)}" for a, b in ends]
    if "shared_difference" in rows and rows["shared_difference"].notna().any():
        rows["shared_change"] = [shared_change(row).replace("-", "−") for row in each]
    classes = {"Target": own_target.map({True: "own", False: ""}).to_list(), axis: "range"}
    return table("Scores by target", rows, first, classes=classes, simulated=simulated, axis=axis)


def chance_table(results: Evaluation, titles: Mapping[str, str]) -> Table | None:
    """Tests against chance, by target; None for an evaluation of before them."""
    rows = results.table
    if "p_frozen" not in rows:
        return None
    nulls = {run["name"]: run["frozen"].get("null", {}) for run in results.runs}
    for name in [name for name in ("p_frozen", "p_tuned", "p_difference", "p_time_only") if name in rows]:
        least = "least_p_difference" if name == "p_difference" else "least_p"
        floor = rows["run"].map({run: null.get(least, 0.0) for run, null in nulls.items()})
        rows = rows.assign(**{name: list(map(format_p, rows[name], floor))})
    if "r_time_only" not in rows or rows["r_time_only"].isna().all():
        rows = rows.drop(columns="p_time_only", errors="ignore")
    counts = [n for key in ("frozen", "tuned", "better", "worse") if (n := f"voxels_{key}") in rows]
    rows = rows.assign(**{name: rows[name].map(voxel_count) for name in counts})
    first = {"run": rows["run"].map(titles), "Target": rows["target"]}
    return table("Tests against chance", rows, first, simulated=results.simulated)


def _drawing(row: Mapping[Any, Any], span: tuple[float, float]) -> Markup:
    """An interval beside 0, drawn; bare where there is none."""

    def place(value: float) -> float:
        low, high = span if span[1] > span[0] else (-0.01, 0.01)
        return round(_MARGIN + (_WIDTH - 2 * _MARGIN) * (value - low) / (high - low), 1)

    kind, signs = "", f'<line class="zero" x1="{place(0)}" x2="{place(0)}" y1="0" y2="26"/>'
    if row["high"] > row["low"]:
        kind = f' class="{verdict(row["low"], row["high"])}"'
        signs += (
            f'<line x1="{place(row["low"])}" x2="{place(row["high"])}" y1="13" y2="13" stroke-width="2"/>'
            f'<circle cx="{place(row["difference"])}" cy="13" r="4" stroke-width="2"/>'
        )
    return Markup(f'<svg viewBox="0 0 {_WIDTH} 26" focusable="false"{kind}>{signs}</svg>')
