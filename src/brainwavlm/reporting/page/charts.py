"""Charts of a page: tidy tables drawn by plotly. The page's script adds the colours of text and axes.

Names are written as text: plotly reads some markup in them, so that their signs are escaped.
"""

import html
import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from markupsafe import Markup

from brainwavlm.formatting.numbers import number
from brainwavlm.reporting.figures.lines import FROM_ZERO, STATE, Lines, lines_of
from brainwavlm.reporting.figures.stimulus import CONTROLS, PLAIN
from brainwavlm.reporting.figures.stimulus import lines_of as lines_of_probes
from brainwavlm.reporting.figures.style import GROUPS, OTHER, counted, shortened
from brainwavlm.study.claims.sentences import score_name

Chart = dict[str, Any]  # title, alt, note, spec, height
_LEGEND_LETTERS = 34
_MOST_TICKS = 12
# Measured from the edge of the chart: many entries would else lie on the plot, in a narrow window.
_LEGEND = {"orientation": "h", "yref": "container", "y": 1, "yanchor": "top", "x": 0, "title": {"text": ""}}
_AXIS = {"title": {"standoff": 8}}
TEMPLATE = go.layout.Template(
    layout={"colorway": GROUPS, "legend": _LEGEND, "hovermode": "closest", "xaxis": _AXIS, "yaxis": _AXIS}
)
_SYMBOLS = {"x": "x", "^": "triangle-up", "s": "square", "v": "triangle-down", "D": "diamond"}
_MODELS = {"frozen": "dot", "tuned": "solid"}
# Lines that differ in more than colour.
_DASHES = [dash for dash in ("solid", "dash", "dot", "dashdot") for _ in GROUPS]


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
    names = counted([html.escape(shortened(str(one), _LEGEND_LETTERS), quote=False) for one in labels])
    rows = with_ends(table.assign(label=table["label"].map(dict(zip(labels, names, strict=True)))))
    both = table["model"].nunique() > 1
    dashes: dict[str, Any] = {"line_dash": "label", "line_dash_sequence": _DASHES}
    more = {"line_dash": "model", "line_dash_map": _MODELS} if both else dashes
    more |= _ENDS_Y if table["low"].notna().any() else {}
    more |= {"facet_row": "panel", "custom_data": ["kept"], "template": TEMPLATE, "markers": True}
    figure = px.line(rows, x="x", y="value", color="label", **more)
    figure.update_traces(hovertemplate="%{x}: %{y:.4f}")
    for trace in figure.data if table["kept"].any() else ():
        kept = [bool(row[0]) for row in trace.customdata]
        trace.marker.symbol = ["star" if one else "circle" for one in kept]
        trace.marker.size = [10 if one else 4 for one in kept]
    figure.layout.annotations = ()
    for row, panel in enumerate(reversed(panels), start=1):
        figure.update_yaxes(title_text=panel, matches=None, row=row)
    counts = pd.api.types.is_integer_dtype(table["x"])
    figure.update_xaxes(_whole_numbers(table["x"]) if counts else {"rangemode": "tozero"})
    figure.update_xaxes(title_text=lines.x, row=1)
    if FROM_ZERO in set(table["column"]):
        figure.update_yaxes(rangemode="tozero")
    height = 340 + 60 * len(panels) if len(panels) > 1 else None
    words = f"{title}: {', '.join(panels)}, by {lines.x}. {_in_words(table)}."
    return chart(title, words, figure, note, height=height, showlegend=legend)


def _in_words(table: pd.DataFrame) -> str:
    """From where to where each line of a model that is tuned goes, and which of its points was kept."""
    words = []
    points = table[table["model"] == "tuned"].dropna(subset="value")
    for label, rows in points.groupby("label", sort=False):
        ways = []
        for panel, line in rows.groupby("panel", sort=False):
            values = line["value"].to_numpy(float)
            top = f"highest {number(values.max())} at {line['x'].iloc[values.argmax()]:g}"
            ways.append(f"{panel} {number(values[0])} to {number(values[-1])}, {top}")
        ways += [f"{x:g} kept" for x in dict.fromkeys(rows["x"][rows["kept"]])]
        words.append(f"{label}: {'; '.join(ways)}")
    return ". ".join(words)


def learning_chart(table: pd.DataFrame, note: str, legend: bool = True) -> Chart | None:
    """Of a `learning_table`."""
    if table["gradient_norm"].notna().any():
        note += " The norm of the gradient is the mean over the steps of an epoch, before clipping."
    return lines_chart(lines_of(table), "Learning curves", note, legend)


def probes_chart(table: pd.DataFrame, title: str, note: str) -> Chart:
    """Score of a feature by hidden state, untuned and tuned with intervals, beside its controls."""
    figure, words = go.Figure(layout={"template": TEMPLATE}), []
    for control, model, name, line in lines_of_probes(table):
        plain, untuned = control == PLAIN, model == "frozen"
        # Where both models are equal, the untuned one shows behind the tuned one.
        colour, wide, symbol = (OTHER, 5, "circle") if untuned else (GROUPS[1], 2, "circle")
        if not plain:
            _, place, sign = CONTROLS[control]
            colour, wide, symbol = GROUPS[place], 1, _SYMBOLS[sign]
        ends = {"array": line["high"] - line["value"], "arrayminus": line["value"] - line["low"]}
        figure.add_scatter(
            x=line["layer"],
            y=line["value"],
            name=name,
            showlegend=plain or not untuned,
            line={"color": colour, "width": wide, "dash": "dot" if untuned and not plain else "solid"},
            marker={"size": 4 + wide, "symbol": symbol},
            error_y={**ends, "thickness": 1, "visible": plain},
            hovertemplate=f"{name}{', untuned' * (untuned and not plain)}: %{{y:.4f}}<extra></extra>",
        )
        words += [f"{name} {number(value)}" for value in line.loc[line["is_own"], "value"] if plain]
    for own in table.loc[table["is_own"], "layer"].head(1):
        figure.add_vline(own, line={"dash": "dash", "width": 1, "color": OTHER})
    figure.update_xaxes(_whole_numbers(table["layer"]), title_text=STATE)
    figure.update_yaxes(title_text=score_name(table["score"].iloc[0]))
    own = ", ".join(words) or "not probed"
    alternative = f"{title} by hidden state, beside controls. At the run's own: {own}."
    return chart(title, alternative, figure, note)


def voxels_chart(number_of_run: int, label: str, frozen: np.ndarray, tuned: np.ndarray) -> Chart:
    """Tuned against frozen, a dot a voxel; the page's script fills in the voxels of the run of this number."""
    both = np.isfinite(frozen) & np.isfinite(tuned)
    ends = np.concatenate([frozen[both], tuned[both]]) if both.any() else np.array([0.0, 1.0])
    span = [float(ends.min()) - 0.02, float(ends.max()) + 0.02]
    figure = px.line(x=span, y=span, color_discrete_sequence=[OTHER], template=TEMPLATE)
    figure.update_traces(line_width=1, hoverinfo="skip", hovertemplate=None)
    figure.update_xaxes(title_text="frozen model, test r", range=span, constrain="domain")
    figure.update_yaxes(title_text="tuned model, test r", range=span, constrain="domain", scaleanchor="x")
    up = int((tuned[both] > frozen[both]).sum())
    alternative = (
        f"Scatter plot, {label}: tuned against frozen test correlation of {int(both.sum())} voxels, {up} of them above "
        "the diagonal."
    )
    return chart(label, alternative, figure, meta={"voxels": number_of_run})


def both_models(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """keys, model, value: a row a model in place of a column each."""
    scores = {"r_frozen": "frozen", "r_tuned": "tuned"}
    return table.rename(columns=scores).melt(keys, list(scores.values()), "model", "value")


_ENDS_Y = {"error_y": "above", "error_y_minus": "below"}


def with_ends(table: pd.DataFrame, value: str = "value") -> pd.DataFrame:
    """The table with how far an interval reaches above and below a value."""
    above, below = table["high"] - table[value], table[value] - table["low"]
    return table.assign(above=above.clip(lower=0), below=below.clip(lower=0))


def _whole_numbers(values: pd.Series) -> dict[str, Any]:
    """Ticks of an axis that counts."""
    return {"tick0": 0, "dtick": max(1, math.ceil((values.max() - values.min()) / _MOST_TICKS))}
