"""Cortical maps: where the voxels of runs lie, their values at vertices, and the colours of these.

A vertex without a voxel stays NaN and is drawn as bare cortex (grey, darker in sulci), never as zero.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig, stored_config
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.anatomy import VERTICES
from brainwavlm.datasets.base import Dataset, Subject
from brainwavlm.errors import BrainwavlmError
from brainwavlm.reporting.figures.style import COLOUR_MAPS
from brainwavlm.reporting.meshes import CARRIED, Mesh, mesh_of
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.partition import Partition

OfVoxels = Evaluation | Partition  # results with a number for each voxel


@dataclass(frozen=True)
class Source:
    """Where a run's numbers come from: data set and subject are None where they are gone, or not those evaluated.

    `mesh` is the surface on which the voxels lie; a subject's own too, and one whose shapes are not here. `no_map` and
    `no_mesh` say why there can be no map on nilearn's surface, and no mesh, as part of a sentence, or are empty.
    """

    config: RunConfig
    dataset: Dataset | None
    subject: Subject | None
    no_map: str
    mesh: Mesh | None = None
    no_mesh: str = ""


def sources_of(results: OfVoxels) -> dict[str, Source]:
    """The source of each run, by its name; where voxels lie is read from the data sets."""
    sources: dict[str, Source] = {}
    meshes: dict[tuple[str, ...], tuple[Mesh | None, str]] = {}  # by subject
    for run in results.runs:
        config = stored_config(run["config"], str(results.path / "summary.json"))
        dataset, subject, no_map = _read(results, run, config.dataset)
        key = (run["subject"], no_map, str(dataset and dataset.path))
        if key not in meshes:
            meshes[key] = _mesh(dataset, subject, no_map)
        sources[run["name"]] = Source(config, dataset, subject, no_map, *meshes[key])
    return sources


def _read(results: OfVoxels, run: Mapping[str, Any], path: str) -> tuple[Dataset | None, Subject | None, str]:
    """A run's data set and subject, if they are those evaluated; and why there can be no map on nilearn's surface."""
    try:
        dataset = load_dataset(path)
        subject = dataset.subject(run["subject"])
        reason = _another(results, run, dataset, subject)
    except (BrainwavlmError, OSError, ValueError) as error:
        told = f"{error.path}: {error.found}" if isinstance(error, BrainwavlmError) else error
        reason = f"the data set cannot be read any more ({told})"
    return (None, None, reason) if reason else (dataset, subject, unmappable(subject) or "")


def _mesh(dataset: Dataset | None, subject: Subject | None, no_map: str) -> tuple[Mesh | None, str]:
    if subject is None or (no_map and subject.surface == CARRIED):
        return None, no_map
    try:
        return mesh_of(subject, dataset), ""
    except BrainwavlmError as error:
        return None, f"{error.path}: {error.found}"
    except (OSError, ValueError):
        unread = subject.unread.get("surfaces")
        reason = f"{unread.path}: {unread.found}" if unread else no_map
        return None, reason or "its surfaces cannot be read"


def unmappable(subject: Subject) -> str | None:
    """Why there is no map of this subject, as part of a sentence; None where there can be one."""
    if subject.surface is None or subject.vertex is None or subject.hemisphere is None:
        return "its data say no vertices of a surface for the columns of the responses"
    if subject.surface != CARRIED:
        return f"its voxels lie on the mesh {subject.surface!r}; maps are drawn on {CARRIED}"
    if subject.vertex.min() < 0 or subject.vertex.max() >= VERTICES[CARRIED]:
        return f"it has vertices outside {CARRIED}, which counts 0 to {VERTICES[CARRIED] - 1}"
    return None


def _another(results: OfVoxels, run: Mapping[str, Any], dataset: Dataset, subject: Subject) -> str:
    """Why the data set is not the one that was evaluated, as part of a sentence; empty where it is."""
    evaluated = run["frozen"]
    if dataset.name != evaluated["dataset"]:
        return f"the data set found is {dataset.name}, the one evaluated was {evaluated['dataset']}"
    # Whole cortex is scored: a column is scored or unusable, perhaps for several reasons at once.
    all_scored = run["config"].get("quirks", {}).get("nan_voxels")
    unusable = [] if all_scored else evaluated["unusable_voxels"].values()
    fewest, most = (evaluated["n_voxels"] + some for some in (max(unusable, default=0), sum(unusable)))
    largest = results.of_run(run["name"]).voxel.max()
    if not fewest <= subject.n_voxels <= most:
        had = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
        return f"the data set found has {subject.n_voxels:,} voxels, the one evaluated had {had}"
    if largest >= subject.n_voxels:
        return f"the data set found has {subject.n_voxels:,} voxels, the evaluation scored voxel {largest}"
    return ""


@dataclass(frozen=True)
class Scale:
    """What colours stand for, the name of a matplotlib colour map, and its ends, which values beyond them take too."""

    label: str
    colours: str
    low: float
    high: float


def difference_scale(values: Iterable[np.ndarray], label: str, colours: str) -> Scale:
    """Symmetric around 0, up to the 99th percentile of |values| but NaN, rounded up."""
    high = _end(np.abs(v) for v in values)
    return Scale(label, colours, -high, high)


def shown_scales(
    runs: Sequence[Mapping[str, np.ndarray]],
    unit: str = "test correlation r",
    colours: Mapping[str, str] = COLOUR_MAPS,
) -> dict[str, Scale]:
    """The scale of each map over all runs: one for each difference, and one for both models' values.

    That one is from 0 to the 99th percentile but NaN, rounded up.
    """
    pooled: dict[str, list[np.ndarray]] = {}
    for name, values in (item for maps in runs for item in maps.items()):
        pooled.setdefault(name if name.endswith("difference") else "", []).append(values)
    label = f"difference in {unit.replace('correlation ', '')}"
    scales = {
        name: difference_scale(some, label, colours["difference"]) for name, some in pooled.items() if name
    }
    scale = Scale(unit, colours["correlation"], 0.0, _end(pooled.get("", [])))
    return {name: scales.get(name, scale) for maps in runs for name in maps}


def values_at_vertices(
    mesh: Mesh, voxel: np.ndarray, values: np.ndarray, kind: str = "value"
) -> dict[str, np.ndarray]:
    """m[h][i] over the voxels at vertex i that have a value: the mean; of p and q the largest; of a mask whether any.

    The largest p: what is found at a vertex is then found in each of its voxels; a mean of p would be no p. On a
    subject's own surface each vertex has one voxel at most, and the rule does not matter.

    Parameters
    ----------
    mesh : Mesh
    voxel, values : arrays (n_voxels,)
        Column of each value; NaN is a voxel without a score, left out.
    kind : str
        value, chance (p and q), or mask.

    Returns
    -------
    dict from left and right to array (n_vertices,), float64. NaN where no voxel has a value; 0 of a mask.
    """
    last = max(voxel.max(initial=0), *(half.column.max(initial=0) for half in mesh.halves.values()))
    of_column = np.full(int(last) + 1, np.nan)
    of_column[voxel] = values
    return {
        side: _joined(kind, of_column[half.column], half.vertex, len(half.sulcal))
        for side, half in mesh.halves.items()
    }


def _joined(kind: str, values: np.ndarray, vertex: np.ndarray, n_vertices: int) -> np.ndarray:
    finite = np.isfinite(values)
    values, vertex = values[finite], vertex[finite]
    if kind == "value":
        count = np.bincount(vertex, minlength=n_vertices)
        total = np.bincount(vertex, weights=values, minlength=n_vertices)
        return np.divide(total, count, out=np.full(n_vertices, np.nan), where=count > 0)
    largest = np.full(n_vertices, 0.0 if kind == "mask" else -np.inf)
    np.maximum.at(largest, vertex, values)
    return np.where(np.isfinite(largest), largest, np.nan)


def _end(values: Iterable[np.ndarray]) -> float:
    """Their 99th percentile, up to the next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten; at least 0.01."""
    pooled = np.concatenate([np.empty(0), *(np.ravel(v) for v in values)])
    pooled = pooled[np.isfinite(pooled)]
    value = max(float(np.percentile(pooled, 99)) if pooled.size else 0.0, 0.01)
    power = 10.0 ** np.floor(np.log10(value) + 1e-9)
    steps = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(np.round(power * steps[np.searchsorted(steps, value / power - 1e-9)], 10))
