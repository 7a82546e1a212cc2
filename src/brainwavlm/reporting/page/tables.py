"""Tables of a page: pandas draws them, with a scope for every header and a body of its own for each group of rows."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup, escape
from pandas.io.formats.style import Styler

from brainwavlm.formatting.numbers import format_p, number, percent, shared_change, signed
from brainwavlm.reporting.page.render import download
from brainwavlm.reporting.page.wording import verdict
from brainwavlm.results.tables import csv_text

Table = dict[str, Any]  # label, html, file
Format = Callable[[Any], str]
Row = Mapping[str, Any]
_WIDTH, _MARGIN = 190, 8  # of the drawing of an interval
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
    file: tuple[str, pd.DataFrame] | None = None,
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
    file : tuple of str and DataFrame, or None
        Name of the file and all of its rows, to be downloaded.
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
    badge = Markup('<span class="badge">SIMULATED</span> ') if simulated else ""
    styler.set_caption(str(badge + escape(caption)))
    attributes = 'class="sortable"' + (f' id="{element}"' if element else "")
    text = styler.to_html(table_attributes=attributes, exclude_styles=heat is None)
    return {"label": label, "html": Markup(text), "file": file_link(*file) if file else None}


def _escaped(shown: Format) -> Format:
    return lambda value: str(escape(shown(value)))


def _whole(value: float) -> str:
    """A count: 1,500."""
    return f"{int(value):,}"


# Columns of results as a page shows them: heading, and format. `interval` is made of low and high.
_SHOWN: dict[str, tuple[str, Format]] = {
    "r_frozen": ("Frozen r", number),
    "r_tuned": ("Tuned r", number),
    "r_readout": ("Readout r", number),
    "r_time_only": ("Time only r", number),
    "auc_frozen": ("Frozen AUC", number),
    "auc_tuned": ("Tuned AUC", number),
    "difference": ("Difference", signed),
    "gain": ("Gain", signed),
    "relative_gain": ("Relative gain", percent),
    "interval": ("95 % interval", str),
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
    """Columns of results under their headings; before them titles of groups and headers of rows."""
    if "interval" in columns:
        rows = rows.assign(interval=intervals(rows["low"], rows["high"]))
    headings = {name: _SHOWN[name][0] for name in columns}
    frame = rows[list(columns)].rename(columns=headings)
    for place, (heading, values) in enumerate(first.items()):
        frame.insert(place, heading, values)
    return frame


def intervals(low: pd.Series, high: pd.Series, shown: Format = signed) -> list[str]:
    """Ends of intervals as text; a dash where one has no width."""
    return [f"{shown(a)} to {shown(b)}" if a < b else "–" for a, b in zip(low, high, strict=True)]


def file_link(name: str, table: pd.DataFrame) -> dict[str, str]:
    """A table, as its file holds it, as the address of a download."""
    return download(name, csv_text(table).encode(), "text/csv")


def scores_table(rows: pd.DataFrame, runs: Sequence[Row], titles: Mapping[str, str]) -> Table:
    """Scores of an evaluation by target, and their differences, drawn too.

    `rows` are those of table.csv, `runs` of summary.json, and `titles` by run.
    """
    span = min(0.0, rows["low"].min()), max(0.0, rows["high"].max())
    axis = f"{signed(span[0])} … 0 … {signed(span[1])}"
    own = rows["target"] == rows["run"].map({run["name"]: run["target"] for run in runs})
    told = (rows["r_frozen"] > 0) & ~(rows.get("p_frozen", pd.Series(0.0, rows.index)) >= 0.05)
    gain = rows["difference"] / rows["r_frozen"].where(told)
    first = {
        "run": rows["run"].map(titles),
        "Target": rows["target"] + own.map({True: " (tuned on)", False: ""}),
    }
    scores = ("r_frozen", "r_tuned", "difference", "interval", "relative_gain", "r_readout", "n_voxels")
    frame = headed(rows.assign(relative_gain=gain), first, *scores)
    frame.insert(6, axis, [_drawing(row, span) for row in rows.to_dict("records")])
    if rows["normalised_tuned"].notna().any():
        ends = zip(rows["normalised_frozen"], rows["normalised_tuned"], strict=True)
        frame.insert(8, "Share of ceiling", [f"{number(a, 2)} to {number(b, 2)}" for a, b in ends])
    if "shared_difference" in rows and rows["shared_difference"].notna().any():
        changes = [shared_change(row).replace("-", "−") for row in rows.to_dict("records")]
        frame.insert(7, "Shared map", changes)
    if rows["r_readout"].isna().all():
        frame = frame.drop(columns="Readout r")
    return table(
        "Scores by target",
        "Mean test correlation over the voxels of each target. Intervals are of the paired difference tuned minus "
        "frozen; where one contains 0, no change is shown (hollow dot). Shared map: the difference, with half of its "
        "interval, where a linear map whose directions all voxels share reads both models out.",
        frame,
        classes={"Target": own.map({True: "own", False: ""}), axis: "range"},
        simulated=any(run["simulated"] for run in runs),
    )


def chance_table(rows: pd.DataFrame, runs: Sequence[Row], titles: Mapping[str, str]) -> Table | None:
    """Tests against chance, by target; None for an evaluation of before them."""
    if "p_frozen" not in rows:
        return None
    nulls = {run["name"]: run["frozen"].get("null", {}) for run in runs}
    least, least_difference = (
        rows["run"].map({run: null.get(key, 0.0) for run, null in nulls.items()})
        for key in ("least_p", "least_p_difference")
    )
    columns: dict[str, Any] = {"run": rows["run"].map(titles), "Target": rows["target"]}
    for heading, key, floor in (
        ("frozen", "frozen", least),
        ("tuned", "tuned", least),
        ("change", "difference", least_difference),
    ):
        columns[f"p {heading}"] = list(map(format_p, rows[f"p_{key}"], floor))
    for key in ("frozen", "tuned") if "low_frozen" in rows else ():
        columns[f"{key.capitalize()} 95 %"] = intervals(rows[f"low_{key}"], rows[f"high_{key}"], number)
    frame = headed(rows, columns, *(f"voxels_{key}" for key in ("frozen", "tuned", "better", "worse")))
    if "r_time_only" in rows and rows["r_time_only"].notna().any():
        frame[_SHOWN["r_time_only"][0]] = rows["r_time_only"]
        frame["p"] = list(map(format_p, rows["p_time_only"], least))
    return table(
        "Tests against chance",
        "p of each mean and of their difference, ≤ where no smaller p is possible; 95 % intervals of the means; voxels "
        "with q < .05 (false discovery rate): predicted by each model, better and worse after tuning. Time only: a "
        "model that knows only time; where it scores, so would a split that leaks.",
        frame,
        simulated=any(run["simulated"] for run in runs),
    )


def tasks_table(rows: pd.DataFrame, titles: Mapping[str, str], simulated: bool) -> Table | None:
    """What is said in clips, by task and hidden state; None where no task was asked for."""
    if rows.empty:
        return None
    first = {"run": rows["run"].map(titles), "Task": rows["task"]}
    columns = ("layer", "n_labels", "auc_frozen", "auc_tuned", "difference", "interval")
    return table(
        "What is said",
        "Which phones or words are in a second of sound from the test stories, by a linear classifier on a hidden "
        "state: mean area under the receiver operating characteristic (AUC) over labels, .5 by chance. Where the "
        "whole interval of the change lies below 0, the tuned model has lost something; where it contains 0, no change "
        "is shown.",
        headed(rows, first, *columns),
        simulated=simulated,
    )


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
