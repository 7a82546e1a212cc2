"""Cortical maps: voxels put at their vertices, colours for their values.

A vertex without a voxel stays NaN and is drawn as bare cortex (grey, darker in sulci), never as zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from nilearn.datasets import load_fsaverage

from brainwavlm.datasets.base import Subject
from brainwavlm.reporting.figures.style import Style, shipped_style
from brainwavlm.reporting.meshes import Mesh

HEMISPHERES = ("left", "right")
MESHES = ("fsaverage5",)  # the one that nilearn carries; every other would need the network
_MEDIAL_SHARE = 0.1


@dataclass(frozen=True)
class Scale:
    """Colours and their range.

    Attributes
    ----------
    label : str
        What the colours stand for.
    colours : str
        Name of a matplotlib colour map.
    low, high : float
        Values beyond are drawn in the end colours.
    """

    label: str
    colours: str
    low: float
    high: float


def correlation_scale(
    values: Iterable[np.ndarray], label: str = "test correlation r", style: Style | None = None
) -> Scale:
    """From 0 to the 99th percentile of all the values, rounded up: one scale for frozen and tuned of every run.

    Parameters
    ----------
    values : iterable of arrays
        NaN is left out.
    label : str
    style : Style or None
        None: the package's own.
    """
    return Scale(
        label, (style or shipped_style()).colours["correlation"], 0.0, _rounded_up(_percentile(values))
    )


def difference_scale(
    values: Iterable[np.ndarray],
    label: str = "difference in r (tuned − frozen)",
    style: Style | None = None,
) -> Scale:
    """Symmetric around 0, up to the 99th percentile of |values|, rounded up.

    Parameters
    ----------
    values : iterable of arrays
        NaN is left out.
    label : str
    style : Style or None
        None: the package's own.
    """
    high = _rounded_up(_percentile(np.abs(v) for v in values))
    return Scale(label, (style or shipped_style()).colours["difference"], -high, high)


def unmappable(subject: Subject) -> str | None:
    """Why there is no map of this subject, as part of a sentence; None where there can be one."""
    if subject.surface is None or subject.vertex is None or subject.hemisphere is None:
        return "its data say no vertices of a surface for the columns of the responses"
    if subject.surface not in MESHES:
        return f"its voxels lie on the mesh {subject.surface!r}; maps are drawn on {', '.join(MESHES)}"
    n_vertices = mesh_size(subject.surface)
    if subject.vertex.min() < 0 or subject.vertex.max() >= n_vertices:
        return f"it has vertices outside {subject.surface}, which counts 0 to {n_vertices - 1}"
    return None


def location(subject: Subject) -> tuple[np.ndarray, np.ndarray, str]:
    """Hemisphere and vertex of each voxel, and the mesh, of a subject for which `unmappable` is None."""
    if subject.hemisphere is None or subject.vertex is None or subject.surface is None:
        raise ValueError(f"{subject.name} lies on no surface")
    return subject.hemisphere, subject.vertex, subject.surface


def mesh_size(surface: str) -> int:
    """Vertices of one hemisphere."""
    return len(load_fsaverage(surface)["inflated"].parts["left"].coordinates)


def values_at_vertices(mesh: Mesh, voxel: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """m[h][i] = mean of values[v] over the voxels v with a value at vertex i of hemisphere h; NaN where none.

    Parameters
    ----------
    mesh : Mesh
    voxel : array (n_voxels,) int
        Column of each value.
    values : array (n_voxels,)
        NaN: a voxel without a score, left out.

    Returns
    -------
    dict from left and right to array (n_vertices,), float64
    """
    last = max(voxel.max(initial=0), *(half.column.max(initial=0) for half in mesh.halves.values()))
    of_column = np.full(int(last) + 1, np.nan)
    of_column[voxel] = values
    return {
        side: vertex_means(of_column[half.column], half.vertex, len(half.start) - 1)
        for side, half in mesh.halves.items()
    }


def vertex_means(values: np.ndarray, vertex: np.ndarray, n_vertices: int) -> np.ndarray:
    """m[i] = mean of the values at vertex i, those without a number left out; NaN where there are none.

    Parameters
    ----------
    values : array (n,)
    vertex : array (n,)
    n_vertices : int

    Returns
    -------
    array (n_vertices,), float64
    """
    finite = np.isfinite(values)
    at = vertex[finite]
    count = np.bincount(at, minlength=n_vertices)
    total = np.bincount(at, weights=values[finite].astype(np.float64), minlength=n_vertices)
    means = np.full(n_vertices, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def views_of(mesh: Mesh, kind: str) -> tuple[str, ...]:
    """Flat of a flat surface; else lateral, and medial too where a tenth of the columns or more faces the midline."""
    if kind == "flat":
        return ("flat",)
    medial = n_columns = 0
    for half, outward in zip(mesh.halves.values(), (-1, 1), strict=True):
        x = half.points.get("inflated", half.points[kind])[:, 0]
        medial += int((outward * (x[half.vertex] - (x.min() + x.max()) / 2) < 0).sum())
        n_columns += len(half.column)
    return ("lateral", "medial") if medial >= _MEDIAL_SHARE * n_columns else ("lateral",)


def _percentile(values: Iterable[np.ndarray]) -> float:
    pooled = np.concatenate([np.ravel(v) for v in values])
    pooled = pooled[np.isfinite(pooled)]
    return float(np.percentile(pooled, 99)) if pooled.size else 0.0


def _rounded_up(value: float) -> float:
    """The next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten; at least 0.01."""
    value = max(value, 0.01)
    power = 10.0 ** np.floor(np.log10(value) + 1e-9)
    steps = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(np.round(power * steps[np.searchsorted(steps, value / power - 1e-9)], 10))


def shown_scales(frozen: np.ndarray, tuned: np.ndarray, change: np.ndarray) -> dict[str, Scale]:
    """The maps that pictures show, each with its colours: one scale for frozen and tuned r."""
    r = correlation_scale([frozen, tuned])
    return {"r_frozen": r, "r_tuned": r, "difference": difference_scale([change])}
