"""Voxel by voxel: maps on the cortex, tuned against frozen, the histogram of the change."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.brains import Panel, Shape, brain_panels
from brainwavlm.reporting.figures.canvas import Canvas
from brainwavlm.reporting.figures.draw_voxels import (
    VoxelScores,
    difference_bins,
    difference_histogram,
    frozen_against_tuned,
)
from brainwavlm.reporting.figures.drawing import Drawing
from brainwavlm.reporting.figures.folders import Place, chosen_names, scored_runs
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.reporting.figures.quantities import by_column, mesh_behind, scales_of
from brainwavlm.reporting.surface_maps import HEMISPHERES, vertex_means, views_of
from brainwavlm.results.evaluation import REMAINDER, RunVoxels
from brainwavlm.results.schemas import AGAIN

_TITLES = {
    "frozen": "frozen",
    "tuned": "tuned",
    "difference": "tuned − frozen",
    "share": "tuned, share of the ceiling",
    "share-frozen": "frozen, share of the ceiling",
}
_NARROWEST = 1.9  # inches of a panel
_BINS = 60
_MOST_BARS = 30


def scatter_table(
    scores: RunVoxels, run: str, label: str, groups: Mapping[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """run, label, voxel, group, r_frozen, r_tuned: a row a voxel with both scores.

    Parameters
    ----------
    scores : RunVoxels
    run, label : str
    groups : mapping of str to bool array (n_voxels,), or None
        Disjoint; None: `RunVoxels.groups`.
    """
    group = np.full(len(scores.voxel), "", dtype=object)
    for name, members in (scores.groups() if groups is None else groups).items():
        group[members] = name
    columns = {"voxel": scores.voxel, "group": group, "r_frozen": scores.frozen, "r_tuned": scores.tuned}
    return pd.DataFrame({"run": run, "label": label, **columns}).dropna(ignore_index=True)


def histogram_table(scores: RunVoxels, run: str, target: str = "") -> pd.DataFrame:
    """run, target, from, to, voxels: how many voxels changed by how much, in bins of equal width.

    One edge is zero, so that no bin holds gains and losses alike. `gained` is true from there on.

    Parameters
    ----------
    scores : RunVoxels
    run : str
    target : str
        Empty: all voxels.
    """
    members = scores.masks[target] if target else slice(None)
    difference = (scores.tuned - scores.frozen)[members]
    difference = difference[np.isfinite(difference)]
    if not difference.size:
        return pd.DataFrame(columns=["run", "target", "from", "to", "voxels", "gained"])
    step = max(float(np.ptp(difference)) / _BINS, 1e-6)
    first, last = np.floor(difference.min() / step), np.ceil(difference.max() / step)
    places = np.arange(first, max(last, first + 1) + 1)
    counts, edges = np.histogram(difference, bins=step * places)
    bins = {"from": edges[:-1], "to": edges[1:], "voxels": counts, "gained": places[:-1] >= 0}
    return pd.DataFrame({"run": run, "target": target or "all voxels", **bins})


def bars_table(scores: RunVoxels, run: str, label: str, names: Mapping[int, str]) -> pd.DataFrame:
    """run, label, name, r_frozen, r_tuned: a row a voxel where there are few, else a row a target.

    Parameters
    ----------
    scores : RunVoxels
    run, label : str
    names : mapping of int to str
        Of voxels that are a region each.
    """
    if len(scores.voxel) <= _MOST_BARS:
        rows = [names.get(int(voxel), f"voxel {voxel}") for voxel in scores.voxel]
        frozen, tuned = scores.frozen, scores.tuned
    else:
        rows = list(scores.masks)[:_MOST_BARS]
        means = [
            pd.DataFrame({"f": scores.frozen[m], "t": scores.tuned[m]}).mean() for m in scores.masks.values()
        ]
        frozen, tuned = (np.array([mean[key] for mean in means[:_MOST_BARS]]) for key in "ft")
    return pd.DataFrame({"run": run, "label": label, "name": rows, "r_frozen": frozen, "r_tuned": tuned})


def vertices_table(maps: Mapping[str, np.ndarray], run: str, quantity: str) -> pd.DataFrame:
    """run, quantity, hemisphere, vertex, value: a row a vertex with a value.

    Parameters
    ----------
    maps : mapping of left and right to array (n_vertices,)
    run, quantity : str
    """
    frames = []
    for side, values in maps.items():
        vertex = np.flatnonzero(np.isfinite(values))
        columns = {"hemisphere": side, "vertex": vertex, "value": values[vertex]}
        frames.append(pd.DataFrame({"run": run, "quantity": quantity, **columns}))
    return pd.concat(frames, ignore_index=True)


def draw_maps(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """Both hemispheres for each run and quantity. values: run, quantity, hemisphere, vertex, value."""
    runs = scored_runs(places, choice)
    quantities = choice.quantity or ("frozen", "tuned", "difference")
    kind = choice.view or "inflated"
    scales = scales_of(runs, quantities, choice.q, canvas.style)
    panels, frames = [], []
    for run in runs:
        mesh = mesh_behind(run, kind)
        halves = dict(zip(HEMISPHERES, (mesh.left, mesh.right), strict=True))
        shapes = {
            side: Shape(half.points[kind], half.triangles[kind], half.sulcal) for side, half in halves.items()
        }
        at = {
            side: np.repeat(np.arange(len(half.start) - 1), np.diff(half.start))
            for side, half in halves.items()
        }
        around = {
            side: half.points["inflated" if "inflated" in half.points else kind]
            for side, half in halves.items()
        }
        views = ("flat",) if kind == "flat" else views_of(around, at)
        for quantity in quantities:
            values = by_column(
                run, quantity, choice.q, max(half.column.max(initial=0) for half in halves.values())
            )
            maps = {
                side: vertex_means(values[half.column], at[side], len(half.start) - 1)
                for side, half in halves.items()
            }
            name = _TITLES[quantity]
            name = capitalised(name) if len(runs) == 1 else f"{capitalised(run.label)}: {name}"
            panels.append(Panel(name, maps, scales[quantity], shapes, views))
            for side in HEMISPHERES:
                there = np.flatnonzero(np.isfinite(maps[side]))
                frames.append(
                    pd.DataFrame(
                        {
                            "run": run.name,
                            "quantity": quantity,
                            "hemisphere": side,
                            "vertex": there,
                            "value": maps[side][there],
                        }
                    )
                )
    room = max(int(canvas.width / _NARROWEST), 1)
    columns = len(quantities) if len(quantities) <= room else min(room, len(panels)) if len(runs) == 1 else 1
    simulated = any(run.entry["simulated"] for run in runs)
    figure = brain_panels(panels, columns, choice.title, simulated, canvas)
    return Drawing(figure, pd.concat(frames, ignore_index=True), simulated)


def draw_scatter(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """Tuned against frozen of every voxel with both. values: run, voxel, group, r_frozen, r_tuned."""
    runs = scored_runs(places, choice)
    shown, frames = [], []
    for run in runs:
        scores = run.voxels
        groups = coloured(scores, choice.target, len(canvas.style.colours.groups))
        shown.append(VoxelScores(capitalised(run.label), scores.frozen, scores.tuned, groups))
        group = np.full(len(scores.voxel), "", dtype=object)
        for name, members in groups.items():
            group[members] = name
        frames.append(
            pd.DataFrame(
                {
                    "run": run.name,
                    "voxel": scores.voxel,
                    "group": group,
                    "r_frozen": scores.frozen,
                    "r_tuned": scores.tuned,
                }
            ).dropna()
        )
    values = pd.concat(frames, ignore_index=True)
    if values.empty:
        raise RunError(runs[0].results.path / "voxels.csv", "no voxel with both scores.", "some.", AGAIN)
    simulated = any(run.entry["simulated"] for run in runs)
    return Drawing(frozen_against_tuned(shown, choice.title, simulated, canvas), values, simulated)


def draw_histogram(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """Voxels by change in one run. values: run, target, from, to, voxels."""
    runs = scored_runs(places, choice)
    if len(runs) > 1:
        listed = ", ".join(run.name for run in runs)
        raise ConfigError("--run", f"{len(runs)} runs.", "one of them.", f"Choose --run of {listed}.")
    run, scores = runs[0], runs[0].voxels
    (target,) = chosen_names("--target", choice.target, list(scores.masks))[:1] if choice.target else ("",)
    members = scores.masks[target] if target else np.ones(len(scores.voxel), dtype=bool)
    frozen, tuned = scores.frozen[members], scores.tuned[members]
    difference = tuned - frozen
    difference = difference[np.isfinite(difference)]
    if not difference.size:
        raise RunError(run.results.path / "voxels.csv", "no voxel with both scores.", "some.", AGAIN)
    counts, edges = difference_bins(difference)
    values = pd.DataFrame(
        {
            "run": run.name,
            "target": target or "all voxels",
            "from": edges[:-1],
            "to": edges[1:],
            "voxels": counts,
        }
    )
    simulated = bool(run.entry["simulated"])
    return Drawing(difference_histogram(frozen, tuned, choice.title, simulated, canvas), values, simulated)


def coloured(scores: RunVoxels, targets: Sequence[str], most: int) -> dict[str, np.ndarray]:
    """Disjoint groups of voxels: those of the targets asked for, each voxel in the smallest; else the run's regions."""
    if not targets:
        return scores.groups()
    names = chosen_names("--target", targets, list(scores.masks))
    if len(names) > most:
        raise ConfigError("--target", f"{len(names)} targets.", f"up to {most} colours.", "Name fewer.")
    left = np.ones(len(scores.voxel), dtype=bool)
    groups = {}
    for name in sorted(names, key=lambda one: int(scores.masks[one].sum())):
        groups[name] = scores.masks[name] & left
        left &= ~scores.masks[name]
    return groups | ({REMAINDER: left} if left.any() else {})
