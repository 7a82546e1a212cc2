"""Configurations over their seeds, and findings of a study: as tables, and a line each."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.errors import RunError
from brainwavlm.reporting.figures.choice import Choice
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names, main_target
from brainwavlm.reporting.figures.forest import SEED, TUNED, UNTUNED, Forest, draw_forest
from brainwavlm.reporting.figures.style import counted
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.tables import rows_or_none
from brainwavlm.study.claims.sentences import UNDER, score_name

_NUMBERS = ["r_frozen", "r_tuned", "low", "high"]
ABOUT = ["experiment", "group", "tuned_on", "listener", "target", "stories", "readout"]
Row = Mapping[str, Any]
Rows = Sequence[Row] | pd.DataFrame


def seeds_table(comparison: Comparison, targets: Sequence[str]) -> pd.DataFrame:
    """part, label, group, target, run, seed, r_frozen, r_tuned, low, high of a comparison in some targets.

    A row of part `mean` a group and target, with the interval of the gain; of part `seed` a run.
    """
    tables = []
    for part, frame in (
        ("mean", comparison.groups.rename(columns={"mean": "r_tuned"})),
        ("seed", comparison.runs.drop(columns=["low", "high"], errors="ignore")),
    ):
        rows = frame[frame["target"].isin(targets)]
        labels = rows["group"] + (", " + rows["target"] if len(targets) > 1 else "")
        tables.append(rows.assign(part=part, label=labels))
    return _sorted(tables, ["part", "label", "group", "target", "run", "seed", *_NUMBERS])


def findings_table(rows: Rows, seeds: pd.DataFrame) -> pd.DataFrame:
    """part, label, experiment, group, tuned_on, listener, target, stories, readout, run, seed, numbers, sentence.

    A row of part `mean` a finding, with r_frozen, r_tuned and the interval of the gain; of part `seed` a cell. A label
    stands for one finding: where two would share one they are counted. `rows` are gains of a study's table of claims,
    `seeds` its table of seeds.
    """
    columns = ["part", "label", *ABOUT, "run", "seed", *_NUMBERS, "sentence"]
    means = pd.DataFrame(rows)
    means = means[means["r_tuned"].notna()] if len(means) else means
    if means.empty:
        return pd.DataFrame(columns=columns)
    means = means.assign(part="mean", label=counted(line_labels(means)))
    cells = means[["label", "kind", *ABOUT]].merge(seeds, on=["kind", *ABOUT])
    cells = cells.rename(columns={"cell": "run"}).assign(part="seed")
    return _sorted([means, cells], columns)


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


def seeds(places: Sequence[Place], choice: Choice) -> Shown:
    """Tuned r of every run by configuration."""
    tables, simulated = [], False
    for place in places:
        comparison = place.result
        simulated |= comparison.simulated
        names = list(dict.fromkeys(comparison.groups["target"]))
        targets = chosen_names("target", choice.target or [main_target(names)], names)
        tables.append(seeds_table(comparison, targets))
        missing = tables[-1].query("part == 'mean' and r_tuned.isna()")
        if len(missing):
            path, group = place.path / "groups.csv", missing["group"].iloc[0]
            raise RunError(path, f"no mean of group {group}.", "a number.", "Name another target.")
    table = pd.concat(tables, ignore_index=True)
    values = table.assign(r_frozen=table["r_frozen"].where(table["part"] == "mean"))
    return Shown(values, simulated, partial(draw_forest, forest_of(table)))


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


def _sorted(tables: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Means, each with its seeds below it."""
    order = {label: place for place, label in enumerate(dict.fromkeys(tables[0]["label"]))}
    table = pd.concat(tables, ignore_index=True).reindex(columns=columns)
    table = table.sort_values("label", key=lambda label: label.map(order), kind="stable", ignore_index=True)
    return table.astype({**dict.fromkeys(_NUMBERS, float), "seed": "Int64"})


def forest_of(table: pd.DataFrame) -> Forest:
    """Of a table of means and seeds: tuned r with the interval of the gain, each seed, and untuned r."""
    means, seeds = table[table["part"] == "mean"], table[table["part"] == "seed"]
    frozen, sentences = means["r_frozen"], means.get("sentence", means["label"])
    marks = [
        means[["label"]].assign(sign=UNTUNED, value=frozen, text="untuned"),
        # The interval is that of the gain: it stands where the untuned model plus the gain would be.
        means[["label"]].assign(
            sign=TUNED,
            value=means["r_tuned"],
            low=frozen + means["low"],
            high=frozen + means["high"],
            text=sentences,
        ),
        seeds[["label"]].assign(sign=SEED, value=seeds["r_tuned"], text="seed " + seeds["seed"].astype(str)),
    ]
    ends = {"seed_low": np.nan, "seed_high": np.nan}
    return Forest(pd.concat(marks, ignore_index=True).assign(**ends), "mean test correlation r")
