"""Where in the brain: maps of each run where its voxels lie on a surface, bars where they do not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainwavlm.datasets.base import Subject
from brainwavlm.reporting.figures import MOST_BARS, score_bars
from brainwavlm.reporting.maps import (
    Scale,
    at_vertices,
    brain_figure,
    correlation_scale,
    difference_scale,
    mesh_size,
    useful_views,
)
from brainwavlm.reporting.results import Results, RunVoxels
from brainwavlm.reporting.sources import Source
from brainwavlm.reporting.style import Picture, capitalised

@dataclass(frozen=True)
class Scales:
    """The colour scales that all runs of a report share."""

    correlation: Scale
    difference: Scale


def shared_scales(results: Results) -> Scales:
    """One scale for frozen and tuned r, one for their difference, over every run of an evaluation."""
    voxels = [results.of_run(run["name"]) for run in results.runs]
    return Scales(
        correlation_scale([v for scores in voxels for v in (scores.frozen, scores.tuned)]),
        difference_scale([scores.tuned - scores.frozen for scores in voxels]),
    )


def run_maps(
    scores: RunVoxels, subject: Subject, scales: Scales, label: str, simulated: bool
) -> list[Picture]:
    """Frozen r, tuned r and their difference on the cortex, each with its text alternative."""
    # unmappable() has made sure of these three.
    assert subject.vertex is not None and subject.hemisphere is not None and subject.surface is not None  # noqa: PT018
    hemisphere, vertex = subject.hemisphere[scores.voxel], subject.vertex[scores.voxel]
    views, n_vertices = useful_views(subject), mesh_size(subject.surface)
    pictures = []
    for kind, values, scale, title in (
        ("frozen model's test correlation", scores.frozen, scales.correlation, "Frozen"),
        ("test correlation after tuning", scores.tuned, scales.correlation, label),
        ("difference tuned minus frozen", scores.tuned - scores.frozen, scales.difference, "Difference"),
    ):
        maps = at_vertices(values, hemisphere, vertex, n_vertices)
        
        figure = brain_figure(maps, scale, capitalised(title), simulated, subject.surface, views)
        means = ", ".join(
            f"{name} hemisphere {np.nanmean(values[hemisphere == code]):.3f}"
            for code, name in enumerate(("left", "right"))
            if np.isfinite(values[hemisphere == code]).any()
        )
        pictures.append((figure, f"Cortical map, {label}: {kind}. Mean over voxels: {means}."))
    return pictures


def run_bars(scores: RunVoxels, names: Mapping[int, str], label: str, simulated: bool) -> list[Picture]:
    """Frozen and tuned r as bars: one a voxel where there are few, else one a target."""
    title = capitalised(label)
    if len(scores.voxel) <= MOST_BARS:
        rows = [names.get(int(v), f"voxel {v}") for v in scores.voxel]
        frozen, tuned = scores.frozen, scores.tuned
    else:
        rows = list(scores.masks)[:MOST_BARS]
        frozen = np.array([_mean(scores.frozen[scores.masks[name]]) for name in rows])
        tuned = np.array([_mean(scores.tuned[scores.masks[name]]) for name in rows])
    listed = "; ".join(f"{name} {a:.3f} to {b:.3f}" for name, a, b in zip(rows, frozen, tuned, strict=True))
    return [(score_bars(rows, frozen, tuned, title, simulated), f"Test correlation frozen to tuned, {label}: {listed}.")]


def single_voxel_names(rois: Mapping[str, np.ndarray]) -> dict[int, str]:
    """Column to name, for regions that are a single voxel: region-averaged recordings have one column each."""
    return {int(np.flatnonzero(mask)[0]): name for name, mask in rois.items() if mask.sum() == 1}


def run_pictures(
    results: Results, run: Mapping[str, Any], source: Source, scales: Scales, label: str
) -> tuple[list[Picture], str]:
    """The pictures of one run, and a note that says why there are no maps (empty where there are)."""
    scores = results.of_run(run["name"])
    if source.subject is not None and not source.no_map:
        return run_maps(scores, source.subject, scales, label, run["simulated"]), ""
    names = single_voxel_names(source.subject.rois) if source.subject is not None else {}
    note = f"No cortical map of {run['subject']}: {source.no_map}. Bars instead."
    return run_bars(scores, names, label, run["simulated"]), note


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan
