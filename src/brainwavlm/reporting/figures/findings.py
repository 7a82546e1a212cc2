"""Findings of a study: seed by seed, under both readouts, what models predict against what they hold; and figures."""

import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib import rcParams
from matplotlib.figure import Figure

from brainwavlm.errors import RunError
from brainwavlm.reporting.figures.folders import Choice, Place, Shown, chosen_names, main_target, one_name
from brainwavlm.reporting.figures.forest import ALONE, SHARED, Forest, draw_forest, means_and_seeds
from brainwavlm.reporting.figures.lines import legend, thin
from brainwavlm.reporting.figures.style import Canvas, counted
from brainwavlm.results.tables import rows_or_none
from brainwavlm.study.claims.sentences import UNDER, score_name
from brainwavlm.study.claims.verdicts import holds

KINDS = ("gain", "transfer", "difference")  # whose estimate is a change of r
NUMBERS = ["estimate", "low", "high", "seed_low", "seed_high"]
READOUTS = {"": ALONE, "shared_": SHARED}
_CELLS = ["experiment", "group", "tuned_on", "listener", "target", "stories", "readout"]
_ABOUT = ["experiment", "claim", "kind", "n_seeds", "n_missing", "unit", "verdict", "sentence"]
_ONE_FINDING = [*_CELLS[:-1], "kind", "against", "layer"]  # under either readout
_SIGNS = "osD^vPX*<>"  # of models, beside their colours
_NARROWEST = 1.5  # inches of a panel
Row = Mapping[str, Any]


def claim_rows(place: Place, choice: Choice, kinds: Sequence[str], needed: str) -> pd.DataFrame:
    """Rows of a study's table of claims, of some kinds and of the experiments that were asked for.

    RunError where the study has no such rows, ConfigError where it has no such experiment.
    """
    table = place.result.table
    rows = table[table["kind"].isin(kinds)]
    if rows.empty:
        nothing = f"a study without findings of kind {' or '.join(kinds)}."
        raise RunError(place.path, nothing, f"{needed}.", "See brainwavlm study status.")
    return rows[rows["experiment"].isin(chosen_names("experiment", choice.experiment, rows["experiment"]))]


def finding_label(row: Row, *, has_state: bool = True) -> str:
    """What a finding is about: where, in whom, of which cells, and at which hidden state."""
    if not row["target"]:
        return str(row["sentence"])
    where = f"{row['target']} of {row['listener']}"
    if row["kind"] in ("transfer", "minutes"):
        where = f"{row['target']}, {row['tuned_on']} → {row['listener']}"
    if row["kind"].startswith("probe"):
        where = f"{score_name(row['readout'])}, {where}{UNDER.get(row['stories'], '')}"
    if has_state and row["kind"].startswith(("layer", "probe")):
        where += f", state {row['layer']:.0f}"
    if row["against"]:
        return f"{where}: {in_short(row['group'])} − {in_short(row['against'])}"
    return where if row["group"] == "all cells" else f"{where}: {in_short(row['group'])}"


def in_short(group: str) -> str:
    """A group by its values, with the last part of a key before numbers: `full, lr_backbone 0.001`."""
    parts = []
    for part in group.replace("control.kind=none", "responses").split(", "):
        key, _, value = part.rpartition("=")
        name = {"target": "tuned on"}.get(key, key.rpartition(".")[2])
        parts.append(value if value[:1].isalpha() and name != "tuned on" else f"{name} {value}".strip())
    return ", ".join(parts)


def line_labels(rows: pd.DataFrame) -> list[str]:
    """Which line each finding belongs to: what it is about, in which of several experiments, under which readout."""
    several = rows["experiment"].nunique() > 1
    return [
        f"{row['experiment']}: " * several
        + finding_label(row, has_state=False)
        + ", shared readout" * (row["readout"] == "shared")
        for row in rows_or_none(rows)
    ]


def findings_table(rows: pd.DataFrame, seeds: pd.DataFrame) -> pd.DataFrame:
    """part, label, experiment, group, tuned_on, listener, target, stories, readout, run, seed, numbers, sentence.

    A row of part `mean` a finding, with r_frozen, r_tuned and the interval of the gain; of part `seed` a cell. A label
    stands for one finding: where two would share one they are counted. `rows` are gains of a study's table of claims,
    `seeds` its table of seeds.
    """
    columns = ["part", "label", *_CELLS, "run", "seed", "r_frozen", "r_tuned", "low", "high", "sentence"]
    means = rows[rows["r_tuned"].notna()]
    if means.empty:
        return pd.DataFrame(columns=columns)
    means = means.assign(part="mean", label=counted(line_labels(means)))
    cells = means[["label", "kind", *_CELLS]].merge(seeds, on=["kind", *_CELLS])
    cells = cells.rename(columns={"cell": "run"}).assign(part="seed")
    return means_and_seeds([means, cells], columns)


def changes_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a finding of a study's table of claims, with its numbers under both readouts.

    experiment, claim, kind, label, n_seeds, n_missing, unit; estimate, low, high, seed_low, seed_high by ridge for each
    voxel alone, and with `shared_` before them by the map that voxels share (NaN where it was not scored); holds,
    verdict, shared_verdict, sentence.
    """
    findings: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows_or_none(rows):
        key = tuple(str(row[column]) for column in _ONE_FINDING)
        findings.setdefault(key, {})[row["readout"] if row["readout"] == "shared" else "voxelwise"] = row
    table = []
    for one in findings.values():
        alone, shared = one["voxelwise"], one.get("shared")
        row = {key: alone[key] for key in (*_ABOUT, *NUMBERS)} | {"label": finding_label(alone)}
        under = {f"shared_{key}": shared[key] for key in (*NUMBERS, "verdict")} if shared else {}
        table.append(row | {"shared_verdict": ""} | under | {"holds": holds(alone, shared)})
    both = [of + column for of in READOUTS for column in NUMBERS]
    return pd.DataFrame(table, columns=[*_ABOUT, "label", *both, "shared_verdict", "holds"])


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
    """The change of r of each finding under either readout, with its intervals over stories and over seeds.

    A label is behind the number of its claim, and before its experiment where two would be alike.
    """
    claims = ["" if pd.isna(claim) else f"{claim:.0f}. " for claim in table["claim"]]
    again = (table["claim"].astype(str) + table["label"]).duplicated()
    texts = table["label"].where(~again, table["label"] + " (" + table["experiment"] + ")")
    labels = counted([claim + text for claim, text in zip(claims, texts, strict=True)])
    marks = [
        table[[of + column for column in NUMBERS]]
        .set_axis(["value", *NUMBERS[1:]], axis=1)
        .assign(label=labels, sign=sign, text=[f"{label}, {sign}" for label in labels])
        for of, sign in READOUTS.items()
    ]
    drawn = pd.concat(marks, ignore_index=True).dropna(subset="value")
    return Forest(drawn, "change of mean test r; 0: none", is_change=True)


def held_table(rows: pd.DataFrame) -> pd.DataFrame:
    """subject, model, kind, score, untuned, tuned, difference, low, high of one experiment's rows in a table of claims.

    A row of kind `gain` is r in a target (ridge for each voxel), one of kind `probe` a feature as it is read off the
    hidden state of the run; the interval of the difference is over stories.
    """
    table = rows[rows["estimate"].notna() & (rows["against"].isna() | (rows["against"] == ""))]
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
            about: dict[str, Any] = {
                "color": f"C{place % 6}",
                "marker": _SIGNS[place % len(_SIGNS)],
                "label": name,
            }
            about |= {"linestyle": "none", "markersize": rcParams["lines.markersize"], "elinewidth": thin()}
            for axis, of in (("x", ""), ("y", "_in_brains")):
                change, low, high = (row[f"{end}{of}"] for end in ("difference", "low", "high"))
                about[f"{axis}err"] = [[change - low], [high - change]]
            signs = axes.errorbar([row["tuned"]], [row["tuned_in_brains"]], **about)
            signs.lines[0].set_gid(f"model:{number}:{place}")
        for draw, column in ((axes.axvline, "untuned"), (axes.axhline, "untuned_in_brains")):
            for value in dict.fromkeys(rows[column]):
                draw(value, color=canvas.colours["frozen"], linewidth=thin(), label="untuned", zorder=0)
        axes.set_title("\n".join(textwrap.wrap(rows["score"].iloc[0], room)))
        axes.set_ylabel(rows["in_brains"].iloc[0])
        axes.label_outer()
    legend(figure, canvas)
    return figure
