"""Tables voxel by voxel: tuned against frozen, the histogram of the change, bars."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names, scored_runs
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.results.evaluation import MOST_GROUPS, REMAINDER, RunVoxels
from brainwavlm.results.schemas import AGAIN

_BINS = 60
_MOST_BARS = 30


def scatter_table(
    scores: RunVoxels, run: str, label: str, groups: Mapping[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """run, label, voxel, group, r_frozen, r_tuned: a row a voxel with both scores.

    `groups` are disjoint bool arrays (n_voxels,) by name; None: `RunVoxels.groups`.
    """
    group = np.full(len(scores.voxel), "", dtype=object)
    for name, members in (scores.groups() if groups is None else groups).items():
        group[members] = name
    columns = {"voxel": scores.voxel, "group": group, "r_frozen": scores.frozen, "r_tuned": scores.tuned}
    return pd.DataFrame({"run": run, "label": label, **columns}).dropna(ignore_index=True)


def histogram_table(scores: RunVoxels, run: str, target: str = "") -> pd.DataFrame:
    """run, target, from, to, voxels, gained, unchanged: how many voxels changed by how much, in bins of equal width.

    One edge is zero, so that no bin holds gains and losses alike: `gained` is true from there on; `unchanged` counts
    the voxels of a bin whose change is exactly zero.
    """
    members = scores.masks[target] if target else slice(None)
    difference = (scores.tuned - scores.frozen)[members]
    difference = difference[np.isfinite(difference)]
    if not difference.size:
        return pd.DataFrame(columns=["run", "target", "from", "to", "voxels", "gained", "unchanged"])
    step = max(float(np.ptp(difference)) / _BINS, 1e-6)
    first, last = np.floor(difference.min() / step), np.ceil(difference.max() / step)
    places = np.arange(first, max(last, first + 1) + 1)
    counts, edges = np.histogram(difference, bins=step * places)
    bins = {"from": edges[:-1], "to": edges[1:], "voxels": counts, "gained": places[:-1] >= 0}
    bins["unchanged"] = (places[:-1] == 0) * (difference == 0).sum()
    return pd.DataFrame({"run": run, "target": target or "all voxels", **bins})


def bars_table(scores: RunVoxels, run: str, label: str, names: Mapping[int, str]) -> pd.DataFrame:
    """run, label, name, r_frozen, r_tuned: a row a voxel where there are few, by its name or number, else a target."""
    if len(scores.voxel) <= _MOST_BARS:
        rows = [names.get(int(voxel), f"voxel {voxel}") for voxel in scores.voxel]
        frozen, tuned = scores.frozen, scores.tuned
    else:
        rows = list(scores.masks)[:_MOST_BARS]
        members = [scores.masks[name] for name in rows]
        frozen, tuned = (
            np.array([pd.Series(values[mask]).mean() for mask in members])
            for values in (scores.frozen, scores.tuned)
        )
    return pd.DataFrame({"run": run, "label": label, "name": rows, "r_frozen": frozen, "r_tuned": tuned})


def single_voxel_names(regions: Mapping[str, np.ndarray]) -> dict[int, str]:
    """Column to name, for regions that are a single voxel: recordings averaged over regions have one column each."""
    return {int(np.flatnonzero(mask)[0]): name for name, mask in regions.items() if mask.sum() == 1}


def scatter(places: Sequence[Place], choice: Choice) -> Shown:
    """Tuned against frozen of every voxel with both."""
    from brainwavlm.reporting.figures.draw_voxels import scatter as draw

    runs = scored_runs(places, choice)
    table = pd.concat(
        [
            scatter_table(run.voxels, run.name, capitalised(run.label), _groups(run.voxels, choice.target))
            for run in runs
        ],
        ignore_index=True,
    )
    if table.empty:
        raise RunError(runs[0].results.path / "voxels.csv", "no voxel with both scores.", "some.", AGAIN)
    return Shown(table, any(run.entry["simulated"] for run in runs), partial(draw, table))


def histogram(places: Sequence[Place], choice: Choice) -> Shown:
    """Voxels by change in one run."""
    from brainwavlm.reporting.figures.draw_voxels import histogram as draw

    runs = scored_runs(places, choice)
    if len(runs) > 1:
        listed = ", ".join(run.name for run in runs)
        raise ConfigError("run", f"{len(runs)} runs.", "one of them.", f"Choose one of {listed}.")
    (run,) = runs
    names = chosen_names("target", choice.target, list(run.voxels.masks)) if choice.target else [""]
    table = histogram_table(run.voxels, run.name, names[0])
    if table.empty:
        raise RunError(run.results.path / "voxels.csv", "no voxel with both scores.", "some.", AGAIN)
    values = table.drop(columns=["gained", "unchanged"])
    return Shown(values, bool(run.entry["simulated"]), partial(draw, table))


def _groups(scores: RunVoxels, targets: Sequence[str]) -> dict[str, np.ndarray]:
    """Disjoint groups of voxels: those of the targets asked for, each voxel in the smallest; else the run's regions."""
    if not targets:
        return scores.groups()
    names = chosen_names("target", targets, list(scores.masks))
    if len(names) > MOST_GROUPS:
        most = f"up to {MOST_GROUPS} colours."
        raise ConfigError("target", f"{len(names)} targets.", most, "Name fewer.")
    left = np.ones(len(scores.voxel), dtype=bool)
    groups = {}
    for name in sorted(names, key=lambda one: int(scores.masks[one].sum())):
        groups[name] = scores.masks[name] & left
        left &= ~scores.masks[name]
    return groups | ({REMAINDER: left} if left.any() else {})
