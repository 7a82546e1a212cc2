"""Charts of a study that move: findings with their seeds, differences, gains by hidden state, learning of the cells."""

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from brainwavlm.errors import BrainwavlmError
from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.figures.study import finding_label, layer_label, seeds_of
from brainwavlm.reporting.figures.style import GROUPS, OTHER, shortened
from brainwavlm.reporting.page.charts import Chart, chart, dash_of, learning_chart, numbers, plain
from brainwavlm.runs.run import open_run
from brainwavlm.study.folder import CellRecord

MOST_RUNS = 24  # lines in a chart of learning
TUNED, SEEDS = GROUPS[0], GROUPS[1]
_LINE, _BETWEEN = 16, 14  # pixels of a line of text, and between two findings
_LETTERS, _LONGEST = 28, 120  # of a line of a name, and of the whole
Row = Mapping[str, Any]


def study_charts(
    headlines: Sequence[Row], rows: Sequence[Row], seeds: pd.DataFrame, records: Sequence[CellRecord]
) -> list[Chart]:
    """Charts of one experiment, those that it has the numbers for.

    Parameters
    ----------
    headlines, rows : sequence of mapping
        Of the table of claims: those that the page shows first, and all.
    seeds : DataFrame
        The experiment's part of the table of seeds.
    records : sequence of CellRecord
    """
    gains = [row for row in headlines if row["kind"] in ("gain", "transfer")]
    made = {
        "Grey line: untuned. Circles: seeds. Diamond: their mean, with the 95 % interval of the gain over test "
        "stories.": findings_chart(gains, seeds),
        "The first cells minus the second. Diamond with a bar: 95 % over test stories; thin bar: 95 % over seeds. A "
        "finding leaves 0 out of both.": differences_chart(
            [row for row in headlines if row["kind"] == "difference"]
        ),
        "Bars: 95 % intervals over test stories.": states_chart(
            [row for row in rows if row["kind"] == "layer"]
        ),
        f"Each line is a cell: point at it to read which. A star marks the epoch that was kept.{_left_out(records)}": (
            cells_chart(records[:MOST_RUNS])
        ),
    }
    return [{**one, "note": note} for note, one in made.items() if one is not None]


def findings_chart(rows: Sequence[Row], seeds: pd.DataFrame) -> Chart | None:
    """A line a finding: tuned r with the interval of the gain, each seed, and the untuned model."""
    known = [row for row in rows if row["r_tuned"] is not None and row["r_frozen"] is not None]
    if not known:
        return None
    labels = _distinct([finding_label(row) for row in known])
    dots = [
        (label, float(r), seed)
        for label, row in zip(labels, known, strict=True)
        for seed, r in zip(seeds_of(row, seeds)["seed"], seeds_of(row, seeds)["r_tuned"], strict=True)
    ]
    low, high = ([_above(row, end) for row in known] for end in ("low", "high"))
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "untuned",
            "x": numbers(row["r_frozen"] for row in known),
            "y": labels,
            "marker": {"symbol": "line-ns-open", "size": 16, "color": OTHER, "line": {"width": 3}},
            "hovertemplate": "untuned %{x:.4f}<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "one seed",
            "x": [r for _, r, _ in dots],
            "y": [label for label, _, _ in dots],
            "text": [f"seed {seed}" for _, _, seed in dots],
            "marker": {"symbol": "circle-open", "size": 8, "color": SEEDS},
            "hovertemplate": "%{text}: %{x:.4f}<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "tuned: mean, 95 % interval of the gain over test stories",
            "x": numbers(row["r_tuned"] for row in known),
            "y": labels,
            "text": [_said(row) for row in known],
            "marker": {"symbol": "diamond", "size": 9, "color": TUNED},
            "error_x": _ends(low, high, [row["r_tuned"] for row in known]),
            "hovertemplate": "%{text}<extra></extra>",
        },
    ]
    words = "; ".join(
        f"{finding_label(row)}: untuned {number(row['r_frozen'])}, tuned {number(row['r_tuned'])}"
        for row in known
    )
    return chart(
        "Findings, seed by seed",
        f"Dot plot of mean test correlation. {words}.",
        data,
        _forest_layout("mean test correlation r"),
        height=_height(labels),
    )


def differences_chart(rows: Sequence[Row]) -> Chart | None:
    """A line a difference between cells, with its two intervals: over test stories and over seeds."""
    known = [row for row in rows if row["estimate"] is not None]
    if not known:
        return None
    names = [f"{row['target']} of {row['listener']}: {row['group']} − {row['against']}" for row in known]
    labels = _distinct(names)
    estimates = [row["estimate"] for row in known]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": numbers(estimates),
            "y": labels,
            "text": [_said(row) for row in known],
            "marker": {"symbol": symbol, "size": size, "color": colour},
            "error_x": {
                **_ends([row[f"{key}low"] for row in known], [row[f"{key}high"] for row in known], estimates),
                "width": size / 2,
            },
            "hovertemplate": "%{text}<extra></extra>",
        }
        for name, key, colour, symbol, size in (
            ("95 % over seeds", "seed_", SEEDS, "line-ns-open", 14),
            ("95 % over test stories", "", TUNED, "diamond", 8),
        )
    ]
    words = "; ".join(f"{name}: {signed(estimate)}" for name, estimate in zip(names, estimates, strict=True))
    layout = _forest_layout("difference of tuned r; 0: none")
    layout["xaxis"] |= {"zeroline": True, "zerolinewidth": 2}
    return chart("Differences", f"Dot plot of differences. {words}.", data, layout, height=_height(labels))


def states_chart(rows: Sequence[Row]) -> Chart | None:
    """Gain by hidden state, a line a target, with the interval over test stories."""
    known = [row for row in rows if row["estimate"] is not None]
    if not known:
        return None
    data, words = [], []
    for place, label in enumerate(dict.fromkeys(layer_label(row) for row in known)):
        own = sorted((row for row in known if layer_label(row) == label), key=lambda row: row["layer"])
        gains = [row["estimate"] for row in own]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": plain(label),
                "x": [int(row["layer"]) for row in own],
                "y": numbers(gains),
                "line": {"color": GROUPS[place % len(GROUPS)], "dash": dash_of(place)},
                "error_y": _ends([row["low"] for row in own], [row["high"] for row in own], gains),
                "hovertemplate": "state %{x}: %{y:.4f}",
            }
        )
        words.append(f"{label}, state {own[-1]['layer']:.0f}: {signed(gains[-1])}")
    return chart(
        "Gain by hidden state",
        f"Curves of the gain in test correlation by hidden state. {'; '.join(words)}.",
        data,
        {
            "xaxis": {"title": {"text": "hidden state (0: input of the first block)"}, "dtick": 1},
            "yaxis": {"title": {"text": "gain in test r"}, "zeroline": True},
        },
        height=460,
    )


def cells_chart(records: Sequence[CellRecord]) -> Chart | None:
    """How cells learned."""
    runs, labels = [], {}
    for record in records:
        try:
            went = open_run(record.path).course
        except (BrainwavlmError, OSError):
            continue  # has not begun, or is damaged: the table of cells says which
        if went["history"]:
            runs.append({"name": record.cell.name, **went})
            labels[record.cell.name] = record.cell.name
    made = learning_chart(runs, labels)
    if made is not None:
        made["spec"]["layout"]["showlegend"] = False  # of many lines a legend would leave no room for them
    return made


def _left_out(records: Sequence[CellRecord]) -> str:
    more = len(records) - MOST_RUNS
    return f" The first {MOST_RUNS} cells; {more} are not shown." if more > 0 else ""


def _forest_layout(what: str) -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": what}},
        "yaxis": {"autorange": "reversed", "automargin": True, "type": "category", "tickfont": {"size": 11}},
        "margin": {"l": 40, "r": 14, "t": 12, "b": 44},
        "showlegend": False,  # the note says what the signs are, in any width
        "hovermode": "closest",
    }


def _height(labels: Sequence[str]) -> int:
    return 110 + sum(_BETWEEN + _LINE * (label.count("<br>") + 1) for label in labels)


def _ends(low: Sequence[Any], high: Sequence[Any], middle: Sequence[Any]) -> dict[str, Any]:
    """Ends of intervals as plotly takes them; none where there is no interval."""

    def reach(one: Any, other: Any) -> float | None:
        return None if one is None or other is None else max(float(one - other), 0.0)

    return {
        "type": "data",
        "symmetric": False,
        "array": [reach(top, at) for top, at in zip(high, middle, strict=True)],
        "arrayminus": [reach(at, bottom) for at, bottom in zip(middle, low, strict=True)],
    }


def _above(row: Row, end: str) -> float | None:
    """An end of the interval of the gain, where the untuned model plus that gain would be."""
    return None if row[end] is None or math.isnan(row[end]) else row["r_frozen"] + row[end]


def _said(row: Row) -> str:
    """The finding's sentence, in lines for the box at the pointer."""
    return _lines(str(row["sentence"]), 64)


def _distinct(labels: Sequence[str]) -> list[str]:
    """Names in short lines for an axis of categories, on which two of one name would be one finding."""
    short = [_lines(shortened(label, _LONGEST), _LETTERS) for label in labels]
    return [f"{name} ({place + 1})" if short.count(name) > 1 else name for place, name in enumerate(short)]


def _lines(text: str, width: int) -> str:
    """Text in lines, its signs shown as they are."""
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(text, width) or [""])
