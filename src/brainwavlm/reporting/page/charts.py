"""Charts of a page: tidy tables drawn by plotly. The page's script adds the colours of text and axes.

Names are written as text: plotly reads some markup in them, so that their signs are escaped.
"""

import html
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from markupsafe import Markup

from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.figures.stimulus import CONTROLS, PLAIN, lines_of
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
_STATE = "hidden state (0: input of the first block)"
# Lines that differ in more than colour.
_DASHES = [dash for dash in ("solid", "dash", "dot", "dashdot") for _ in GROUPS]


def chart(title: str, alternative: str, figure: go.Figure, note: str = "", **layout: Any) -> Chart:
    """A chart for the templates; `alternative` says in words what it shows."""
    figure.update_layout({"margin": {"l": 56, "r": 14, "t": 12, "b": 44}, "legend_title_text": "", **layout})
    about = {"title": title, "alt": alternative, "note": note, "height": figure.layout.height}
    return about | {"spec": Markup(figure.to_json())}


def learning_chart(table: pd.DataFrame, note: str, legend: bool = True) -> Chart | None:
    """Training loss, norm of the gradient where it is known, and validation r by epoch; None without epochs."""
    if table.empty:
        return None
    panels = {"loss": "training loss", "gradient_norm": "gradient norm", "validation_r": "validation r"}
    if table["gradient_norm"].isna().all():
        del panels["gradient_norm"]
    else:
        note += " The norm of the gradient is the mean over the steps of an epoch, before clipping."
    titles = list(panels.values())
    long = table.rename(columns=panels).melt(["label", "epoch", "kept"], titles, "panel", "value")
    figure = _lines(long, "epoch", "value", facet_row="panel", custom_data=["kept"])
    for trace in figure.data:
        kept = [bool(row[0]) for row in trace.customdata]
        trace.marker.symbol = ["star" if one else "circle" for one in kept]
        trace.marker.size = [10 if one else 4 for one in kept]
    _panels(figure, titles)
    figure.update_xaxes(_whole_numbers(table["epoch"]))
    words = [_learning(str(label), run) for label, run in table.groupby("label", sort=False)]
    return chart(
        "Learning curves",
        f"{', '.join(titles).capitalize()} by epoch. {'; '.join(words)}.",
        figure,
        note,
        height=520 if len(panels) > 2 else None,
        showlegend=legend,  # of many lines a legend would leave no room for them
    )


def _learning(label: str, run: pd.DataFrame) -> str:
    """Which epoch was kept, and how the gradient's norm moved, in words."""
    words = [f"epoch {epoch} kept" for epoch in run["epoch"][run["kept"]]]
    norms = run["gradient_norm"].dropna()
    if len(norms):
        words.append(f"gradient norm from {norms.iloc[0]:.3g} to {norms.iloc[-1]:.3g}")
    return f"{label}: {', '.join(words) or 'no epoch kept'}"


def states_chart(table: pd.DataFrame, title: str, about: str, note: str) -> Chart | None:
    """Test r of both models by hidden state above, their difference with its interval below; None without rows."""
    if table.empty:
        return None
    panels = ("test r", "tuned − frozen")
    difference = table.assign(model="tuned", panel=panels[1], value=table["difference"])
    long = pd.concat([both_models(table, ["label", "layer"]).assign(panel=panels[0]), with_ends(difference)])
    figure = _lines(long, "layer", "value", facet_row="panel", line_dash="model", **_ENDS_Y)
    _panels(figure, panels)
    figure.update_xaxes(_whole_numbers(table["layer"]))
    figure.update_xaxes(title_text=_STATE, row=1)
    scored = table.dropna(subset="r_tuned")
    best = scored.loc[scored.groupby("label", sort=False)["r_tuned"].idxmax()]
    words = "; ".join(
        f"{label}: tuned highest at state {state:.0f}, r {number(r)}, difference {signed(gain)}"
        for label, state, r, gain in best[["label", "layer", "r_tuned", "difference"]].itertuples(index=False)
    )
    alternative = f"Test correlation by hidden state{about}. {words}."
    return chart(title, alternative, figure, note, height=460)


def probes_chart(table: pd.DataFrame, title: str, note: str) -> Chart:
    """Score of a feature by hidden state, untuned and tuned with intervals, beside its controls."""
    figure, words = go.Figure(layout={"template": TEMPLATE}), []
    for control, model, name, line in lines_of(table):
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
    figure.update_xaxes(_whole_numbers(table["layer"]), title_text=_STATE)
    figure.update_yaxes(title_text=score_name(table["score"].iloc[0]))
    own = ", ".join(words) or "not probed"
    alternative = f"{title} by hidden state, beside controls. At the run's own: {own}."
    return chart(title, alternative, figure, note)


def delays_chart(table: pd.DataFrame, note: str) -> Chart | None:
    """Share of each delay in the readout's weights, a line a run; None without profiles."""
    if table.empty:
        return None
    titles = {"seconds": "seconds after the sound", "median": "share of the weights' norm"}
    figure = _lines(with_ends(table, "median"), *titles, labels=titles, **_ENDS_Y)
    figure.update_yaxes(rangemode="tozero")
    largest = table.loc[table.groupby("label", sort=False)["median"].idxmax()]
    peaks = zip(largest["label"], largest["seconds"], strict=True)
    words = "; ".join(f"{label}: largest at {at:g} s" for label, at in peaks)
    alternative = f"Share of each delay in the readout's weights, median over voxels. {words}."
    return chart("Delays of the readout", alternative, figure, note)


def epochs_chart(table: pd.DataFrame, what: str) -> Chart:
    """Mean over seeds by epoch with its lowest and highest, a line a group."""
    ends = table.assign(low=table["lowest"], high=table["highest"])
    figure = _lines(with_ends(ends, "mean"), "epoch", "mean", labels={"mean": what.split(",")[0]}, **_ENDS_Y)
    figure.update_xaxes(_whole_numbers(table["epoch"]))
    groups = ", ".join(table["label"].unique())
    alternative = f"{what} by epoch, mean, lowest and highest over seeds, of {groups}."
    return chart(f"By epoch: {what}", alternative, figure)


def minutes_chart(table: pd.DataFrame, target: str) -> Chart | None:
    """Mean r by minutes of the subject's data, tuned against untuned; None without rows."""
    if table.empty:
        return None
    means = table[table["part"] == "mean"]
    titles = {"minutes": "minutes of responses", "value": "test r"}
    figure = _lines(both_models(means, ["label", "minutes"]), *titles, labels=titles, line_dash="model")
    figure.update_xaxes(rangemode="tozero")
    words = f"Test correlation in {target} by minutes of the subject's own data, tuned and untuned model."
    return chart(f"Amount of the subject's data, {target}", words, figure, "Dotted: untuned.")


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


def _lines(table: pd.DataFrame, x: str, y: str, **more: Any) -> go.Figure:
    """A line a label."""
    labels = list(dict.fromkeys(table["label"]))
    names = counted([html.escape(shortened(str(one), _LEGEND_LETTERS), quote=False) for one in labels])
    rows = table.assign(label=table["label"].map(dict(zip(labels, names, strict=True))))
    if more.setdefault("line_dash", "label") == "model":
        more["line_dash_map"] = _MODELS
    more |= {"line_dash_sequence": _DASHES, "template": TEMPLATE}
    figure = px.line(rows.reset_index(drop=True), x=x, y=y, color="label", markers=True, **more)
    return figure.update_traces(hovertemplate="%{x}: %{y:.4f}")


def _panels(figure: go.Figure, titles: Iterable[str]) -> None:
    """One above the other, each with its own axis."""
    figure.layout.annotations = ()
    for row, title in enumerate(reversed(list(titles)), start=1):
        figure.update_yaxes(title_text=title, matches=None, row=row)


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
