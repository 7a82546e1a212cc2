"""Where each column lies on a subject's own cortical surfaces: pycortex's files, read without pycortex."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from scipy.spatial import cKDTree

from brainwavlm.errors import DatasetError
from brainwavlm.files import parsed_json, require_content

HEMISPHERES = ("lh", "rh")
REACH = 8.0  # mm; pycortex makes mask_thick of the voxels less than this from the surface that is used here
MOST_BEYOND = 0.01  # share of voxels; where mask, transform and surfaces belong together it is 0


@dataclass(frozen=True)
class VoxelPlaces:
    """The vertex nearest to each voxel.

    Attributes
    ----------
    hemisphere : array (n_voxels,) int8
        0 left, 1 right.
    vertex : array (n_voxels,) int32
        Within the hemisphere.
    distance : array (n_voxels,) float64
        From voxel centre to vertex, mm.
    n_vertices : tuple of int
        Of the left and the right surface.
    """

    hemisphere: np.ndarray
    vertex: np.ndarray
    distance: np.ndarray
    n_vertices: tuple[int, int]

    @property
    def within_reach(self) -> np.ndarray:
        """Voxels near enough to a surface to carry its label, (n_voxels,) bool."""
        return self.distance < REACH

    def columns_of(self, on_surface: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """What the nearest vertices carry, (n_voxels,), from values of the left and right vertices."""
        values = np.empty(len(self.vertex), dtype=np.result_type(*on_surface))
        for side, at_vertex in enumerate(on_surface):
            here = self.hemisphere == side
            values[here] = at_vertex[self.vertex[here]]
        return values


def nearest_vertices(
    voxels: np.ndarray, surface_to_voxel: np.ndarray, left: np.ndarray, right: np.ndarray
) -> VoxelPlaces:
    """Give each voxel the hemisphere and vertex that are nearest to its centre.

    (h, i)[v] = argmin over h, i of | inverse(A) (x_v, y_v, z_v, 1) - s_h[i] |

    Distances are those of the surfaces' space, mm. One depth, the middle of cortex, because that is the surface
    whose distance made mask_thick, and by which pycortex gives voxels to drawn regions: labels, drawn regions
    and mask then share one rule.

    Parameters
    ----------
    voxels : int array (n_voxels, 3)
        Indices (x, y, z) of the volume as nibabel loads it.
    surface_to_voxel : array (4, 4)
        A: from surface coordinates to voxel indices.
    left, right : arrays (n_vertices, 3)
        s_h: coordinates of the middle surfaces, mm.

    Returns
    -------
    VoxelPlaces
    """
    homogeneous = np.column_stack([voxels, np.ones(len(voxels))])
    millimetres = np.linalg.solve(np.asarray(surface_to_voxel, dtype=np.float64), homogeneous.T)[:3].T
    distance, nearest = cKDTree(np.concatenate([left, right]).astype(np.float64)).query(millimetres)
    is_right = nearest >= len(left)
    vertex = np.where(is_right, nearest - len(left), nearest).astype(np.int32)
    return VoxelPlaces(is_right.astype(np.int8), vertex, distance, (len(left), len(right)))


def mask_voxels(mask: np.ndarray) -> np.ndarray:
    """Indices (x, y, z) of the columns of the responses, (n_voxels, 3).

    Column order is C order of the array transposed to (z, y, x), pycortex's own axes: x runs fastest.

    Parameters
    ----------
    mask : array (n_x, n_y, n_z)
        As nibabel loads it; columns are the voxels other than 0.
    """
    z, y, x = np.nonzero(np.asarray(mask).T)
    return np.column_stack([x, y, z])


@dataclass(frozen=True)
class SurfaceFiles:
    """The files of one subject in a pycortex database that say where its columns lie.

    Attributes
    ----------
    folder : Path
        pycortex-db/<subject>, with `surfaces/{pia,wm}_{lh,rh}.gii`.
    transform : Path
        Folder of `mask_thick.nii.gz` and `matrices.xfm`.
    """

    folder: Path
    transform: Path

    @property
    def mask(self) -> Path:
        """The volume whose voxels are the columns."""
        return self.transform / "mask_thick.nii.gz"

    def surface(self, kind: str, hemisphere: str) -> Path:
        """pia, wm or flat of lh or rh."""
        return self.folder / "surfaces" / f"{kind}_{hemisphere}.gii"

    def places(self, n_voxels: int) -> VoxelPlaces:
        """Where the columns lie.

        Parameters
        ----------
        n_voxels : int
            Columns of the responses.

        Raises
        ------
        DatasetError
            A file that is not here or cannot be read, another number of voxels than columns, pial and white
            surfaces of different sizes, or files that do not belong together: more than one voxel in a hundred
            REACH or more from both surfaces.
        """
        middle_surfaces = [self._middle(hemisphere) for hemisphere in HEMISPHERES]
        matrix = read_transform(self.transform / "matrices.xfm")
        voxels = mask_voxels(read_volume(self.mask).dataobj)
        if len(voxels) != n_voxels:
            raise DatasetError(
                self.mask,
                f"{len(voxels)} voxels.",
                f"{n_voxels}, the number of columns of the responses.",
                "Take mask and responses from one version of the data set.",
            )
        places = nearest_vertices(voxels, matrix, *middle_surfaces)
        n_beyond = int(np.count_nonzero(~places.within_reach))
        if n_beyond > MOST_BEYOND * n_voxels:
            raise DatasetError(
                self.transform / "matrices.xfm",
                f"puts {n_beyond} of {n_voxels} voxels of {self.mask.name} {REACH:g} mm or more from the surfaces.",
                f"all less than {REACH:g} mm away, as pycortex makes this mask.",
                "Take mask, matrices.xfm and surfaces of one subject from one version of the data set.",
            )
        return places

    def _middle(self, hemisphere: str) -> np.ndarray:
        pia, wm = (read_points(self.surface(kind, hemisphere)) for kind in ("pia", "wm"))
        if len(pia) != len(wm):
            raise DatasetError(
                self.surface("wm", hemisphere),
                f"{len(wm)} vertices.",
                f"{len(pia)}, as in {self.surface('pia', hemisphere).name}.",
                "Take both surfaces from one version of the data set.",
            )
        return (pia + wm) / 2


def read_transform(path: Path) -> np.ndarray:
    """`coord` of a pycortex matrices.xfm: surface coordinates to voxel indices, (4, 4) float64.

    pycortex keeps two matrices as JSON: `magnet`, surface coordinates to the scanner's mm, and `coord`, which is
    the inverse of the reference volume's affine times `magnet`.

    Raises
    ------
    DatasetError
        Not here, not JSON, or no invertible 4 x 4 matrix under `coord`.
    """
    require_content(path)
    expected = 'JSON with "coord", 4 x 4 numbers that can be inverted.'
    try:
        matrix = np.array(parsed_json(path.read_text(encoding="utf-8"))["coord"], dtype=np.float64)
    except (ValueError, KeyError, TypeError) as error:
        problem = f"no transform: {type(error).__name__}: {error}"
        raise DatasetError(path, problem, expected, "Download it again.") from None
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
        raise DatasetError(path, f"coord = {matrix.tolist()}.", expected, "Download it again.")
    return matrix


def read_points(path: Path) -> np.ndarray:
    """Vertex coordinates of a GIFTI surface, (n_vertices, 3) float64, mm.

    Raises
    ------
    DatasetError
        Not here, not GIFTI, or without coordinates.
    """
    return _gifti_array(path, "pointset", "coordinates").astype(np.float64)


def read_triangles(path: Path) -> np.ndarray:
    """Vertices of each triangle of a GIFTI surface, (n_triangles, 3). DatasetError as `read_points`."""
    return _gifti_array(path, "triangle", "triangles")


def _gifti_array(path: Path, intent: str, name: str) -> np.ndarray:
    arrays = _loaded(path, "a GIFTI surface").get_arrays_from_intent(intent)
    if len(arrays) != 1 or arrays[0].data.ndim != 2 or arrays[0].data.shape[1] != 3:
        problem = (
            f"{len(arrays)} arrays of {name}." if len(arrays) != 1 else f"{name} {arrays[0].data.shape}."
        )
        raise DatasetError(path, problem, f"a GIFTI surface with {name} (n, 3).", "Download it again.")
    return arrays[0].data


def read_volume(path: Path) -> Any:
    """A NIfTI image of three axes, as nibabel loads it: array `dataobj`, `affine`, `header`.

    Raises
    ------
    DatasetError
        Not here, not NIfTI, or not three axes.
    """
    image = _loaded(path, "a NIfTI volume")
    if len(image.shape) != 3:
        raise DatasetError(
            path, f"an array of shape {image.shape}.", "a volume of three axes.", "Download it again."
        )
    return image


def _loaded(path: Path, expected: str) -> Any:
    require_content(path)
    try:
        loaded: Any = nibabel.load(path)
        if expected == "a NIfTI volume":
            np.asarray(loaded.dataobj)  # a damaged file may only show here
    except Exception as error:  # nibabel raises what its parsers of text, XML and archives raise
        problem = f"cannot be read: {str(error) or type(error).__name__}"
        raise DatasetError(path, problem, f"{expected}.", "Download it again.") from None
    wanted = nibabel.GiftiImage if "GIFTI" in expected else nibabel.spatialimages.SpatialImage
    if not isinstance(loaded, wanted):
        raise DatasetError(path, f"a {type(loaded).__name__}.", f"{expected}.", "Download it again.")
    return loaded
