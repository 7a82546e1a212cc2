"""Charts of a page: tidy tables drawn by plotly. The page's script adds the colours of text and axes.

Names are written as text: plotly reads some markup in them, so that their signs are escaped.
"""

import html
import math
import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from markupsafe import Markup

from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.figures.forest import SEED, SIGNS, UNTUNED, Forest
from brainwavlm.reporting.figures.lines import FROM_ZERO, Lines, in_words
from brainwavlm.reporting.figures.stimulus import colours_of_spaces
from brainwavlm.reporting.figures.style import COLOURS, GROUPS, OTHER, counted, shortened

Chart = dict[str, Any]  # title, alt, note, spec, height
_LEGEND_LETTERS = 34
_MOST_TICKS = 12
# Measured from the edge of the chart: many entries would else lie on the plot, in a narrow window.
_LEGEND = {"orientation": "h", "yref": "container", "y": 1, "yanchor": "top", "x": 0, "title": {"text": ""}}
_AXIS = {"title": {"standoff": 8}}
_TEMPLATE = go.layout.Template(
    layout={"colorway": GROUPS, "legend": _LEGEND, "hovermode": "closest", "xaxis": _AXIS, "yaxis": _AXIS}
)
_SYMBOLS = {"o": "circle", "x": "x", "^": "triangle-up", "s": "square", "v": "triangle-down", "D": "diamond"}
_MODELS = {"frozen": "dot", "tuned": "solid"}
# Lines that differ in more than colour.
_DASHES = [dash for dash in ("solid", "dash", "dot", "dashdot") for _ in GROUPS]
_LONGEST, _LETTERS = 120, 32  # of a name at an axis, and of its lines
_LINE, _BETWEEN = 13, 9  # pixels of a line of text, and between two names
DOTS_NOTE = "Grey line: untuned. Circles: seeds. Diamond: their mean, 95 % interval of the gain over stories."
LEARNED_NOTE = (
    "A star marks the epoch that was kept. The norm of the gradient is the mean over the steps of an epoch, before "
    "clipping; it is shown where it is known."
)
_ENDS_X, _ENDS_Y = ({f"error_{axis}": "above", f"error_{axis}_minus": "below"} for axis in "xy")


def chart(title: str, alternative: str, figure: go.Figure, note: str = "", **layout: Any) -> Chart:
    """A chart for the templates; `alternative` says in words what it shows."""
    figure.update_layout({"margin": {"l": 56, "r": 14, "t": 12, "b": 44}, "legend_title_text": "", **layout})
    about = {"title": title, "alt": alternative, "note": note, "height": figure.layout.height}
    return about | {"spec": Markup(figure.to_json())}


def lines_chart(lines: Lines, title: str, note: str = "", legend: bool = True) -> Chart | None:
    """Panels of lines, the untuned model dotted, intervals as bars; None without a point."""
    table = lines.table
    if table.empty:
        return None
    panels = list(dict.fromkeys(table["panel"]))
    labels = list(dict.fromkeys(table["label"]))
    names = counted([_name(one, _LEGEND_LETTERS) for one in labels])
    rows = _with_ends(table.assign(label=table["label"].map(dict(zip(labels, names, strict=True)))))
    both = table["model"].nunique() > 1
    dashes: dict[str, Any] = {"line_dash": "label", "line_dash_sequence": _DASHES}
    more = {"line_dash": "model", "line_dash_map": _MODELS} if both else dashes
    more |= _ENDS_Y if table["low"].notna().any() else {}
    more |= {"facet_row": "panel", "custom_data": ["kept"], "template": _TEMPLATE, "markers": True}
    if lines.looks:
        more["symbol_map"] = {label: _SYMBOLS[look.marker] for label, look in lines.looks.items()}
        more["color_discrete_map"] = {
            label: COLOURS.get(look.colour) or GROUPS[int(look.colour.removeprefix("C"))]
            for label, look in lines.looks.items()
        }
        more["symbol"] = "label"
    figure = px.line(rows, x="x", y="value", color="label", **more)
    figure.update_traces(hovertemplate="%{x}: %{y:.4f}")
    for trace in figure.data:
        label, _, model = trace.name.partition(", ")
        if label in lines.looks:
            wide = 3 * lines.looks[label].wide
            trace.update(line_width=wide, marker_size=4 + wide, name=label, showlegend=model != "frozen")
        kept = [bool(row[0]) for row in trace.customdata]
        if any(kept):
            size = trace.marker.size or 4
            trace.marker.symbol = ["star" if one else trace.marker.symbol for one in kept]
            trace.marker.size = [size + 6 if one else size for one in kept]
    figure.layout.annotations = ()
    for row, panel in enumerate(reversed(panels), start=1):
        figure.update_yaxes(title_text=panel, matches=None, row=row)
    if pd.api.types.is_integer_dtype(table["x"]):
        figure.update_xaxes(tick0=0, dtick=max(1, math.ceil(np.ptp(table["x"]) / _MOST_TICKS)))
    else:
        figure.update_xaxes(rangemode="tozero")
    figure.update_xaxes(title_text=lines.x, row=1)
    if FROM_ZERO in set(table["column"]):
        figure.update_yaxes(rangemode="tozero")
    height = 340 + 60 * len(panels) if len(panels) > 1 else None
    words = f"{title}: {', '.join(panels)}, by {lines.x}. {in_words(table)}."
    return chart(title, words, figure, note, height=height, showlegend=legend)


def voxels_chart(number_of_run: int, label: str, frozen: np.ndarray, tuned: np.ndarray) -> Chart:
    """Tuned against frozen, a dot a voxel; the page's script fills in the voxels of the run of this number."""
    both = np.isfinite(frozen) & np.isfinite(tuned)
    ends = np.concatenate([frozen[both], tuned[both]]) if both.any() else np.array([0.0, 1.0])
    span = [float(ends.min()) - 0.02, float(ends.max()) + 0.02]
    figure = px.line(x=span, y=span, color_discrete_sequence=[OTHER], template=_TEMPLATE)
    figure.update_traces(line_width=1, hoverinfo="skip", hovertemplate=None)
    figure.update_xaxes(title_text="frozen model, test r", range=span, constrain="domain")
    figure.update_yaxes(title_text="tuned model, test r", range=span, constrain="domain", scaleanchor="x")
    up = int((tuned[both] > frozen[both]).sum())
    alternative = (
        f"Scatter plot, {label}: tuned against frozen test correlation of {int(both.sum())} voxels, {up} of them above "
        "the diagonal."
    )
    return chart(label, alternative, figure, meta={"voxels": number_of_run})


def _with_ends(table: pd.DataFrame, value: str = "value") -> pd.DataFrame:
    """The table with how far an interval reaches above and below a value."""
    above, below = table["high"] - table[value], table[value] - table["low"]
    return table.assign(above=above.clip(lower=0), below=below.clip(lower=0))


def bars_chart(table: pd.DataFrame, note: str) -> Chart:
    """Frozen and tuned r, two bars a region."""
    names = _lines_of(table["name"])
    scores = {"r_frozen": "frozen", "r_tuned": "tuned"}
    long = table.assign(label=table["name"].map(names)).rename(columns=scores)
    long = long.melt("label", list(scores.values()), "model", "value").dropna(subset="value")
    words = "; ".join(
        f"{name} {number(frozen)}" + (f" to {number(tuned)}" if np.isfinite(tuned) else "")
        for name, frozen, tuned in table[["name", "r_frozen", "r_tuned"]].itertuples(index=False)
    )
    what = "frozen to tuned" if table["r_tuned"].notna().any() else "of the untuned model"
    alternative = f"Test correlation {what}, {table['label'].iloc[0]}: {words}."
    layout = _categories(names.values(), "test r") | {"barmode": "group"}
    figure = px.bar(long, x="value", y="label", color="model", color_discrete_map=COLOURS, template=_TEMPLATE)
    figure.update_traces(hovertemplate="%{y}: %{x:.4f}")
    return chart("Region by region", alternative, figure, note, **layout)


def shares_chart(table: pd.DataFrame, title: str, note: str) -> Chart:
    """Parts of R2 by target, stacked: untuned, tuned and the gain, each with its interval.

    `table` is a `partition_table` of rows that sum to a whole.
    """
    models = {"frozen": "untuned", "tuned": "tuned", "gain": "gain"}
    labels = {
        (target, model): f"{target}, {name}"
        for target in dict.fromkeys(table["target"])
        for model, name in models.items()
    }
    names = _lines_of(labels.values())
    rows = table.assign(
        label=[names[labels[key]] for key in zip(table["target"], table["model"], strict=True)],
        space=[_name(one, _LETTERS) for one in table["space"]],
    )
    colours = colours_of_spaces(rows["space"], GROUPS, OTHER)
    about: dict[str, Any] = {**_ENDS_X, "color_discrete_map": colours, "template": _TEMPLATE}
    figure = px.bar(_with_ends(rows, "r2"), x="r2", y="label", color="space", **about)
    figure.update_traces(hovertemplate="%{y}: %{x:.4f}", error_x_thickness=1, error_x_width=2)
    words = "; ".join(
        f"{target}: "
        + ", ".join(f"{space} {signed(r2)}" for space, r2 in zip(some["space"], some["r2"], strict=True))
        for target, some in table[table["model"] == "gain"].groupby("target", sort=False)
    )
    layout = _categories(names.values(), "R2 on test stories") | {"barmode": "relative"}
    layout["yaxis"] |= {"categoryorder": "array", "categoryarray": list(names.values())}
    return chart(
        title,
        f"Stacked bars of R2, {title}. Gains: {words}.",
        figure,
        f"{note} Bars: 95 % intervals.",
        **layout,
    )


def forest_chart(forest: Forest, title: str, note: str) -> Chart | None:
    """Dots with their intervals at a line a label; None without one."""
    marks = forest.marks
    if marks.empty:
        return None
    names = _lines_of(marks["label"])
    rows = marks.assign(
        label=marks["label"].map(names), text=[_in_lines(str(one), 64) for one in marks["text"]]
    )
    about: dict[str, Any] = {"color": "sign", "symbol": "sign", "hover_name": "text", **_ENDS_X}
    about["color_discrete_map"] = {sign: COLOURS[look.colour] for sign, look in SIGNS.items()}
    about["symbol_map"] = {sign: look.symbol for sign, look in SIGNS.items()}
    figure = px.scatter(_with_ends(rows), x="value", y="label", template=_TEMPLATE, **about)
    for sign, look in SIGNS.items():
        marker = {"size": look.pixels, "line": {"width": 3 if sign == UNTUNED else 1}}
        figure.update_traces(marker=marker, error_x_width=look.pixels / 2, selector={"name": sign})
    figure.update_traces(hovertemplate="%{hovertext}: %{x:.4f}<extra></extra>", orientation="h")
    # The note says what the signs are, in any width.
    layout = _categories(names.values(), forest.what) | {"showlegend": False}
    if forest.is_change:
        layout |= {"scattermode": "group", "scattergap": 0.5}
        layout["xaxis"] |= {"zeroline": True, "zerolinewidth": 2}
    shown = signed if forest.is_change else number
    words = "; ".join(
        f"{label}: "
        + ", ".join(
            f"{sign.partition(':')[0]} {shown(value)}"
            for sign, value in zip(some["sign"], some["value"], strict=True)
        )
        for label, some in marks[marks["sign"] != SEED].groupby("label", sort=False)
    )
    return chart(title, f"Dot plot, {forest.what}. {words}.", figure, note, **layout)


def _categories(labels: Iterable[str], what: str) -> dict[str, Any]:
    """Layout of a chart with a line a name, as high as the names ask for."""
    lines = [label.count("<br>") + 1 for label in labels]
    axis = {"autorange": "reversed", "automargin": True, "type": "category", "title": {"text": ""}}
    return {
        "xaxis": {"title": {"text": what}},
        "yaxis": {**axis, "tickfont": {"size": 11}},
        "height": 110 + sum(_BETWEEN + _LINE * n for n in lines),
    }


def _lines_of(labels: Iterable[str]) -> dict[str, str]:
    """Names in short lines, each once, for an axis on which two of one name would be one."""
    unique = list(dict.fromkeys(labels))
    lines = counted([_in_lines(shortened(str(one), _LONGEST), _LETTERS) for one in unique])
    return dict(zip(unique, lines, strict=True))


def _name(text: Any, letters: int) -> str:
    """A name cut to so many letters, its signs shown as they are."""
    return html.escape(shortened(str(text), letters), quote=False)


def _in_lines(text: str, width: int) -> str:
    """Text in lines, its signs shown as they are."""
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(text, width) or [""])
