"""Charts of a comparison and of a transfer: spread over seeds, epochs, amounts of a listener's data."""

import pandas as pd

from brainwavlm.reporting.figures.style import GROUPS
from brainwavlm.reporting.page.charts import Chart, chart, dash_of, numbers, plain

_MOST_LINES = 12


def seed_chart(runs: pd.DataFrame, target: str) -> Chart | None:
    """Test r of every run of a comparison by group; hollow: the untuned model. None where no run has the target."""
    rows = runs[runs["target"] == target]
    if rows.empty:
        return None
    groups = list(dict.fromkeys(rows["group"]))[:_MOST_LINES]
    data = []
    for number, group in enumerate(groups):
        own = rows[rows["group"] == group]
        place = [plain(f"{number + 1}. {group}")] * len(own)
        for key, symbol in (("r_frozen", "circle-open"), ("r_tuned", "circle")):
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "orientation": "h",
                    "name": key[2:],
                    "showlegend": False,
                    "x": numbers(own[key]),
                    "y": place,
                    "text": [f"seed {seed}, {key[2:]}" for seed in own["seed"]],
                    "marker": {
                        "size": 9,
                        "symbol": symbol,
                        "opacity": 0.8,
                        "color": GROUPS[number % len(GROUPS)],
                    },
                    "hovertemplate": "%{text}: r %{x:.4f}<extra></extra>",
                }
            )
    spread = "; ".join(
        f"{group}: {rows[rows['group'] == group]['r_tuned'].min():.3f} to "
        f"{rows[rows['group'] == group]['r_tuned'].max():.3f} over {(rows['group'] == group).sum()} runs"
        for group in groups
    )
    return chart(
        f"Spread over seeds, {target}",
        f"Test correlation of each run by group, {target}. {spread}.",
        data,
        {
            "xaxis": {"title": {"text": "test r (hollow: untuned)"}},
            "yaxis": {"automargin": True, "autorange": "reversed"},
        },
        height=120 + 46 * len(groups),
    )


def epoch_charts(epochs: pd.DataFrame, target: str) -> list[Chart]:
    """Mean over seeds by epoch with its lowest and highest, a line a group; one chart a kind of score."""
    found = []
    for score in dict.fromkeys(epochs["score"]):
        data = []
        rows = epochs[epochs["score"] == score]
        groups = list(dict.fromkeys(rows["group"]))[:_MOST_LINES]
        for number, group in enumerate(groups):
            own = rows[rows["group"] == group]
            # A run's own readout is scored on its own target only, which need not be that of the other groups.
            here = target if (own["target"] == target).any() else own["target"].iloc[0]
            own = own[own["target"] == here].sort_values("epoch")
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": f"{plain(f'{number + 1}. {group}')}, {plain(here)}",
                    "x": [int(epoch) for epoch in own["epoch"]],
                    "y": numbers(own["mean"]),
                    "line": {"color": GROUPS[number % len(GROUPS)], "dash": dash_of(number)},
                    "error_y": {
                        "type": "data",
                        "symmetric": False,
                        "array": numbers(own["highest"] - own["mean"]),
                        "arrayminus": numbers(own["mean"] - own["lowest"]),
                    },
                }
            )
        what = "validation r, the run's own readout" if score == "validation" else "test r, fresh ridge"
        found.append(
            chart(
                f"By epoch: {what}",
                f"{what} by epoch, mean, lowest and highest over seeds, of {', '.join(groups)}.",
                data,
                {
                    "xaxis": {"title": {"text": "epoch"}},
                    "yaxis": {"title": {"text": plain(f"{score} r")}},
                },
            )
        )
    return found


def amount_chart(curve: pd.DataFrame, target: str) -> Chart | None:
    """Mean r by minutes of the listener's data, tuned against untuned; None where there is no curve."""
    rows = curve[curve["target"] == target]
    if rows.empty:
        return None
    data = []
    for number, ((run, who), own) in enumerate(rows.groupby(["run", "scored_on"], sort=False)):
        means = own.groupby("asked", dropna=False)[["minutes", "r_frozen", "r_tuned"]].mean()
        means = means.sort_values("minutes")
        for key, dash in (("r_frozen", "dot"), ("r_tuned", "solid")):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": f"{plain(f'{run} in {who}')}, {key[2:]}",
                    "x": numbers(means["minutes"]),
                    "y": numbers(means[key]),
                    "line": {"color": GROUPS[number % len(GROUPS)], "dash": dash},
                }
            )
    return chart(
        f"Amount of the listener's data, {target}",
        f"Test correlation in {target} by minutes of the listener's own data, tuned and untuned model.",
        data,
        {"xaxis": {"title": {"text": "minutes of responses"}}, "yaxis": {"title": {"text": "test r"}}},
    )
