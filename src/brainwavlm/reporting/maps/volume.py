"""Maps as NIfTI volumes: each column goes back to the voxel of the mask that it was taken from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np

from brainwavlm import __version__
from brainwavlm.datasets.lebel2023 import Lebel2023
from brainwavlm.datasets.surfaces import mask_voxels, read_transform, read_volume
from brainwavlm.errors import DatasetError
from brainwavlm.reporting.maps.columns import VoxelMap
from brainwavlm.reporting.sources import Source

Space = Literal["scanner", "surfaces"]
_LONGEST = 79  # bytes of a NIfTI description


@dataclass(frozen=True)
class Grid:
    """The volume whose voxels are the columns of the responses, by the mask at `path`, an `image` of nibabel.

    `voxels` (n_columns, 3) is the index of each column in it; `transform` a file that leads there from surface
    coordinates, or None.
    """

    path: Path
    image: Any
    voxels: np.ndarray
    transform: Path | None


def grid_of(source: Source) -> tuple[Grid | None, str]:
    """The volume of a run's data set, or why there is none; no reason for a data set that has no volumes."""
    dataset, subject = source.dataset, source.subject
    if dataset is None or subject is None:
        return None, f"No volume: {source.no_map}." if source.no_map else ""
    files = dataset.surface_files(subject.name) if isinstance(dataset, Lebel2023) else None
    path = files.mask if files else dataset.voxel_mask(subject.name)
    transform = files.transform / "matrices.xfm" if files else None
    return (None, "") if path is None else mask_grid(path, subject.n_voxels, transform)


def mask_grid(path: Path, n_voxels: int, transform: Path | None = None) -> tuple[Grid | None, str]:
    """The volume whose voxels above zero are the `n_voxels` columns of the responses, or why it is not."""
    try:
        image = read_volume(path)
    except DatasetError as error:
        return None, f"No volume: {error.path}: {error.found}"
    voxels = mask_voxels(image.dataobj)
    if len(voxels) != n_voxels:
        found = f"{path} has {len(voxels)} voxels, the responses have {n_voxels} columns."
        return None, f"No volume: {found}"
    return Grid(path, image, voxels, transform), ""


def affine_of(grid: Grid, space: Space) -> np.ndarray:
    """Indices to mm, (4, 4): that of the mask; or the inverse of `coord` in matrices.xfm, mm of the surfaces.

    DatasetError where no file that can be read ties the data set's surfaces to its volume.
    """
    if space == "scanner":
        return np.asarray(grid.image.affine, dtype=np.float64)
    if grid.transform is None:
        found = "no transform to surfaces beside it."
        raise DatasetError(grid.path, found, "matrices.xfm.", "Choose the space scanner.")
    return np.linalg.inv(read_transform(grid.transform))


def volume_image(
    one: VoxelMap, voxel: np.ndarray, grid: Grid, space: Space = "scanner", simulated: bool = False
) -> nibabel.Nifti1Image:
    """volume[x_c, y_c, z_c] = value of the row whose voxel is c; float32 and NaN elsewhere, a mask uint8 and 0.

    Not 0: that is a correlation, and the most significant of all p.

    `voxel` (n_voxels,) is the column of each value, `space` that of `affine_of`; the header says `simulated`.
    """
    is_mask = one.kind == "mask"
    kind = np.dtype(np.uint8 if is_mask else np.float32)
    data = np.full(grid.image.shape, 0 if is_mask else np.nan, dtype=kind)
    data[tuple(grid.voxels[voxel].T)] = one.values.astype(kind)
    # The mask's own header says how its affine is coded; for another affine a new one is written.
    kept = nibabel.Nifti1Header.from_header(grid.image.header) if space == "scanner" else None
    image = nibabel.Nifti1Image(data, affine_of(grid, space), kept)
    header = image.header
    header.set_data_dtype(kind)
    header.set_slope_inter(1, 0)
    header.set_intent("none")
    header["cal_min"] = header["cal_max"] = 0
    header.set_xyzt_units("mm")
    label = f"{'SIMULATED ' if simulated else ''}{one.name}; brainwavlm {__version__}"
    header["descrip"] = label.encode("ascii", "replace")[:_LONGEST]
    return image
