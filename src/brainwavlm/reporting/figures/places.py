"""Where in the brain: maps of each run where its voxels lie on a surface, bars where they do not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainwavlm.datasets.base import Subject
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.brains import brain_figure
from brainwavlm.reporting.figures.draw import MOST_BARS, score_bars
from brainwavlm.reporting.figures.style import Picture
from brainwavlm.reporting.sources import Source
from brainwavlm.reporting.surface_maps import (
    Scale,
    at_vertices,
    correlation_scale,
    difference_scale,
    location,
    mesh_size,
    useful_views,
)
from brainwavlm.results.evaluation import Results, RunVoxels


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


@dataclass(frozen=True)
class Layer:
    """One map of a run: what it shows, in long and short words, its colours and its values at vertices."""

    kind: str
    short: str
    scale: Scale
    maps: dict[str, np.ndarray]
    surface: str


def run_layers(scores: RunVoxels, subject: Subject, scales: Scales) -> list[Layer]:
    """Frozen r, tuned r and their difference at the vertices of a surface.

    Parameters
    ----------
    scores : RunVoxels
    subject : Subject
        One for which `unmappable` is None.
    scales : Scales
    """
    hemisphere, vertex, surface = location(subject)
    here = hemisphere[scores.voxel], vertex[scores.voxel], mesh_size(surface)
    return [
        Layer(kind, short, scale, at_vertices(values, *here), surface)
        for kind, short, scale, values in (
            ("test correlation of the frozen model", "Frozen", scales.correlation, scores.frozen),
            ("test correlation after tuning", "Tuned", scales.correlation, scores.tuned),
            ("difference tuned minus frozen", "Difference", scales.difference, scores.tuned - scores.frozen),
        )
    ]


def run_maps(
    scores: RunVoxels, subject: Subject, scales: Scales, label: str, simulated: bool
) -> list[Picture]:
    """Frozen r, tuned r and their difference on the cortex, each with its text alternative."""
    views = useful_views(subject)
    pictures = []
    for layer in run_layers(scores, subject, scales):
        means = "; ".join(f"{name} hemisphere {_mean(values):.3f}" for name, values in layer.maps.items())
        title = capitalised(label) if layer.short == "Tuned" else layer.short
        pictures.append(
            (
                brain_figure(layer.maps, layer.scale, title, simulated, layer.surface, views),
                f"Cortical map, {label}: {layer.kind}. Mean over vertices with voxels: {means}.",
            )
        )
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
    alternative = f"Test correlation frozen to tuned, {label}: {listed}."
    return [(score_bars(rows, frozen, tuned, title, simulated), alternative)]


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
