"""Cortical maps: voxels put at their vertices, colours for their values.

A vertex without a voxel stays NaN and is drawn as bare cortex (grey, darker in sulci), never as zero.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brainwavlm.datasets.anatomy import VERTICES
from brainwavlm.datasets.base import Subject
from brainwavlm.reporting.figures.style import COLOUR_MAPS
from brainwavlm.reporting.meshes import CARRIED, Mesh

_MEDIAL_SHARE = 0.1


@dataclass(frozen=True)
class Scale:
    """What colours stand for, the name of a matplotlib colour map, and its ends, which values beyond them take too."""

    label: str
    colours: str
    low: float
    high: float


def difference_scale(values: Iterable[np.ndarray], label: str, colours: str) -> Scale:
    """Symmetric around 0, up to the 99th percentile of |values| but NaN, rounded up."""
    high = _rounded_up(_percentile(np.abs(v) for v in values))
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
    scale = Scale(unit, colours["correlation"], 0.0, _rounded_up(_percentile(pooled.get("", []))))
    return {name: scales.get(name, scale) for maps in runs for name in maps}


def unmappable(subject: Subject) -> str | None:
    """Why there is no map of this subject, as part of a sentence; None where there can be one."""
    if subject.surface is None or subject.vertex is None or subject.hemisphere is None:
        return "its data say no vertices of a surface for the columns of the responses"
    if subject.surface != CARRIED:
        return f"its voxels lie on the mesh {subject.surface!r}; maps are drawn on {CARRIED}"
    if subject.vertex.min() < 0 or subject.vertex.max() >= VERTICES[CARRIED]:
        return f"it has vertices outside {CARRIED}, which counts 0 to {VERTICES[CARRIED] - 1}"
    return None


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


def views_of(mesh: Mesh, kind: str) -> tuple[str, ...]:
    """Flat of a flat surface; else lateral, and medial too where a tenth of the columns or more faces the midline."""
    if kind == "flat":
        return ("flat",)
    medial = n_columns = 0
    for half, outward in zip(mesh.halves.values(), (-1, 1), strict=True):
        x = half.shapes.get("inflated", half.shapes[kind]).coordinates[:, 0]
        medial += int((outward * (x[half.vertex] - (x.min() + x.max()) / 2) < 0).sum())
        n_columns += len(half.column)
    return ("lateral", "medial") if medial >= _MEDIAL_SHARE * n_columns else ("lateral",)


def _percentile(values: Iterable[np.ndarray]) -> float:
    pooled = np.concatenate([np.empty(0), *(np.ravel(v) for v in values)])
    pooled = pooled[np.isfinite(pooled)]
    return float(np.percentile(pooled, 99)) if pooled.size else 0.0


def _rounded_up(value: float) -> float:
    """The next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten; at least 0.01."""
    value = max(value, 0.01)
    power = 10.0 ** np.floor(np.log10(value) + 1e-9)
    steps = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(np.round(power * steps[np.searchsorted(steps, value / power - 1e-9)], 10))
