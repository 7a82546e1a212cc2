"""Maps at the vertices of a surface, and as GIFTI files that Connectome Workbench reads."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiMetaData

from brainwavlm import __version__
from brainwavlm.datasets.anatomy import VERTICES
from brainwavlm.datasets.base import Subject
from brainwavlm.errors import BrainwavlmError
from brainwavlm.reporting.maps.columns import VoxelMap
from brainwavlm.reporting.meshes import Hemisphere, Mesh, by_vertex, mesh_of
from brainwavlm.reporting.sources import Source
from brainwavlm.reporting.surface_maps import vertex_means

SIDES = ("left", "right")
STRUCTURES = {"left": "CortexLeft", "right": "CortexRight"}
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SHAPES = {"inflated": "Inflated", "pial": "Anatomical", "flat": "Flat"}


@dataclass(frozen=True)
class SurfaceColumns:
    """A surface and the columns of the responses at its vertices.

    Attributes
    ----------
    name : str
        fsaverage5, fsaverage6, fsaverage, or `native, ` and the subject.
    columns : dict from left and right to (start, column)
        Vertex i carries column[start[i] : start[i + 1]].
    mesh : Mesh or None
        Its shapes, where they are here.
    """

    name: str
    columns: dict[str, tuple[np.ndarray, np.ndarray]]
    mesh: Mesh | None


def surface_columns(source: Source) -> tuple[SurfaceColumns | None, str]:
    """The surface of a run's subject by the rule of the report page, or why there is none."""
    subject = source.subject
    if subject is None:
        return None, f"No surface: {source.no_map or 'its anatomy is not known'}."
    try:
        if subject.surface in VERTICES and subject.surface != "fsaverage5":
            return _without_shapes(subject), ""
        mesh = mesh_of(subject, source.dataset)
    except BrainwavlmError as error:
        return None, f"No surface: {error.path}: {error.found}"
    except (OSError, ValueError):
        unread = subject.unread.get("surfaces")
        return None, f"No surface: {f'{unread.path}: {unread.found}' if unread else source.no_map}"
    columns = {side: (half.start, half.column) for side, half in mesh.halves.items()}
    return SurfaceColumns(mesh.name, columns, mesh), ""


def at_vertices(one: VoxelMap, voxel: np.ndarray, surface: SurfaceColumns) -> dict[str, np.ndarray]:
    """m[h][i] over the voxels at vertex i that have a value: the mean; of p and q the largest; of a mask whether any.

    The largest p: what is found at a vertex is then found in each of its voxels; a mean of p would be no p. On a
    subject's own surface each vertex has one voxel at most, and the rule does not matter.

    Parameters
    ----------
    one : VoxelMap
    voxel : array (n_voxels,) int
        Column of each value.
    surface : SurfaceColumns

    Returns
    -------
    dict from left and right to array (n_vertices,) float32. NaN where no voxel has a value; 0 of a mask.
    """
    size = 1 + max(
        int(columns.max(initial=-1)) for columns in (voxel, *(c for _, c in surface.columns.values()))
    )
    of_column = np.full(size, np.nan)
    of_column[voxel] = one.values
    maps = {}
    for side, (start, column) in surface.columns.items():
        vertex = np.repeat(np.arange(len(start) - 1), np.diff(start))
        values = of_column[column]
        here = np.isfinite(values)
        maps[side] = _joined(one.kind, values[here], vertex[here], len(start) - 1).astype(np.float32)
    return maps


def map_file(
    maps: Sequence[tuple[VoxelMap, np.ndarray]], side: str, about: str, simulated: bool
) -> GiftiImage:
    """One hemisphere's maps under their names.

    Parameters
    ----------
    maps : sequence of (VoxelMap, array (n_vertices,) float32)
    side : str
        left or right.
    about : str
        Run and subject.
    simulated : bool
        Said in the description of the file and of each map.
    """
    mark = "SIMULATED responses. " if simulated else ""
    arrays = [
        GiftiDataArray(
            np.ascontiguousarray(values, dtype=np.float32),
            intent="NIFTI_INTENT_NONE",
            datatype="NIFTI_TYPE_FLOAT32",
            meta=_texts({"Name": one.name, "Unit": one.unit, "Description": mark + one.meaning}),
        )
        for one, values in maps
    ]
    meta = {"AnatomicalStructurePrimary": STRUCTURES[side], "Description": mark + about, **_program()}
    return GiftiImage(meta=_texts(meta), darrays=arrays)


def shape_files(half: Hemisphere, side: str) -> dict[str, GiftiImage]:
    """The shapes of a hemisphere as surface files, by kind: inflated, pial, flat."""
    files = {}
    for kind, points in half.points.items():
        about = {"AnatomicalStructurePrimary": STRUCTURES[side], "GeometricType": _SHAPES[kind]}
        if kind == "pial":
            about["AnatomicalStructureSecondary"] = "Pial"
        arrays = [
            GiftiDataArray(
                points.astype(np.float32),
                intent="NIFTI_INTENT_POINTSET",
                datatype="NIFTI_TYPE_FLOAT32",
                meta=GiftiMetaData(about),
            ),
            GiftiDataArray(
                half.triangles[kind].astype(np.int32),
                intent="NIFTI_INTENT_TRIANGLE",
                datatype="NIFTI_TYPE_INT32",
                meta=GiftiMetaData({"TopologicalType": "Cut" if kind == "flat" else "Closed"}),
            ),
        ]
        meta = {"AnatomicalStructurePrimary": STRUCTURES[side], **_program()}
        files[kind] = GiftiImage(meta=GiftiMetaData(meta), darrays=arrays)
    return files


def _joined(kind: str, values: np.ndarray, vertex: np.ndarray, n_vertices: int) -> np.ndarray:
    if kind == "value":
        return vertex_means(values, vertex, n_vertices)
    largest = np.full(n_vertices, 0.0 if kind == "mask" else -np.inf)
    np.maximum.at(largest, vertex, values)
    return np.where(np.isfinite(largest), largest, np.nan)


def _without_shapes(subject: Subject) -> SurfaceColumns | None:
    """A standard surface whose shapes are not here; the numbers of its vertices are all that maps need."""
    if subject.hemisphere is None or subject.vertex is None or subject.surface is None:
        raise ValueError(f"{subject.name} has no vertices")
    n_vertices = VERTICES[subject.surface]
    columns = {}
    for code, side in enumerate(SIDES):
        here = np.flatnonzero(np.asarray(subject.hemisphere) == code)
        columns[side] = by_vertex(np.asarray(subject.vertex)[here], here, n_vertices)
    return SurfaceColumns(subject.surface, columns, None)


def _texts(meta: dict[str, str]) -> GiftiMetaData:
    """Metadata, with a question mark for signs that XML has no way to write."""
    return GiftiMetaData({name: _UNWRITABLE.sub("?", text) for name, text in meta.items()})


def _program() -> dict[str, str]:
    return {"ProvenanceProgram": f"brainwavlm {__version__}"}
