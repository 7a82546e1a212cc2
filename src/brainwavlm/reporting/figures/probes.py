"""How well features are read off hidden states, beside controls: as a table, and drawn by matplotlib."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainwavlm.evaluation.probes.tasks import LOW_LEVEL, PLAIN, RANDOM, RESIDUAL, SHUFFLED, UNSEEN
from brainwavlm.reporting.figures.draw_curves import legend_below, thin, whole_numbers
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names, one_name
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.reporting.figures.style import Canvas, shortened
from brainwavlm.results.probes import Probes
from brainwavlm.study.claims.sentences import score_name

# By control: what it is called, its colour and its sign.
CONTROLS = {
    SHUFFLED: ("shuffled labels", "C0", "x"),
    UNSEEN: ("words never fitted", "C3", "^"),
    RESIDUAL: ("beyond low level", "C2", "s"),
    RANDOM: ("random weights", "C5", "v"),
    LOW_LEVEL: ("low level alone", "C4", "D"),
}
_OF_ONE_MODEL = (SHUFFLED, RANDOM, LOW_LEVEL)  # what tuning changes little, or not at all
_ABOUT = ["run", "feature", "score", "layer", "is_own", "control"]
_OWN = "hidden state of the run"
_NARROWEST = 1.5  # inches of a panel


def probes_table(probes: Probes) -> pd.DataFrame:
    """run, feature, score, layer, is_own, control, model, value, low, high: the first score of each feature.

    `control` is `none` for the score itself; `is_own` says whether it is the hidden state that the run was tuned at.
    Controls that tuning does not touch, and shuffled labels, have the tuned model's row alone.
    """
    table = probes.table
    own = {run["name"]: run["config"]["backbone"]["layer"] for run in probes.summary["runs"]}
    first = table.groupby(["run", "feature"])["score"].transform("first")
    rows = table[(table["score"] == first) & table["control"].isin([PLAIN, *CONTROLS])]
    rows = rows.assign(is_own=rows["layer"] == rows["run"].map(own))
    models = []
    for model in ("frozen", "tuned"):
        names = {f"score_{model}": "value", f"low_{model}": "low", f"high_{model}": "high"}
        models.append(rows[[*_ABOUT, *names]].rename(columns=names).assign(model=model))
    long = pd.concat(models, ignore_index=True)
    long = long[(long["model"] == "tuned") | ~long["control"].isin(_OF_ONE_MODEL)]
    return long.sort_values("layer", kind="stable", ignore_index=True)


def panel_name(rows: pd.DataFrame) -> str:
    """A feature and its score: `meaning, r`."""
    first = rows.iloc[0]
    return f"{first['feature']}, {score_name(first['score'])}"


def probes(places: Sequence[Place], choice: Choice) -> Shown:
    """Scores of one run by feature and hidden state."""
    results = [Probes.open(place.path) for place in places]
    table = pd.concat([probes_table(one) for one in results], ignore_index=True)
    values = table[table["run"] == one_name("run", choice.run, table["run"])]
    # In the order of the results, not of hidden states.
    features = [name for one in results for name in dict.fromkeys(one.table["feature"])]
    chosen = chosen_names("target", choice.target, features)
    values = values[values["feature"].isin(chosen)]
    order = values["feature"].map(chosen.index)
    values = values.loc[order.sort_values(kind="stable").index].reset_index(drop=True)
    return Shown(values, any(one.simulated for one in results), partial(draw_probes, values))


def draw_probes(values: pd.DataFrame, canvas: Canvas) -> Figure:
    """A panel a feature: untuned and tuned score with their intervals, controls as thin lines (untuned dotted)."""
    panels = [rows for _, rows in values.groupby("feature", sort=False)]
    columns = min(max(int(canvas.width / _NARROWEST), 1), len(panels))
    n_rows = -(-len(panels) // columns)
    figure = canvas.figure(1.35 * n_rows + 0.8)
    grid = figure.subplots(n_rows, columns, sharex=True, squeeze=False).ravel()
    for number, (axes, rows) in enumerate(zip(grid, panels, strict=False)):
        _panel(axes, rows, number, canvas)
        axes.set_title(shortened(panel_name(rows), canvas.letters(0.9 / columns)))
        if number >= len(panels) - columns:
            axes.set_xlabel("hidden state")
            axes.tick_params(labelbottom=True)
    for axes in grid[len(panels) :]:
        axes.remove()
    controls = values[(values["control"] != PLAIN) & (values["model"] == "frozen")]
    if len(controls):
        hollow = {"color": rcParams["axes.labelcolor"], "label": "the same, untuned"}
        grid[0].plot([], [], **_look(controls["control"].iloc[0], "frozen", canvas) | hollow)
    legend_below(figure, canvas)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, number: int, canvas: Canvas) -> None:
    several = rows["layer"].nunique() > 1
    lines = dict(iter(rows.groupby(["control", "model"])))
    order = [(control, model) for control in (PLAIN, *CONTROLS) for model in ("frozen", "tuned")]
    shown = [key for key in order if key in lines]
    for place, (control, model) in enumerate(shown):
        line, about = lines[control, model], _look(control, model, canvas)
        # Dots of a single hidden state would hide each other.
        state = line["layer"] + (0 if several else 0.1 * (place - (len(shown) - 1) / 2))
        axes.plot(state, line["value"], gid=f"{control}:{model}:{number}", **about)
        if control == PLAIN:
            interval = {"color": about["color"], "gid": f"interval:{model}:{number}"}
            if several:
                axes.fill_between(state, line["low"], line["high"], alpha=0.18, linewidth=0, **interval)
            else:
                axes.vlines(state, line["low"], line["high"], **interval)
    if several and rows["is_own"].any():
        own = rows.loc[rows["is_own"], "layer"].iloc[0]
        dashed: dict[str, Any] = {"color": rcParams["text.color"], "linestyle": (0, (4, 3))}
        axes.axvline(own, linewidth=thin(), label=_OWN, zorder=0, gid=f"own:{number}", **dashed)
    axes.xaxis.set_major_locator(whole_numbers(5))


def _look(control: str, model: str, canvas: Canvas) -> dict[str, Any]:
    """Of a line; controls of the untuned model are dotted and hollow."""
    size, frozen = rcParams["lines.markersize"], model == "frozen"
    if control == PLAIN:
        name = "untuned" if frozen else "tuned"
        look = {"color": canvas.colours[model], "label": name, "marker": "o", "markersize": 0.8 * size}
        return look | {"zorder": 3}
    name, colour, marker = CONTROLS[control]
    look = {"color": colour, "marker": marker, "markersize": 0.65 * size, "markeredgewidth": thin()}
    look |= {"linewidth": 0.6 * rcParams["lines.linewidth"], "label": "_" if frozen else name}
    return look | ({"linestyle": ":", "markerfacecolor": "white"} if frozen else {"linestyle": "-"})
