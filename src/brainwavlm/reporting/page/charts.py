"""Charts that move: what plotly is to draw, as plain data with a text alternative.

Names from data are written as text: plotly reads some markup in titles and names, so that its signs are escaped.
"""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.reporting.figures.style import GROUPS, OTHER, shortened

_NAME = 34
_BELOW = {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0}

Chart = dict[str, Any]  # title, alt, spec: data and layout; perhaps height


def plain(name: str) -> str:
    """A name as plotly shows it literally, not too long."""
    return html.escape(shortened(str(name), _NAME), quote=False)


def chart(title: str, alternative: str, data: Sequence[Any], layout: Mapping[str, Any], **more: Any) -> Chart:
    """A chart; `more` goes beside data and layout."""
    layout = {"margin": {"l": 56, "r": 14, "t": 12, "b": 44}, "legend": _BELOW, **layout}
    return {"title": title, "alt": alternative, "spec": {"data": list(data), "layout": layout, **more}}


def numbers(values: Any) -> list[float | None]:
    """For JSON: None where there is no number."""
    return [float(value) if value is not None and math.isfinite(value) else None for value in values]


def voxel_chart(number: int, label: str, frozen: np.ndarray, tuned: np.ndarray) -> Chart:
    """Tuned against frozen, a dot a voxel; the page's script fills in the voxels of run `number`."""
    known = np.isfinite(frozen) & np.isfinite(tuned)
    ends = np.concatenate([frozen[known], tuned[known]]) if known.any() else np.array([0.0, 1.0])
    low, high = float(ends.min()) - 0.02, float(ends.max()) + 0.02
    up = int((tuned[known] > frozen[known]).sum())
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "x": [low, high],
        "y": [low, high],
        "line": {"color": OTHER, "width": 1},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return chart(
        "Frozen against tuned, voxel by voxel",
        f"Scatter plot, {label}: tuned against frozen test correlation of {int(known.sum())} voxels, {up} of them "
        "above the diagonal.",
        [diagonal],
        {
            "xaxis": {
                "title": {"text": "frozen model, test r"},
                "range": [low, high],
                "constrain": "domain",
            },
            "yaxis": {
                "title": {"text": "tuned model, test r"},
                "range": [low, high],
                "scaleanchor": "x",
                "constrain": "domain",
            },
            "hovermode": "closest",
        },
        voxels=number,
    )


def learning_chart(runs: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> Chart | None:
    """Training loss above, validation r below, a line a run; between them the norm of the gradient, where it is known.

    The kept epoch is marked. None without epochs.
    """
    shown = [run for run in runs if run["history"]]
    with_norms = any(entry.get("gradient_norm") is not None for run in shown for entry in run["history"])
    axes = {"loss": "y", "validation_r": "y2"} | ({"gradient_norm": "y3"} if with_norms else {})
    data = []
    for number, run in enumerate(shown):
        best = run["best"]["epoch"] if run["best"] else None
        epochs = [entry["epoch"] for entry in run["history"]]
        colour = GROUPS[number % len(GROUPS)]
        for key, axis in axes.items():
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": plain(labels[run["name"]]),
                    "legendgroup": str(number),
                    "showlegend": key == "validation_r",
                    "x": epochs,
                    "y": numbers(entry.get(key) for entry in run["history"]),
                    "yaxis": axis,
                    "line": {"color": colour, "width": 2, "dash": dash_of(number)},
                    "marker": {
                        "size": [10 if epoch == best else 4 for epoch in epochs],
                        "symbol": ["star" if epoch == best else "circle" for epoch in epochs],
                    },
                    "hovertemplate": "epoch %{x}: %{y:.4f}",
                }
            )
    if not data:
        return None
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "epoch"}, "anchor": "y2"},
        "yaxis": {"title": {"text": "training loss"}, "domain": [0.58, 1]},
        "yaxis2": {"title": {"text": "validation r"}, "domain": [0, 0.5], "anchor": "x"},
    }
    if with_norms:
        layout["yaxis"]["domain"], layout["yaxis2"]["domain"] = [0.71, 1], [0, 0.29]
        layout["yaxis3"] = {
            "title": {"text": "gradient norm"},
            "domain": [0.355, 0.645],
            "rangemode": "tozero",
            "anchor": "x",
        }
    what = (
        "Training loss, norm of the gradient and validation correlation"
        if with_norms
        else ("Training loss and validation correlation")
    )
    words = "; ".join(filter(None, (_course(run, labels[run["name"]]) for run in shown)))
    return chart(
        "Learning curves",
        f"{what} by epoch. {words}.",
        data,
        layout,
        **({"height": 520} if with_norms else {}),
    )


def _course(run: Mapping[str, Any], label: str) -> str:
    """Which epoch was kept, and how the gradient's norm moved, in words."""
    kept = f"epoch {run['best']['epoch']} kept" if run["best"] else ""
    norms = [norm for entry in run["history"] if (norm := entry.get("gradient_norm")) is not None]
    moved = f"gradient norm from {norms[0]:.3g} to {norms[-1]:.3g}" if norms else ""
    return f"{label}: {', '.join(filter(None, (kept, moved)))}" if kept or moved else ""


def layer_charts(
    layers: pd.DataFrame, run: Mapping[str, Any], targets: Sequence[str], label: str
) -> list[Chart]:
    """Test r of both models by hidden state above, their difference with its interval below, a colour a target."""
    own = layers[layers["run"] == run["name"]]
    data: list[dict[str, Any]] = []
    words = []
    for number, target in enumerate(name for name in targets if name in set(own["target"])):
        rows = own[own["target"] == target].sort_values("layer")
        colour, states = GROUPS[number % len(GROUPS)], [int(layer) for layer in rows["layer"]]
        shared: dict[str, Any] = {
            "type": "scatter",
            "x": states,
            "legendgroup": target,
            "mode": "lines+markers",
        }
        for key, dash in (("r_frozen", "dot"), ("r_tuned", "solid")):
            data.append(
                {
                    **shared,
                    "y": numbers(rows[key]),
                    "name": f"{plain(target)}, {key[2:]}",
                    "line": {"color": colour, "dash": dash},
                }
            )
        data.append(
            {
                **shared,
                "y": numbers(rows["difference"]),
                "yaxis": "y2",
                "showlegend": False,
                "name": plain(target),
                "line": {"color": colour},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": numbers(rows["high"] - rows["difference"]),
                    "arrayminus": numbers(rows["difference"] - rows["low"]),
                },
            }
        )
        best = rows.loc[rows["r_tuned"].idxmax()] if rows["r_tuned"].notna().any() else None
        if best is not None:
            words.append(f"{target}: tuned highest at state {int(best['layer'])}, r {best['r_tuned']:.3f}")
    if not data:
        return []
    return [
        chart(
            "Hidden states",
            f"Test correlation by hidden state, {label}. {'; '.join(words)}.",
            data,
            {
                "xaxis": {"title": {"text": "hidden state (0: input of the first block)"}, "anchor": "y2"},
                "yaxis": {"title": {"text": "test r"}, "domain": [0.52, 1]},
                "yaxis2": {"title": {"text": "tuned − frozen"}, "domain": [0, 0.42], "anchor": "x"},
            },
        )
    ]


def delay_chart(profiles: Mapping[str, Mapping[str, list[float]]]) -> Chart | None:
    """Share of each delay in the readout's weights, a line a run by its label; None without profiles."""
    data, words = [], []
    for number, (label, found) in enumerate(profiles.items()):
        middle = found["median"]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": plain(label),
                "x": found["seconds"],
                "y": numbers(middle),
                "line": {"color": GROUPS[number % len(GROUPS)], "dash": dash_of(number)},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": numbers(np.subtract(found["high"], middle)),
                    "arrayminus": numbers(np.subtract(middle, found["low"])),
                },
            }
        )
        words.append(f"{label}: largest at {found['seconds'][int(np.argmax(middle))]:g} s")
    if not data:
        return None
    return chart(
        "Delays of the readout",
        f"Share of each delay in the readout's weights, median over voxels. {'; '.join(words)}.",
        data,
        {
            "xaxis": {"title": {"text": "seconds after the sound"}},
            "yaxis": {"title": {"text": "share of the weights' norm"}, "rangemode": "tozero"},
        },
    )


def dash_of(number: int) -> str:
    """Lines that differ in more than colour."""
    return ("solid", "dash", "dot", "dashdot")[number // len(GROUPS) % 4]
