"""Charts with a line a name: findings with their seeds and intervals, differences, bars of regions."""

import html
import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import plotly.express as px

from brainwavlm.evaluation.variance_shares import MODEL, STIMULUS
from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.figures.forest import SEED, SIGNS, UNTUNED, Forest
from brainwavlm.reporting.figures.stimulus import partition_table
from brainwavlm.reporting.figures.style import COLOURS, GROUPS, OTHER, counted, shortened
from brainwavlm.reporting.page.charts import TEMPLATE, Chart, both_models, chart, with_ends

_LONGEST, _LETTERS = 120, 32  # of a name at an axis, and of its lines
_ENDS_X = {"error_x": "above", "error_x_minus": "below"}
_LINE, _BETWEEN = 13, 9  # pixels of a line of text, and between two names
_PARTS = {("shared", STIMULUS): "shared with features", ("unique", MODEL): "model alone"}
_OWN = "R2 of the model by itself: what it shares with the features, and what it alone says."
_JOINT = "R2 of the features and the model together, by what each adds (product measure)."
DOTS_NOTE = (
    "Grey line: untuned. Circles: seeds. Diamond: their mean, with the 95 % interval of the gain over test "
    "stories."
)


def bars_chart(table: pd.DataFrame, note: str) -> Chart:
    """Frozen and tuned r, two bars a region."""
    names = _lines_of(table["name"])
    long = both_models(table.assign(label=table["name"].map(names)), ["label"]).dropna(subset="value")
    colours = {"frozen": OTHER, "tuned": GROUPS[1]}
    about: dict[str, Any] = {"color_discrete_map": colours, "barmode": "group", "template": TEMPLATE}
    figure = px.bar(long, x="value", y="label", color="model", **about)
    figure.update_traces(hovertemplate="%{y}: %{x:.4f}")
    words = "; ".join(
        f"{name} {number(frozen)}" + (f" to {number(tuned)}" if np.isfinite(tuned) else "")
        for name, frozen, tuned in table[["name", "r_frozen", "r_tuned"]].itertuples(index=False)
    )
    what = "frozen to tuned" if table["r_tuned"].notna().any() else "of the untuned model"
    alternative = f"Test correlation {what}, {table['label'].iloc[0]}: {words}."
    return chart("Region by region", alternative, figure, note, **_categories(names.values(), "test r"))


def shares_charts(rows: pd.DataFrame, name: str) -> list[Chart]:
    """What the model's score is made of, and what the features and the model are together; `name` ends titles."""
    long = partition_table(rows)
    parts = [_PARTS.get(key, "") for key in zip(long["measure"], long["space"], strict=True)]
    own = long.assign(space=parts).query("space != ''")
    joint = long[long["measure"] == "product"]
    return [
        _shares_chart(own, f"The model's score{name}", _OWN),
        _shares_chart(joint, f"Features and model together{name}", _JOINT),
    ]


def _shares_chart(table: pd.DataFrame, title: str, note: str) -> Chart:
    """Parts of R2 by target, stacked: untuned, tuned and the gain, each with its interval."""
    models = {"frozen": "untuned", "tuned": "tuned", "gain": "gain"}
    rows = table.assign(label=table["target"] + ", " + table["model"].map(models))
    order = {target: place for place, target in enumerate(dict.fromkeys(table["target"]))}
    place = rows["target"].map(order) * len(models) + rows["model"].map(list(models).index)
    rows = rows.loc[place.sort_values(kind="stable").index].reset_index(drop=True)
    names = _lines_of(rows["label"])
    spaces = [html.escape(shortened(one, _LETTERS), quote=False) for one in rows["space"]]
    long = with_ends(rows.assign(label=rows["label"].map(names), space=spaces), "r2")
    about: dict[str, Any] = {**_ENDS_X, "template": TEMPLATE}
    # The colours of the figure for print.
    colours = {space: GROUPS[place % len(GROUPS)] for place, space in enumerate(dict.fromkeys(spaces))}
    about |= {"barmode": "relative", "color_discrete_map": colours | {"model": OTHER}}
    figure = px.bar(long, x="r2", y="label", color="space", **about)
    figure.update_traces(hovertemplate="%{y}: %{x:.4f}", error_x_thickness=1, error_x_width=2)
    gains = rows[rows["model"] == "gain"]
    words = "; ".join(
        f"{target}: "
        + ", ".join(f"{space} {signed(r2)}" for space, r2 in zip(some["space"], some["r2"], strict=True))
        for target, some in gains.groupby("target", sort=False)
    )
    alternative = f"Stacked bars of R2, {title}. Gains: {words}."
    layout = _categories(names.values(), "R2 on test stories")
    return chart(title, alternative, figure, f"{note} Bars: 95 % intervals.", **layout)


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
    figure = px.scatter(with_ends(rows), x="value", y="label", template=TEMPLATE, **about)
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


def _in_lines(text: str, width: int) -> str:
    """Text in lines, its signs shown as they are."""
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(text, width) or [""])
