"""Findings of a study: under both readouts, and what models predict against what they hold; tables and figures."""

import textwrap
from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainwavlm.errors import RunError
from brainwavlm.reporting.figures.choice import Choice
from brainwavlm.reporting.figures.findings import ABOUT, Row, Rows, claim_rows, finding_label, in_short
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names, main_target, one_name
from brainwavlm.reporting.figures.forest import ALONE, SHARED, Forest, draw_forest
from brainwavlm.reporting.figures.lines import legend, thin
from brainwavlm.reporting.figures.style import Canvas, counted
from brainwavlm.results.tables import rows_or_none
from brainwavlm.study.claims.sentences import UNDER, score_name
from brainwavlm.study.claims.verdicts import holds

KINDS = ("gain", "transfer", "difference")  # whose estimate is a change of r
NUMBERS = ["estimate", "low", "high", "seed_low", "seed_high"]
READOUTS = {"": ALONE, "shared_": SHARED}
_ABOUT = ["experiment", "claim", "kind", "n_seeds", "n_missing", "unit", "verdict", "sentence"]
_BOTH = [of + column for of in READOUTS for column in NUMBERS]
_ONE_FINDING = [*ABOUT[:-1], "kind", "against", "layer"]  # under either readout
_SIGNS = "osD^vPX*<>"  # of models, beside their colours
_NARROWEST = 1.5  # inches of a panel


def changes_table(rows: Rows) -> pd.DataFrame:
    """A row a finding of a study's table of claims, with its numbers under both readouts.

    experiment, claim, kind, label, n_seeds, n_missing, unit; estimate, low, high, seed_low, seed_high by ridge for each
    voxel alone, and with `shared_` before them by the map that voxels share (NaN where it was not scored); holds,
    verdict, shared_verdict, sentence.
    """
    findings: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows_or_none(pd.DataFrame(rows)):
        key = tuple(str(row[column]) for column in _ONE_FINDING)
        findings.setdefault(key, {})[row["readout"] if row["readout"] == "shared" else "voxelwise"] = row
    table = []
    for both in findings.values():
        alone, shared = both["voxelwise"], both.get("shared")
        row = {key: alone[key] for key in (*_ABOUT, *NUMBERS)} | {"label": finding_label(alone)}
        under = {f"shared_{key}": shared[key] for key in (*NUMBERS, "verdict")} if shared else {}
        table.append(row | {"shared_verdict": ""} | under | {"holds": holds(alone, shared)})
    return pd.DataFrame(table, columns=[*_ABOUT, "label", *_BOTH, "shared_verdict", "holds"])


def labels_with_claims(table: pd.DataFrame) -> list[str]:
    """Labels of findings, each once: behind the number of their claim, with the experiment where two are alike."""
    claims = ["" if pd.isna(claim) else f"{claim:.0f}. " for claim in table["claim"]]
    again = (table["claim"].astype(str) + table["label"]).duplicated()
    texts = table["label"].where(~again, table["label"] + " (" + table["experiment"] + ")")
    return [claim + text for claim, text in zip(claims, texts, strict=True)]


def claims(places: Sequence[Place], choice: Choice) -> Shown:
    """Changes of r that answer a study's questions."""
    tables, simulated = [], False
    for place in places:
        rows = claim_rows(place, choice, KINDS, "scored cells")
        rows = rows[rows["estimate"].notna()]
        there = list(dict.fromkeys(rows["target"]))
        rows = rows[rows["headline"].astype(bool) | bool(choice.target)]
        rows = rows[rows["target"].isin(chosen_names("target", choice.target, rows["target"]))]
        if rows.empty:
            found, targets = "no change of r that its experiments ask about.", ", ".join(there)
            raise RunError(place.path, found, "some.", f"Name a target: {targets}. Or draw layers or tasks.")
        simulated |= bool(rows["simulated"].any())
        tables.append(changes_table(rows).drop(columns="sentence"))
    table = pd.concat(tables, ignore_index=True)
    return Shown(table, simulated, partial(draw_forest, changes_forest(table)))


def changes_forest(table: pd.DataFrame) -> Forest:
    """The change of r of each finding under either readout, with its intervals over stories and over seeds."""
    labels = counted(labels_with_claims(table))
    marks = [
        table[[of + column for column in NUMBERS]]
        .set_axis(["value", *NUMBERS[1:]], axis=1)
        .assign(label=labels, sign=sign, text=[f"{label}, {sign}" for label in labels])
        for of, sign in READOUTS.items()
    ]
    drawn = pd.concat(marks, ignore_index=True).dropna(subset="value")
    return Forest(drawn, "change of mean test r; 0: none", is_change=True)


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
    names = {"r_frozen": "untuned", "r_tuned": "tuned", "estimate": "difference"}
    numbers = [*names.values(), "low", "high"]
    table = table.rename(columns=names)[["subject", "model", "kind", "score", *numbers]]
    return table.astype(dict.fromkeys(numbers, float)).reset_index(drop=True)


def _score(row: dict[Any, Any]) -> str:
    if row["kind"] == "gain":
        return f"r in {row['target']}"
    return f"{score_name(row['readout'])}, {row['target']}{UNDER.get(row['stories'], '')}"


def supervision(places: Sequence[Place], choice: Choice) -> Shown:
    """Of each model of one experiment: score in brains, and each score of its probes."""
    needed = "probe: {...} in an experiment"
    probed = [claim_rows(place, choice, ("probe",), needed) for place in places]
    name = one_name("experiment", (), pd.concat(probed)["experiment"])
    asked = choice.model_copy(update={"experiment": (name,)})
    rows = pd.concat([claim_rows(place, asked, ("gain", "probe"), needed) for place in places])
    table = held_table(rows)
    targets = list(dict.fromkeys(rows.loc[rows["kind"] == "gain", "target"]))
    asked_of = chosen_names("target", choice.target or [main_target(targets)], targets)
    target = one_name("target", asked_of, targets)
    held, table = table["kind"] == "probe", table.drop(columns="kind")
    brains = table[table["score"] == f"r in {target}"].rename(columns={"score": "in_brains"})
    values = table[held].merge(brains, on=["subject", "model"], suffixes=("", "_in_brains"))
    return Shown(values, bool(rows["simulated"].any()), partial(draw_supervision, values))


def draw_supervision(values: pd.DataFrame, canvas: Canvas) -> Figure:
    """A panel a score of probes: r in brains against it, a sign a model with both intervals; lines: untuned."""
    panels = [rows for _, rows in values.groupby("score", sort=False)]
    figure, grid, room = canvas.panels(len(panels), _NARROWEST, 1.5, 0.6, sharey=True)
    several = values["subject"].nunique() > 1
    models = list(dict.fromkeys(zip(values["subject"], values["model"], strict=True)))
    for number, (axes, rows) in enumerate(zip(grid, panels, strict=True)):
        for row in rows.to_dict("records"):
            place = models.index((row["subject"], row["model"]))
            name = f"{row['subject']}: {row['model']}" if several else row["model"]
            _model_sign(axes, row, place, name, f"{number}:{place}")
        for draw, column in ((axes.axvline, "untuned"), (axes.axhline, "untuned_in_brains")):
            for value in dict.fromkeys(rows[column]):
                draw(value, color=canvas.colours["frozen"], linewidth=thin(), label="untuned", zorder=0)
        axes.set_title("\n".join(textwrap.wrap(rows["score"].iloc[0], room)))
        axes.set_ylabel(rows["in_brains"].iloc[0])
        axes.label_outer()
    legend(figure, canvas)
    return figure


def _model_sign(axes: Axes, row: dict[Any, Any], place: int, name: str, gid: str) -> None:
    """The tuned model, with the intervals of its change on both axes."""
    about: dict[str, Any] = {"color": f"C{place % 6}", "marker": _SIGNS[place % len(_SIGNS)], "label": name}
    about |= {"linestyle": "none", "markersize": rcParams["lines.markersize"], "elinewidth": thin()}
    for axis, of in (("x", ""), ("y", "_in_brains")):
        change, low, high = (row[f"{end}{of}"] for end in ("difference", "low", "high"))
        about[f"{axis}err"] = [[change - low], [high - change]]
    signs = axes.errorbar([row["tuned"]], [row["tuned_in_brains"]], **about)
    signs.lines[0].set_gid(f"model:{gid}")
