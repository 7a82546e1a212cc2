"""A line a finding: configurations over their seeds, and the findings of a study."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from brainwavlm.errors import RunError
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names, main_target
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.results.comparison import Comparison

if TYPE_CHECKING:
    from brainwavlm.study.claims.table import Claims

_NUMBERS = ["r_frozen", "r_tuned", "low", "high"]
_ABOUT = ["experiment", "group", "tuned_on", "listener", "target", "stories"]
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
    """part, label, experiment, group, tuned_on, listener, target, stories, run, seed, numbers, sentence.

    A row of part `mean` a finding, with r_frozen, r_tuned and the interval of the gain; of part `seed` a cell. A label
    stands for one finding: where two would share one they are counted.

    Parameters
    ----------
    rows : sequence of mapping, or DataFrame
        Gains, of a study's table of claims.
    seeds : DataFrame
        Its table of seeds.
    """
    means = pd.DataFrame(rows)
    means = means[means["r_tuned"].notna()] if len(means) else means
    if means.empty:
        return pd.DataFrame()
    several = means["experiment"].nunique() > 1
    names = [f"{row['experiment']}: " * several + _finding(row) for row in means.to_dict("records")]
    means = means.assign(part="mean", label=counted(names))
    cells = means[["label", "kind", *_ABOUT]].merge(seeds, on=["kind", *_ABOUT])
    cells = cells.rename(columns={"cell": "run"}).assign(part="seed")
    return _sorted([means, cells], ["part", "label", *_ABOUT, "run", "seed", *_NUMBERS, "sentence"])


def differences_table(rows: Rows) -> pd.DataFrame:
    """label, target, listener, group, against, estimate, low, high, seed_low, seed_high, sentence.

    Of the differences in a study's table of claims, those that have an estimate.
    """
    numbers = ["estimate", "low", "high", "seed_low", "seed_high"]
    columns = ["target", "listener", "group", "against", *numbers, "sentence"]
    table = pd.DataFrame(rows, columns=columns).dropna(subset="estimate", ignore_index=True)
    labels = [
        f"{row['target']} of {row['listener']}: {row['group']} − {row['against']}"
        for row in table.to_dict("records")
    ]
    table.insert(0, "label", counted(labels))
    return table.astype(dict.fromkeys(numbers, float))


def counted(labels: Sequence[str]) -> list[str]:
    """The labels, each once: where several would be the same, with their place."""
    return [f"{one} ({n})" if labels.count(one) > 1 else one for n, one in enumerate(labels, start=1)]


def layer_label(row: Mapping[Any, Any]) -> str:
    """Which line a gain by hidden state belongs to."""
    group = "" if row["group"] == "all cells" else f"{row['group']}, "
    return f"{group}{row['target']} of {row['listener']}"


def seeds(places: Sequence[Place], choice: Choice) -> Shown:
    """Tuned r of every run by configuration."""
    tables, simulated = [], False
    for place in places:
        comparison = Comparison.open(place.path)
        simulated |= bool(comparison.summary["simulated"])
        names = list(dict.fromkeys(comparison.groups["target"]))
        targets = chosen_names("target", choice.target or [main_target(names)], names)
        tables.append(seeds_table(comparison, targets))
        missing = tables[-1].query("part == 'mean' and r_tuned.isna()")
        if len(missing):
            path, group = place.path / "groups.csv", missing["group"].iloc[0]
            raise RunError(path, f"no mean of group {group}.", "a number.", "Name another target.")
    return _forest(tables, simulated)


def claims(places: Sequence[Place], choice: Choice) -> Shown:
    """Gains that answer a study's questions."""
    tables, simulated = [], False
    for place in places:
        of_study = claims_at(place)
        rows = claim_rows(of_study, place, choice, ("gain", "transfer"), "scored cells")
        rows = rows[rows["r_tuned"].notna() & (rows["headline"].astype(bool) | bool(choice.target))]
        rows = rows[rows["target"].isin(chosen_names("target", choice.target, rows["target"]))]
        if rows.empty:
            raise RunError(place.path, "no headline among its gains.", "some.", "Name a target.")
        simulated |= bool(rows["simulated"].any())
        tables.append(findings_table(rows, of_study.seeds).drop(columns="sentence"))
    return _forest(tables, simulated)


def claims_at(place: Place) -> "Claims":
    """The findings of a study so far."""
    from brainwavlm.study.claims.table import claims_of
    from brainwavlm.study.folder import open_study

    return claims_of(open_study(place.path))


def claim_rows(
    claims: "Claims", place: Place, choice: Choice, kinds: Sequence[str], needed: str
) -> pd.DataFrame:
    """Rows of a study's table of claims, of some kinds and of the experiments that were asked for.

    Raises
    ------
    RunError
        The study has no such rows.
    ConfigError
        It has no such experiment.
    """
    rows = claims.table[claims.table["kind"].isin(kinds)]
    if rows.empty:
        nothing = f"a study without findings of kind {' or '.join(kinds)}."
        raise RunError(place.path, nothing, f"{needed}.", "See brainwavlm study status.")
    return rows[rows["experiment"].isin(chosen_names("experiment", choice.experiment, rows["experiment"]))]


def _finding(row: Mapping[Any, Any]) -> str:
    """In whom and where, and in which group of cells."""
    group = "" if row["group"] == "all cells" else f": {row['group']}"
    who = f"{row['tuned_on']} → " if row["kind"] == "transfer" else ""
    return f"{who}{row['listener']}, {row['target']}{group}"


def _sorted(tables: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Means, each with its seeds below it."""
    order = {label: place for place, label in enumerate(dict.fromkeys(tables[0]["label"]))}
    table = pd.concat(tables, ignore_index=True).reindex(columns=columns)
    table = table.sort_values("label", key=lambda label: label.map(order), kind="stable", ignore_index=True)
    return table.astype({**dict.fromkeys(_NUMBERS, float), "seed": "Int64"})


def _forest(tables: Sequence[pd.DataFrame], simulated: bool) -> Shown:
    from brainwavlm.reporting.figures.draw_findings import findings

    table = pd.concat(tables, ignore_index=True)
    values = table.assign(r_frozen=table["r_frozen"].where(table["part"] == "mean"))
    return Shown(values, simulated, partial(findings, table))
