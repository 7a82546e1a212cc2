"""Surfaces that voxels are shown on: fsaverage5 from nilearn, or the subject's own files of ds003020."""

from dataclasses import dataclass

import nibabel
import numpy as np
from nilearn.datasets import load_fsaverage, load_fsaverage_data

from brainwavlm.datasets.base import Dataset, Subject
from brainwavlm.datasets.lebel2023 import Lebel2023
from brainwavlm.datasets.surfaces import (
    HEMISPHERES,
    SurfaceFiles,
    mask_voxels,
    read_points,
    read_transform,
    read_triangles,
    read_volume,
)
from brainwavlm.errors import DatasetError
from brainwavlm.files import is_listed

_SIDES = ("left", "right")


@dataclass(frozen=True)
class Hemisphere:
    """One hemisphere: several shapes of the same vertices, and the columns of the responses at each.

    Attributes
    ----------
    points : dict of str to array (n_vertices, 3) float32
        inflated, pial, flat: as far as they are there.
    triangles : dict of str to array (n_triangles, 3) uint32
        By the same names; a flat surface is cut open and has fewer.
    sulcal : array (n_vertices,) bool
        Deep: drawn darker. All False where it is not known.
    start, column : arrays (n_vertices + 1,), (n,) int32
        Vertex i carries column[start[i] : start[i + 1]].
    """

    points: dict[str, np.ndarray]
    triangles: dict[str, np.ndarray]
    sulcal: np.ndarray
    start: np.ndarray
    column: np.ndarray

    @property
    def vertex(self) -> np.ndarray:
        """Vertex of each of `column`, array (n,)."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))


@dataclass(frozen=True)
class Mesh:
    """Both hemispheres of a surface, its name, and what of it is missing, in sentences."""

    name: str
    left: Hemisphere
    right: Hemisphere
    notes: tuple[str, ...] = ()

    @property
    def halves(self) -> dict[str, Hemisphere]:
        """The hemispheres by `left` and `right`."""
        return {"left": self.left, "right": self.right}

    @property
    def kinds(self) -> list[str]:
        """Shapes that both hemispheres have."""
        return [kind for kind in self.left.points if kind in self.right.points]


def mesh_of(subject: Subject, dataset: Dataset | None) -> Mesh:
    """The surfaces on which a subject's voxels lie.

    Parameters
    ----------
    subject : Subject
    dataset : Dataset or None
        Where the subject's own surfaces are, for a subject whose voxels lie on them.

    Raises
    ------
    DatasetError
        Surface files that cannot be read.
    ValueError
        There is nothing to draw on; `maps.unmappable` says it in words.
    """
    if subject.surface == "native" and isinstance(dataset, Lebel2023):
        return _native(dataset.surface_files(subject.name), subject)
    if subject.surface == "fsaverage5" and subject.vertex is not None and subject.hemisphere is not None:
        return _fsaverage(subject.surface, subject.hemisphere, subject.vertex)
    raise ValueError(f"{subject.name} lies on no surface that is here")


def by_vertex(vertex: np.ndarray, columns: np.ndarray, n_vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """start, column: columns sorted by vertex, such that vertex i carries column[start[i] : start[i + 1]].

    Parameters
    ----------
    vertex : array (n,)
        Of each column.
    columns : array (n,)
    n_vertices : int
    """
    order = np.argsort(vertex, kind="stable")
    count = np.bincount(vertex, minlength=n_vertices)
    return np.concatenate([[0], np.cumsum(count)]).astype(np.int32), columns[order].astype(np.int32)


def columns_at_vertices(
    volume: np.ndarray, surface_to_voxel: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """c[i] = column of the voxel that holds A (x_i, y_i, z_i, 1); -1 where that voxel is no column.

    The other way round than `surfaces.nearest_vertices`, which gives each voxel one vertex: on a fine surface most
    vertices would then stay empty.

    Parameters
    ----------
    volume : array (n_x, n_y, n_z)
        Columns are its voxels other than 0, in the order of `mask_voxels`.
    surface_to_voxel : array (4, 4)
    points : array (n_vertices, 3)
        Of the middle surface.

    Returns
    -------
    vertex, column : arrays (n,)
        Of the vertices that lie in a column.
    """
    column = np.full(volume.shape, -1, dtype=np.int32)
    voxels = mask_voxels(volume)
    column[tuple(voxels.T)] = np.arange(len(voxels))
    at = np.rint(np.column_stack([points, np.ones(len(points))]) @ np.asarray(surface_to_voxel)[:3].T)
    inside = ((at >= 0) & (at < volume.shape)).all(axis=1)
    at_vertex = np.full(len(points), -1, dtype=np.int32)
    at_vertex[inside] = column[tuple(at[inside].astype(np.int64).T)]
    vertex = np.flatnonzero(at_vertex >= 0)
    return vertex, at_vertex[vertex]


def _fsaverage(surface: str, hemisphere: np.ndarray, vertex: np.ndarray) -> Mesh:
    shapes = load_fsaverage(surface)
    sulcal = load_fsaverage_data(mesh=surface, data_type="sulcal").data
    sides = []
    for code, side in enumerate(_SIDES):
        parts = {kind: shapes[kind].parts[side] for kind in ("inflated", "pial", "flat")}
        here = np.flatnonzero(np.asarray(hemisphere) == code)
        points = {kind: np.array(part.coordinates, np.float32) for kind, part in parts.items()}
        points["flat"][:, 2] = 0  # nilearn keeps a little relief
        sides.append(
            Hemisphere(
                points,
                {kind: np.asarray(part.faces, np.uint32) for kind, part in parts.items()},
                np.asarray(sulcal.parts[side]) > 0,
                *by_vertex(np.asarray(vertex)[here], here, len(points["pial"])),
            )
        )
    return Mesh(surface, sides[0], sides[1])


def _native(files: SurfaceFiles, subject: Subject) -> Mesh:
    """The subject's inflated, pial and flat surfaces, as far as they are here; each vertex takes its voxel's column."""
    volume = np.asarray(read_volume(files.mask).dataobj)
    transform = read_transform(files.transform / "matrices.xfm")
    sides, notes = [], []
    for side in HEMISPHERES:
        pial = files.surface("pia", side)
        white = files.surface("wm", side)
        middle = (read_points(pial) + read_points(white)) / 2
        points, triangles = {}, {}
        for kind, file in (
            ("inflated", files.surface("inflated", side)),
            ("pial", pial),
            ("flat", files.surface("flat", side)),
        ):
            if is_listed(file):
                points[kind] = read_points(file).astype(np.float32)
                triangles[kind] = _whole(read_triangles(file), len(middle))
                if len(points[kind]) != len(middle):
                    raise DatasetError(
                        file,
                        f"{len(points[kind])} vertices.",
                        f"{len(middle)}, as in {pial.name}.",
                        "Take all surfaces from one version of the data set.",
                    )
                if kind == "flat":
                    points[kind] = _gathered(points[kind], triangles[kind])
        vertex, column = columns_at_vertices(volume, transform, middle)
        depth, note = _depth(files, side, len(middle))
        notes += note
        sides.append(Hemisphere(points, triangles, depth, *by_vertex(vertex, column, len(middle))))
    return Mesh(f"native, {subject.name}", sides[0], sides[1], tuple(notes))


def _whole(triangles: np.ndarray, n_vertices: int) -> np.ndarray:
    """Triangles whose corners exist."""
    return triangles[((triangles >= 0) & (triangles < n_vertices)).all(axis=1)].astype(np.uint32)


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


def _depth(files: SurfaceFiles, side: str, n_vertices: int) -> tuple[np.ndarray, list[str]]:
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
