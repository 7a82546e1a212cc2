"""Tables of a comparison: runs, groups over their seeds, epochs, and differences between groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.evaluation.statistics.bootstrap import Resampled
from brainwavlm.runs.run import Run


@dataclass(frozen=True)
class Scored:
    """A run with its group, and the names of its rows and of its frozen model among the models on these rows."""

    name: str
    run: Run
    group: str
    frozen: str
    rows: str


def run_table(scored: list[Scored], resampled: Mapping[str, Resampled]) -> pd.DataFrame:
    """One row a run and target."""
    return pd.DataFrame(
        [
            {
                "group": one.group,
                "run": one.name,
                "subject": one.run.config.subject,
                "seed": one.run.config.seed,
                "target": target,
                "n_voxels": resampled[one.rows].n_voxels[target],
                "r_frozen": float(means[one.frozen][0]),
                "r_tuned": float(means[one.name][0]),
                "best_epoch": one.run.best_epoch["epoch"],
            }
            for one in scored
            for target, means in resampled[one.rows].means.items()
        ]
    )


def group_table(groups: list[str], scored: list[Scored], resampled: Mapping[str, Resampled]) -> pd.DataFrame:
    """One row a group and target: spread of r over seeds, and mean gain over the untuned model with its interval."""
    table = []
    for group in groups:
        members = [one for one in scored if one.group == group]
        found = resampled[members[0].rows]
        for target, means in found.means.items():
            r = [float(means[one.name][0]) for one in members]
            gain = _group_mean(members, means) - means[members[0].frozen]
            low, high = found.interval(gain)
            table.append(
                {
                    "group": group,
                    "target": target,
                    "n_voxels": found.n_voxels[target],
                    **_spread(r),
                    "r_frozen": float(means[members[0].frozen][0]),
                    "gain": float(gain[0]),
                    "low": low,
                    "high": high,
                }
            )
    return pd.DataFrame(table)


def epoch_table(values: Mapping[tuple[str, int, str, str], list[float]]) -> pd.DataFrame:
    """One row a group, epoch, score and target, from values by (group, epoch, score, target), one a run."""
    columns = ["group", "epoch", "score", "target"]
    rows = [{**dict(zip(columns, key, strict=True)), **_spread(r)} for key, r in values.items()]
    frame = pd.DataFrame(rows, columns=[*columns, *_spread([0.0])])
    return frame.sort_values(["group", "score", "target", "epoch"], ignore_index=True)


def difference_table(
    groups: list[str], scored: list[Scored], resampled: Mapping[str, Resampled]
) -> pd.DataFrame:
    """One row a pair of groups on the same rows, and target: second minus first, of means over seeds."""
    table = []
    for first, second in combinations(groups, 2):
        members = [[one for one in scored if one.group == group] for group in (first, second)]
        if members[0][0].rows != members[1][0].rows:
            continue
        found = resampled[members[0][0].rows]
        seeds = [{one.run.config.seed: one.name for one in some} for some in members]
        paired = seeds[0].keys() == seeds[1].keys() and all(
            len(some) == len(known) for some, known in zip(members, seeds, strict=True)
        )
        for target, means in found.means.items():
            change = _group_mean(members[1], means) - _group_mean(members[0], means)
            low, high = found.interval(change)
            by_seed = (
                [means[seeds[1][seed]][0] - means[name][0] for seed, name in seeds[0].items()]
                if paired
                else []
            )
            table.append(
                {
                    "first": first,
                    "second": second,
                    "target": target,
                    "difference": float(change[0]),
                    "low": low,
                    "high": high,
                    "n_first": len(members[0]),
                    "n_second": len(members[1]),
                    "deviation_over_seeds": float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else np.nan,
                }
            )
    columns = ["first", "second", "target", "difference", "low", "high", "n_first", "n_second"]
    return pd.DataFrame(table, columns=[*columns, "deviation_over_seeds"])


def _group_mean(members: list[Scored], means: dict[str, np.ndarray]) -> np.ndarray:
    return np.mean([means[one.name] for one in members], axis=0)


def _spread(r: list[float]) -> dict[str, Any]:
    """Over the seeds of a group; one seed has no deviation."""
    return {
        "n_runs": len(r),
        "mean": float(np.mean(r)),
        "deviation": float(np.std(r, ddof=1)) if len(r) > 1 else np.nan,
        "lowest": float(np.min(r)),
        "highest": float(np.max(r)),
    }
