"""Tables of a comparison: runs, groups over their seeds, epochs, and differences between groups."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.results.estimates import Estimate, Score, deviation, gain, mean_difference, mean_over_seeds


@dataclass(frozen=True)
class RunScore(Score):
    """A run in one target, by voxel-wise ridge; scores with the same `rows` are of the same responses.

    `shared` is its score by the readout whose directions all voxels share.
    """

    shared: Score
    run: str
    group: str
    subject: str
    target: str
    n_voxels: int
    best_epoch: int


def run_table(scores: Iterable[RunScore]) -> pd.DataFrame:
    """One row a run and target."""
    columns = ("group", "run", "subject", "seed", "target", "n_voxels", "r_frozen", "r_tuned", "best_epoch")
    return pd.DataFrame(
        [
            {name: getattr(score, name) for name in columns}
            | {"shared_frozen": score.shared.r_frozen, "shared_tuned": score.shared.r_tuned}
            for score in scores
        ]
    )


def group_table(scores: Iterable[RunScore]) -> pd.DataFrame:
    """One row a group and target: spread of r over seeds, and mean gain over the untuned model with its interval."""
    table = []
    for (group, target), members in by_target(scores).items():
        estimate, low, high = mean_over_seeds(members, gain)
        shared = [score.shared for score in members]
        table.append(
            {
                "group": group,
                "target": target,
                "n_voxels": members[0].n_voxels,
                **_spread([score.r_tuned for score in members]),
                "r_frozen": float(np.mean([score.r_frozen for score in members])),
                "gain": estimate,
                "low": low,
                "high": high,
                "shared_mean": float(np.mean([score.r_tuned for score in shared])),
                "shared_frozen": float(np.mean([score.r_frozen for score in shared])),
                **_shared("gain", mean_over_seeds(shared, gain)),
            }
        )
    return pd.DataFrame(table)


def epoch_table(values: Mapping[tuple[str, int, str, str], list[float]]) -> pd.DataFrame:
    """One row a group, epoch, score and target, from values by (group, epoch, score, target), one a run."""
    columns = ["group", "epoch", "score", "target"]
    rows = [{**dict(zip(columns, key, strict=True)), **_spread(r)} for key, r in values.items()]
    frame = pd.DataFrame(rows, columns=[*columns, *_spread([0.0])])
    return frame.sort_values(["group", "score", "target", "epoch"], ignore_index=True)


def difference_table(scores: Iterable[RunScore]) -> pd.DataFrame:
    """One row a pair of groups on the same rows, and target: second minus first, of means over seeds."""
    table = []
    groups = by_target(scores)
    names = dict.fromkeys(group for group, _ in groups)
    for first, second in combinations(names, 2):
        for target in (target for group, target in groups if group == first and (second, target) in groups):
            members = groups[first, target], groups[second, target]
            if members[0][0].rows != members[1][0].rows:
                continue
            difference, low, high = mean_difference(*members)
            table.append(
                {
                    "first": first,
                    "second": second,
                    "target": target,
                    "difference": difference,
                    "low": low,
                    "high": high,
                    "n_first": len(members[0]),
                    "n_second": len(members[1]),
                    "deviation_over_seeds": _paired_deviation(*members),
                    **_shared("difference", mean_difference(*([s.shared for s in some] for some in members))),
                }
            )
    columns = ["first", "second", "target", "difference", "low", "high", "n_first", "n_second"]
    columns += ["deviation_over_seeds", "shared_difference", "shared_low", "shared_high"]
    return pd.DataFrame(table, columns=columns)


def _shared(name: str, estimate: Estimate) -> dict[str, float]:
    return dict(zip((f"shared_{name}", "shared_low", "shared_high"), estimate, strict=True))


def by_target(scores: Iterable[RunScore]) -> dict[tuple[str, str], list[RunScore]]:
    """Scores of each group in each target that all its runs have."""
    groups: dict[str, set[str]] = {}
    members: dict[tuple[str, str], list[RunScore]] = {}
    for score in scores:
        groups.setdefault(score.group, set()).add(score.run)
        members.setdefault((score.group, score.target), []).append(score)
    return {key: some for key, some in members.items() if len(some) == len(groups[key[0]])}


def _paired_deviation(first: Sequence[RunScore], second: Sequence[RunScore]) -> float:
    """Deviation over seeds of the difference; NaN where the groups have not the same seeds, each once."""
    before, after = ({score.seed: score.r_tuned for score in scores} for scores in (first, second))
    if before.keys() != after.keys() or (len(before), len(after)) != (len(first), len(second)):
        return np.nan
    return deviation([after[seed] - before[seed] for seed in before])


def _spread(r: Sequence[float]) -> dict[str, Any]:
    """Over the seeds of a group; one seed has no deviation."""
    return {
        "n_runs": len(r),
        "mean": float(np.mean(r)),
        "deviation": deviation(r),
        "lowest": float(np.min(r)),
        "highest": float(np.max(r)),
    }
