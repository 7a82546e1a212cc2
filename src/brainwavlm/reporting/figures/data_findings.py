"""A line a finding: configurations over their seeds, and the findings of a study."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainwavlm.errors import RunError
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.results.comparison import Comparison

if TYPE_CHECKING:
    from brainwavlm.study.claims.table import Claims

_NUMBERS = ("r_frozen", "r_tuned", "low", "high")
_ABOUT = ("experiment", "group", "tuned_on", "listener", "target", "stories")
Row = Mapping[str, Any]


def seeds_table(comparison: Comparison, targets: Sequence[str]) -> pd.DataFrame:
    """part, label, group, target, run, seed, r_frozen, r_tuned, low, high.

    A row of part `mean` a group and target, with the interval of the gain; of part `seed` a run.

    Parameters
    ----------
    comparison : Comparison
    targets : sequence of str
    """
    frames = []
    for row in comparison.groups[comparison.groups["target"].isin(targets)].to_dict("records"):
        about = {"group": row["group"], "target": row["target"]}
        label = f"{row['group']}, {row['target']}" if len(targets) > 1 else row["group"]
        runs = comparison.runs
        runs = runs[(runs["group"] == row["group"]) & (runs["target"] == row["target"])]
        numbers = {
            "r_frozen": row["r_frozen"],
            "r_tuned": row["mean"],
            "low": row["low"],
            "high": row["high"],
        }
        mean = {"part": "mean", "label": label, **about, "run": "", "seed": "", **numbers}
        frames.append(pd.DataFrame([mean]))
        frames.append(runs[["run", "seed", "r_frozen", "r_tuned"]].assign(part="seed", label=label, **about))
    return pd.concat(frames, ignore_index=True)


def findings_table(rows: Sequence[Row], seeds: pd.DataFrame) -> pd.DataFrame:
    """part, label, experiment, group, tuned_on, listener, target, stories, run, seed, numbers, sentence.

    A row of part `mean` a finding, with r_frozen, r_tuned and the interval of the gain; of part `seed` a cell. A label
    stands for one finding: where two would share one they are counted.

    Parameters
    ----------
    rows : sequence of mapping
        Gains, of a study's table of claims.
    seeds : DataFrame
        Its table of seeds.
    """
    rows = [row for row in map(with_numbers, rows) if row["r_tuned"] is not None]
    several = len({row["experiment"] for row in rows}) > 1
    labels = [f"{row['experiment']}: {finding_label(row)}" if several else finding_label(row) for row in rows]
    frames = []
    for row, label in zip(rows, counted(labels), strict=True):
        cells = seeds_of(row, seeds[seeds["experiment"] == row["experiment"]])
        about = {"label": label, **{key: row[key] for key in _ABOUT}}
        numbers = {key: row[key] for key in _NUMBERS}
        mean = {"part": "mean", **about, "run": "", "seed": "", **numbers, "sentence": row["sentence"]}
        frames.append(pd.DataFrame([mean]))
        frames.append(
            cells[["cell", "seed", "r_frozen", "r_tuned"]]
            .rename(columns={"cell": "run"})
            .assign(part="seed", **about)
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def differences_table(rows: Sequence[Row]) -> pd.DataFrame:
    """label, target, listener, group, against, estimate, low, high, seed_low, seed_high, sentence: a row a difference.

    Parameters
    ----------
    rows : sequence of mapping
        Of kind `difference`, of a study's table of claims; those without an estimate are left out.
    """
    rows = [row for row in rows if row["estimate"] is not None]
    labels = counted(
        [f"{row['target']} of {row['listener']}: {row['group']} − {row['against']}" for row in rows]
    )
    numbers = ("estimate", "low", "high", "seed_low", "seed_high")
    columns = ("target", "listener", "group", "against", *numbers, "sentence")
    table = pd.DataFrame([{key: row[key] for key in columns} for row in rows], columns=list(columns))
    table.insert(0, "label", labels)
    return table.astype(dict.fromkeys(numbers, float))


def counted(labels: Sequence[str]) -> list[str]:
    """The labels, each once: where several would be the same, with their place."""
    return [
        f"{label} ({place})" if labels.count(label) > 1 else label
        for place, label in enumerate(labels, start=1)
    ]


def seeds(places: Sequence[Place], choice: Choice) -> Shown:
    """Tuned r of every run by configuration."""
    tables, simulated = [], False
    for place in places:
        comparison = Comparison.open(place.path)
        simulated |= bool(comparison.summary["simulated"])
        names = list(dict.fromkeys(comparison.groups["target"]))
        targets = chosen_names("--target", choice.target or [main_target(names)], names)
        tables.append(seeds_table(comparison, targets))
        means = tables[-1][tables[-1]["part"] == "mean"]
        for row in means[means["r_tuned"].isna()].to_dict("records"):
            missing = f"no mean of group {row['group']} in {row['target']}."
            raise RunError(place.path / "groups.csv", missing, "a number.", "Name another --target.")
    return _forest(pd.concat(tables, ignore_index=True), simulated)


def claims(places: Sequence[Place], choice: Choice) -> Shown:
    """Gains that answer a study's questions."""
    tables, simulated = [], False
    for place in places:
        of_study = claims_at(place)
        rows = claim_rows(of_study, place, choice, ("gain", "transfer"), "scored cells")
        rows = [row for row in rows if row["r_tuned"] is not None and (choice.target or row["headline"])]
        targets = chosen_names("--target", choice.target, [str(row["target"]) for row in rows])
        rows = [row for row in rows if row["target"] in targets]
        if not rows:
            raise RunError(
                place.path, "no headline among its gains.", "some.", "Name a target with --target."
            )
        simulated |= any(row["simulated"] for row in rows)
        tables.append(findings_table(rows, of_study.seeds).drop(columns="sentence"))
    return _forest(pd.concat(tables, ignore_index=True), simulated)


def _forest(table: pd.DataFrame, simulated: bool) -> Shown:
    from brainwavlm.reporting.figures.draw_findings import findings

    values = table.assign(r_frozen=table["r_frozen"].where(table["part"] == "mean"))
    return Shown(values, simulated, partial(findings, table))


def claims_at(place: Place) -> "Claims":
    """The findings of a study so far."""
    from brainwavlm.study.claims.table import claims_of
    from brainwavlm.study.folder import open_study

    return claims_of(open_study(place.path))


def claim_rows(
    claims: "Claims", place: Place, choice: Choice, kinds: Sequence[str], needed: str
) -> list[dict[str, Any]]:
    """Rows of a study's table of claims, of some kinds and of the experiments that were asked for; None for no number.

    Raises
    ------
    RunError
        The study has no such rows.
    ConfigError
        It has no such experiment.
    """
    rows = [row for row in records(claims.table) if row["kind"] in kinds]
    if not rows:
        nothing = f"a study without findings of kind {' or '.join(kinds)}."
        raise RunError(place.path, nothing, f"{needed}.", "See brainwavlm study status.")
    names = chosen_names("--experiment", choice.experiment, [row["experiment"] for row in rows])
    return [row for row in rows if row["experiment"] in names]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A mapping a row; None where there is nothing."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def with_numbers(row: Row) -> dict[str, Any]:
    """A row of the table of claims, with NaN where it has no estimate or interval."""
    return {**row, **{key: np.nan if row[key] is None else row[key] for key in ("low", "high", "estimate")}}


def seeds_of(row: Row, seeds: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table of seeds behind a finding."""
    same = seeds["kind"] == row["kind"]
    for key in ("group", "tuned_on", "listener", "target", "stories"):
        same &= seeds[key] == row[key]
    return seeds[same]


def finding_label(row: Row) -> str:
    """In whom and where, and in which group of cells."""
    group = "" if row["group"] == "all cells" else f": {row['group']}"
    if row["kind"] == "transfer":
        return f"{row['tuned_on']} → {row['listener']}, {row['target']}{group}"
    return f"{row['listener']}, {row['target']}{group}"


def layer_label(row: Row) -> str:
    """Which line a gain by hidden state belongs to."""
    group = "" if row["group"] == "all cells" else f"{row['group']}, "
    return f"{group}{row['target']} of {row['listener']}"


def main_target(targets: Sequence[str]) -> str:
    """Whole cortex where it is there, else the first."""
    return "cortex" if "cortex" in targets else targets[0]
