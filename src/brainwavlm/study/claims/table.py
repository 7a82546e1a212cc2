"""The table of claims: what each experiment of a study came to, from the cells that are there.

g(i) = r_tuned(i) - r_frozen(i) of cell i, in one listener and target
gain of a group = mean over its seeds of g; interval: jackknife of that mean over test stories
difference of two groups = mean over the seeds that both have of r_tuned; interval likewise
deviation = standard deviation over seeds (n - 1) of what stands beside it
seed_low, seed_high = mean -+ t(n - 1) deviation / sqrt(n)

The first interval holds for these seeds, the second for these stories: a finding has to pass both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from brainwavlm.study.cells import naming
from brainwavlm.study.claims.reading import read_cell
from brainwavlm.study.claims.rows import (
    difference_rows,
    gain_rows,
    minutes_rows,
    nothing_rows,
    spread_rows,
)
from brainwavlm.study.claims.scores import STEPS, CellScores, Group, Kind, groups_of, missing, pairs_of
from brainwavlm.study.claims.sentences import NOTHING, sentence
from brainwavlm.study.claims.verdicts import verdict
from brainwavlm.study.description import Experiment
from brainwavlm.study.folder import StudyFolder

COLUMNS = (
    *("experiment", "claim", "kind", "group", "against", "tuned_on", "listener", "target", "readout"),
    *("layer", "stories", "information", "unit", "n_seeds", "n_missing", "best_epoch"),
    *("r_frozen", "r_tuned", "estimate", "low", "high", "seed_low", "seed_high"),
    *("deviation", "deviation_against", "full_minutes", "headline", "simulated", "verdict", "sentence"),
)
# Targets that answer a claim; other targets are in the table too.
HEADLINES = {3: ("AC",), 4: ("AC", "cortex-AC"), 5: ("LH", "RH"), 16: ("cortex", "AC", "cortex-AC")}
# Kinds of information that answer a claim; elsewhere all that were read off.
INFORMATION = {7: ("semantic",), 8: ("acoustic", "phonetic"), 9: ("semantic",), 14: ("geometry",)}
FEW_GROUPS = 3  # of which each pair is a headline
# Claims that compare groups and are answered by the gain of each; elsewhere what groups differ by answers.
ANSWERED_BY_GAINS = {3: ("gain",), 4: ("gain", "difference"), 5: ("gain",), 16: ("gain",)}


@dataclass(frozen=True)
class Claims:
    """What a study came to.

    Attributes
    ----------
    table : DataFrame
        One row a finding and readout (`voxelwise`, `shared`); best_epoch is a mean over seeds. kind: `gain`,
        `difference` (of tuned r, against another group), `spread` (ratio of the deviations over seeds), `transfer`
        (gain in another listener), `minutes` (of their data that reach the untuned model's score with all), `layer`
        (gain by hidden state), `task` (change of the AUC of a task, by hidden state), `probe` and `probe difference`
        (of how well a feature is read off a hidden state; target is the feature, information its kind, stories the
        control, readout the score), `none`, `no transfer` and `no probes` (no cell of a group is there).
    seeds : DataFrame
        One row a cell, listener, target, state, readout: experiment, group, kind, seed, cell, best_epoch,
        r_frozen, r_tuned.
    missing : DataFrame
        Cells without the scores they should have: cell, experiments, step, state, error.
    simulated : bool
        Whether any of the numbers is.
    """

    table: pd.DataFrame
    seeds: pd.DataFrame
    missing: pd.DataFrame
    simulated: bool


def claims_of(folder: StudyFolder) -> Claims:
    """The findings of a study from its cells so far."""
    named = naming(record.cell.config for record in folder.cells)
    cells = [read_cell(record, named) for record in folder.cells]
    rows: list[dict[str, Any]] = []
    seeds: list[dict[str, Any]] = []
    for name, experiment in folder.study.experiments.items():
        asked = [cell for cell in cells if name in cell.record.cell.experiments]
        groups = groups_of(name, experiment, asked)
        rows += experiment_rows(name, experiment, groups)
        seeds += _seed_rows(name, groups)
    return Claims(
        pd.DataFrame(rows, columns=list(COLUMNS)),
        pd.DataFrame(seeds),
        pd.DataFrame(_missing_rows(cells), columns=["cell", "experiments", "step", "state", "error"]),
        any(cell.simulated for cell in cells),
    )


def experiment_rows(name: str, experiment: Experiment, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """All findings of one experiment; a row that says so for each group of which nothing was scored."""
    pairs = pairs_of(groups, experiment.contrasts)
    findings = [row for group in groups for row in gain_rows(group)]
    findings += [row for pair in pairs for row in difference_rows(*pair)]
    if "adapter.method" in experiment.contrasts:
        findings += [row for pair in pairs for row in spread_rows(*pair)]
    if experiment.transfer is not None:
        findings += [row for g in groups for row in (*gain_rows(g, "transfer"), *minutes_rows(g))]
    if experiment.evaluate.layers is not None:
        findings += [row for group in groups for row in gain_rows(group, "layer")]
    if experiment.evaluate.downstream:
        findings += [row for group in groups for row in gain_rows(group, "task")]
    if experiment.probe is not None:
        findings += [row for group in groups for row in gain_rows(group, "probe")]
        findings += [row for pair in pairs for row in difference_rows(*pair, "probe")]
    findings += [row for group in groups for row in nothing_rows(group)]
    simulated = any(cell.simulated for group in groups for cell in group.cells)
    about = {"experiment": name, "claim": experiment.claim, "simulated": simulated}
    shown = _headlines(experiment, groups, findings)
    configs = {group.label: group.config for group in groups}
    rows = []
    for row, headline in zip(findings, shown, strict=True):
        row = dict.fromkeys(COLUMNS) | about | row | {"headline": headline}
        row["verdict"] = verdict(
            row, configs[row["group"]], configs.get(row["against"]), experiment.contrasts
        )
        row["sentence"] = sentence(row)
        rows.append(row)
    return rows


def _headlines(experiment: Experiment, groups: Sequence[Group], rows: Sequence[dict[str, Any]]) -> list[bool]:
    """Which rows answer the question: in the claim's targets, and of many groups those against the first."""
    wanted = HEADLINES.get(experiment.claim or 0, ("cortex",))
    there = {row.get("target") for row in rows}
    listed = (there.intersection(wanted) or there).union(experiment.evaluate.downstream)
    kinds: tuple[str, ...] = ("gain",)
    if experiment.transfer:
        kinds = ("transfer", "minutes")
    elif experiment.evaluate.layers is not None or experiment.evaluate.downstream:
        kinds = ("layer", "task")
    elif experiment.probe is not None:
        kinds = ("probe", "probe difference")
    elif any(row["kind"] == "difference" for row in rows):
        kinds = ANSWERED_BY_GAINS.get(experiment.claim or 0, ("difference", "spread"))
    allowed = {group.label for group in (groups if len(groups) <= FEW_GROUPS else groups[:1])} | {None}
    layers = {group.label: group.config.backbone.layer for group in groups}
    answers = INFORMATION.get(experiment.claim or 0)

    def is_asked(row: dict[str, Any]) -> bool:
        if row["kind"] in ("probe", "probe difference"):
            wanted = answers is None or row["information"] in answers
        else:
            wanted = row.get("target") in listed
        own = row["kind"] not in ("task", "probe", "probe difference") or row["layer"] == layers[row["group"]]
        return wanted and own and row["kind"] in kinds and row.get("against") in allowed

    return [row["kind"] in NOTHING or is_asked(row) for row in rows]


def _seed_rows(name: str, groups: Sequence[Group]) -> list[dict[str, Any]]:
    kinds: tuple[Kind, ...] = ("gain", "layer", "task", "transfer", "probe")
    columns = ["tuned_on", "listener", "target", "stories", "layer", "readout"]
    columns += ["seed", "cell", "best_epoch", "r_frozen", "r_tuned"]
    return [
        {
            "experiment": name,
            "kind": score.kind,
            "group": group.label,
            **{column: getattr(score, column) for column in columns},
        }
        for group in groups
        for cell in group.cells
        for kind in kinds
        for score in cell.of(kind)
    ]


def _missing_rows(cells: Sequence[CellScores]) -> list[dict[str, Any]]:
    rows = []
    for step in STEPS:
        for cell in missing(cells, step):
            error = dict(cell.errors).get(step) or cell.record.error
            rows.append(
                {
                    "cell": cell.name,
                    "experiments": ", ".join(cell.record.cell.experiments),
                    "step": step,
                    "state": cell.record.state,
                    "error": error,
                }
            )
    return rows
