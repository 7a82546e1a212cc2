"""Surfaces that voxels are shown on: those of nilearn, or the subject's own files of ds003020."""

from dataclasses import dataclass
from functools import cache

import nibabel
import numpy as np
from nilearn.datasets import load_fsaverage, load_fsaverage_data
from nilearn.surface import InMemoryMesh

from brainwavlm.datasets import surfaces
from brainwavlm.datasets.anatomy import VERTICES
from brainwavlm.datasets.base import Dataset, Subject
from brainwavlm.datasets.lebel2023 import Lebel2023
from brainwavlm.errors import DatasetError
from brainwavlm.files import is_listed

SIDES = ("left", "right")
CARRIED = "fsaverage5"  # nilearn has its shapes; every other mesh would need the network


@dataclass(frozen=True)
class Hemisphere:
    """One hemisphere: several shapes of the same vertices, and the columns of the responses at each.

    `shapes` are coordinates (n_vertices, 3) float32 and faces (n_triangles, 3) uint32 by inflated, pial and flat, as
    far as they are there; a flat surface is cut open and has fewer faces. `sulcal` (n_vertices,) bool: deep, drawn
    darker, all False where it is not known. Vertex vertex[i] carries column[i], arrays (n,) int: several, or none.
    """

    shapes: dict[str, InMemoryMesh]
    sulcal: np.ndarray
    vertex: np.ndarray
    column: np.ndarray


@dataclass(frozen=True)
class Mesh:
    """A surface: its name, its hemispheres by `left` and `right`, and what of it is missing, in sentences."""

    name: str
    halves: dict[str, Hemisphere]
    notes: tuple[str, ...] = ()

    @property
    def kinds(self) -> list[str]:
        """Shapes that both hemispheres have."""
        left, right = self.halves.values()
        return [kind for kind in left.shapes if kind in right.shapes]


def mesh_of(subject: Subject, dataset: Dataset | None) -> Mesh:
    """The surface on which a subject's voxels lie; without shapes where only its numbers of vertices are known.

    `dataset` has the subject's own surfaces, for a subject whose voxels lie on them.

    Raises
    ------
    DatasetError
        Surface files that cannot be read.
    ValueError
        There is no surface; `surface_maps.unmappable` says it in words.
    """
    if subject.surface == "native" and isinstance(dataset, Lebel2023):
        return _native(dataset.surface_files(subject.name), subject)
    if subject.surface not in VERTICES or subject.vertex is None or subject.hemisphere is None:
        raise ValueError(f"{subject.name} lies on no surface that is here")
    halves, n_vertices = {}, VERTICES[subject.surface]
    for code, side in enumerate(SIDES):
        here = np.flatnonzero(np.asarray(subject.hemisphere) == code)
        shapes, sulcal = _carried(side) if subject.surface == CARRIED else ({}, np.zeros(n_vertices, bool))
        halves[side] = Hemisphere(shapes, sulcal, np.asarray(subject.vertex)[here], here)
    return Mesh(subject.surface, halves)


def columns_at_vertices(
    volume: np.ndarray, surface_to_voxel: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """c[i] = column of the voxel that holds A (x_i, y_i, z_i, 1); -1 where that voxel is no column.

    The other way round than `surfaces.nearest_vertices`, which gives each voxel one vertex: on a fine surface most
    vertices would then stay empty. Columns are the voxels other than 0 of `volume` (n_x, n_y, n_z), in the order of
    `mask_voxels`; `points` (n_vertices, 3) are of the middle surface, and A is (4, 4). Returns vertex and column (n,)
    of the vertices that lie in a column.
    """
    column = np.full(volume.shape, -1, dtype=np.int32)
    voxels = surfaces.mask_voxels(volume)
    column[tuple(voxels.T)] = np.arange(len(voxels))
    at = np.rint(np.column_stack([points, np.ones(len(points))]) @ np.asarray(surface_to_voxel)[:3].T)
    inside = ((at >= 0) & (at < volume.shape)).all(axis=1)
    at_vertex = np.full(len(points), -1, dtype=np.int32)
    at_vertex[inside] = column[tuple(at[inside].astype(np.int64).T)]
    vertex = np.flatnonzero(at_vertex >= 0)
    return vertex, at_vertex[vertex]


@cache  # each page and figure asks for them
def _carried(side: str) -> tuple[dict[str, InMemoryMesh], np.ndarray]:
    """Shapes of a hemisphere as nilearn has them, and which vertices are in sulci."""
    carried, shapes = load_fsaverage(CARRIED), {}
    for kind in ("inflated", "pial", "flat"):
        part = carried[kind].parts[side]
        points = np.array(part.coordinates, np.float32)
        if kind == "flat":
            points[:, 2] = 0  # nilearn keeps a little relief
        shapes[kind] = InMemoryMesh(points, np.asarray(part.faces, np.uint32))
    sulcal = load_fsaverage_data(mesh=CARRIED, data_type="sulcal").data
    return shapes, np.asarray(sulcal.parts[side]) > 0


def _native(files: surfaces.SurfaceFiles, subject: Subject) -> Mesh:
    """The subject's inflated, pial and flat surfaces, as far as they are here; each vertex takes its voxel's column."""
    volume = np.asarray(surfaces.read_volume(files.mask).dataobj)
    transform = surfaces.read_transform(files.transform / "matrices.xfm")
    halves, notes = {}, []
    for side, name in zip(SIDES, surfaces.HEMISPHERES, strict=True):
        pial = files.surface("pia", name)
        middle = (surfaces.read_points(pial) + surfaces.read_points(files.surface("wm", name))) / 2
        shapes = {}
        for kind in ("inflated", "pial", "flat"):
            file = pial if kind == "pial" else files.surface(kind, name)
            if not is_listed(file):
                continue
            points, triangles = surfaces.read_points(file).astype(np.float32), surfaces.read_triangles(file)
            if len(points) != len(middle):
                found, expected = f"{len(points)} vertices.", f"{len(middle)}, as in {pial.name}."
                remedy = "Take all surfaces from one version of the data set."
                raise DatasetError(file, found, expected, remedy)
            exist = ((triangles >= 0) & (triangles < len(middle))).all(axis=1)  # all corners of a triangle
            triangles = triangles[exist].astype(np.uint32)
            shapes[kind] = InMemoryMesh(_gathered(points, triangles) if kind == "flat" else points, triangles)
        depth, note = _depth(files, name, len(middle))
        notes += note
        halves[side] = Hemisphere(shapes, depth, *columns_at_vertices(volume, transform, middle))
    return Mesh(f"native, {subject.name}", halves, tuple(notes))


def _gathered(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Points (n_vertices, 3) of a flat surface, with those that flattening cut away put in its middle.

    pycortex leaves them where they were on the folded surface, far from the plane: whoever centres or scales by all
    points would show the flatmap small and off centre.
    """
    drawn = np.zeros(len(points), dtype=bool)
    drawn[triangles] = True
    if not drawn.any():
        return points
    middle = (points[drawn].min(axis=0) + points[drawn].max(axis=0)) / 2
    return np.where(drawn[:, None], points, middle).astype(points.dtype)


def _depth(files: surfaces.SurfaceFiles, side: str, n_vertices: int) -> tuple[np.ndarray, list[str]]:
    """Which vertices are in sulci by FreeSurfer's own file, or none of them and the reason."""
    file = files.folder.parent.parent / "freesurfer_subjdir" / files.folder.name / "surf" / f"{side}.sulc"
    try:
        depth = np.asarray(nibabel.freesurfer.read_morph_data(file))
        problem = "" if depth.shape == (n_vertices,) else f"{depth.size} values, not {n_vertices}"
    except FileNotFoundError:
        problem = "no such file"
    except (OSError, ValueError, EOFError, IndexError) as error:
        problem = str(error) or type(error).__name__
    if problem:
        return np.zeros(n_vertices, dtype=bool), [f"Sulci are not drawn darker ({file.name}: {problem})."]
    return depth > 0, []
