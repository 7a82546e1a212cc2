"""A line a finding: configurations over their seeds, and the findings of a study."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from brainwavlm.errors import RunError
from brainwavlm.reporting.figures.canvas import Canvas
from brainwavlm.reporting.figures.drawing import Drawing
from brainwavlm.reporting.figures.folders import Place, chosen_names
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.reporting.figures.study import finding_label, seed_dots, seeds_of, with_numbers
from brainwavlm.results.comparison import Comparison, read_comparison

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


def draw_seeds(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """Tuned r of every run by configuration. values: a row of part `mean` a group and target, one of part `seed` a run.

    low and high are the interval of the gain over the untuned model.
    """
    lines, dots, rows, simulated = [], [], [], False
    for place in places:
        found = read_comparison(place.path)
        simulated |= bool(found.summary["simulated"])
        there = list(dict.fromkeys(found.groups["target"]))
        targets = chosen_names("--target", choice.target or [_main(there)], there)
        for row in records(found.groups[found.groups["target"].isin(targets)], keep_nan=True):
            if not math.isfinite(row["mean"]):
                remedy = "Name another --target."
                found_ = f"no mean of group {row['group']} in {row['target']}."
                raise RunError(place.path / "groups.csv", found_, "a number.", remedy)
            own = found.runs[(found.runs["group"] == row["group"]) & (found.runs["target"] == row["target"])]
            label = f"{row['group']}, {row['target']}" if len(targets) > 1 else row["group"]
            about = {"group": row["group"], "target": row["target"]}
            numbers = {
                "r_frozen": row["r_frozen"],
                "r_tuned": row["mean"],
                "low": row["low"],
                "high": row["high"],
            }
            lines.append({"label": label, **numbers})
            dots.append(own["r_tuned"].tolist())
            rows.append({"part": "mean", **about, "run": "", "seed": "", **numbers})
            rows += [
                {"part": "seed", **about, "run": one["run"], "seed": one["seed"], "r_tuned": one["r_tuned"]}
                for one in own.to_dict("records")
            ]
    return Drawing(seed_dots(lines, dots, choice.title, simulated, canvas), pd.DataFrame(rows), simulated)


def draw_claims(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """Gains that answer a study's questions. values: as for seeds, with experiment, tuned_on and listener."""
    lines, dots, rows, simulated = [], [], [], False
    for place in places:
        claims = claims_at(place)
        rows_there = claim_rows(claims, place, choice, ("gain", "transfer"), "scored cells")
        shown = [
            row for row in rows_there if row["r_tuned"] is not None and (choice.target or row["headline"])
        ]
        targets = chosen_names("--target", choice.target, [str(row["target"]) for row in shown])
        shown = [with_numbers(row) for row in shown if row["target"] in targets]
        if not shown:
            raise RunError(
                place.path, "no headline among its gains.", "some.", "Name a target with --target."
            )
        simulated |= any(row["simulated"] for row in shown)
        several = len({row["experiment"] for row in shown}) > 1
        seeds = claims.seeds
        for row in shown:
            label = finding_label(row)
            own = seeds_of(row, seeds[seeds["experiment"] == row["experiment"]])
            about = {
                key: row[key] for key in ("experiment", "group", "tuned_on", "listener", "target", "stories")
            }
            lines.append({**row, "label": f"{row['experiment']}: {label}" if several else label})
            dots.append(own["r_tuned"].tolist())
            rows.append(
                {"part": "mean", **about, "run": "", "seed": "", **{key: row[key] for key in _NUMBERS}}
            )
            rows += [
                {"part": "seed", **about, "run": one["cell"], "seed": one["seed"], "r_tuned": one["r_tuned"]}
                for one in own.to_dict("records")
            ]
    return Drawing(seed_dots(lines, dots, choice.title, simulated, canvas), pd.DataFrame(rows), simulated)


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
        found = f"a study without findings of kind {' or '.join(kinds)}."
        raise RunError(place.path, found, f"{needed}.", "See brainwavlm study status.")
    names = chosen_names("--experiment", choice.experiment, [row["experiment"] for row in rows])
    return [row for row in rows if row["experiment"] in names]


def records(frame: pd.DataFrame, keep_nan: bool = False) -> list[dict[str, Any]]:
    """A mapping a row; None where there is nothing, unless NaN is to stay."""
    known = frame if keep_nan else frame.astype(object).where(frame.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in known.to_dict("records")]


def _main(targets: Sequence[str]) -> str:
    return "cortex" if "cortex" in targets else targets[0]
