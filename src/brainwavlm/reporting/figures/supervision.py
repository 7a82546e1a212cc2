"""What the models of an experiment predict in brains against what they hold: as a table, and drawn by matplotlib."""

import textwrap
from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainwavlm.reporting.figures.changes import in_short
from brainwavlm.reporting.figures.draw_curves import legend_below, thin
from brainwavlm.reporting.figures.findings import Rows, claim_rows, claims_at
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names, main_target, one_name
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.reporting.figures.style import Canvas
from brainwavlm.study.claims.sentences import UNDER, score_name

_SIGNS = "osD^vPX*<>"  # of models, beside their colours
_NARROWEST = 1.5  # inches of a panel


def held_table(rows: Rows) -> pd.DataFrame:
    """subject, model, kind, score, untuned, tuned, difference, low, high of one experiment's rows in a table of claims.

    A row of kind `gain` is r in a target (ridge for each voxel), one of kind `probe` a feature as it is read off the
    hidden state of the run; the interval of the difference is over stories.
    """
    table = pd.DataFrame(rows)
    table = table[table["estimate"].notna() & (table["against"].isna() | (table["against"] == ""))]
    probed = table["kind"] == "probe"
    of_group = table["group"].map(table[probed].groupby("group")["layer"].last())
    probed &= table["layer"] == of_group
    table = table[probed | ((table["kind"] == "gain") & (table["readout"] == "voxelwise"))]
    table = table.assign(
        subject=table["listener"],
        model=[in_short(group.replace("all cells", "tuned")) for group in table["group"]],
        score=[_score(row) for row in table.to_dict("records")],
    )
    names = {
        "r_frozen": "untuned",
        "r_tuned": "tuned",
        "estimate": "difference",
        "low": "low",
        "high": "high",
    }
    numbers = list(names.values())
    table = table.rename(columns=names)[["subject", "model", "kind", "score", *numbers]]
    return table.astype(dict.fromkeys(numbers, float)).reset_index(drop=True)


def _score(row: dict[Any, Any]) -> str:
    if row["kind"] == "gain":
        return f"r in {row['target']}"
    return f"{score_name(row['readout'])}, {row['target']}{UNDER.get(row['stories'], '')}"


def supervision(places: Sequence[Place], choice: Choice) -> Shown:
    """Of each model of one experiment: score in brains, and each score of its probes."""
    needed = "probe: {...} in an experiment"
    each = [(claims_at(place), place) for place in places]
    probed = [claim_rows(claims, place, choice, ("probe",), needed) for claims, place in each]
    name = one_name("experiment", (), pd.concat(probed)["experiment"])
    asked = choice.model_copy(update={"experiment": (name,)})
    rows = pd.concat([claim_rows(claims, place, asked, ("gain", "probe"), needed) for claims, place in each])
    table = held_table(rows)
    targets = list(dict.fromkeys(rows.loc[rows["kind"] == "gain", "target"]))
    target = one_name(
        "target", chosen_names("target", choice.target or [main_target(targets)], targets), targets
    )
    brains = table[table["score"] == f"r in {target}"].drop(columns="kind")
    values = (
        table[table["kind"] == "probe"]
        .drop(columns="kind")
        .merge(
            brains.rename(columns={"score": "in_brains"}),
            on=["subject", "model"],
            suffixes=("", "_in_brains"),
        )
    )
    return Shown(values, bool(rows["simulated"].any()), partial(draw_supervision, values))


def draw_supervision(values: pd.DataFrame, canvas: Canvas) -> Figure:
    """A panel a score of probes: r in brains against it, a sign a model with both intervals; lines: untuned."""
    panels = [rows for _, rows in values.groupby("score", sort=False)]
    columns = min(max(int(canvas.width / _NARROWEST), 1), len(panels))
    n_rows = -(-len(panels) // columns)
    figure = canvas.figure(1.5 * n_rows + 0.6)
    grid = figure.subplots(n_rows, columns, sharey=True, squeeze=False).ravel()
    several = values["subject"].nunique() > 1
    models = list(dict.fromkeys(zip(values["subject"], values["model"], strict=True)))
    for number, (axes, rows) in enumerate(zip(grid, panels, strict=False)):
        for row in rows.to_dict("records"):
            place = models.index((row["subject"], row["model"]))
            name = f"{row['subject']}: {row['model']}" if several else row["model"]
            _model_sign(axes, row, place, name, f"{number}:{place}")
        for draw, column in ((axes.axvline, "untuned"), (axes.axhline, "untuned_in_brains")):
            for value in dict.fromkeys(rows[column]):
                draw(value, color=canvas.colours["frozen"], linewidth=thin(), label="untuned", zorder=0)
        axes.set_title("\n".join(textwrap.wrap(rows["score"].iloc[0], canvas.letters(0.9 / columns))))
        if number % columns == 0:
            axes.set_ylabel(rows["in_brains"].iloc[0])
    for axes in grid[len(panels) :]:
        axes.remove()
    legend_below(figure, canvas)
    return figure


def _model_sign(axes: Axes, row: dict[Any, Any], place: int, name: str, gid: str) -> None:
    """The tuned model, with the intervals of its change on both axes."""
    reach: dict[str, Any] = {
        f"{axis}err": [
            [row[f"difference{of}"] - row[f"low{of}"]],
            [row[f"high{of}"] - row[f"difference{of}"]],
        ]
        for axis, of in (("x", ""), ("y", "_in_brains"))
    }
    signs = axes.errorbar(
        [row["tuned"]],
        [row["tuned_in_brains"]],
        **reach,
        color=f"C{place % 6}",
        marker=_SIGNS[place % len(_SIGNS)],
        markersize=rcParams["lines.markersize"],
        linestyle="none",
        elinewidth=thin(),
        label=name,
    )
    signs.lines[0].set_gid(f"model:{gid}")
