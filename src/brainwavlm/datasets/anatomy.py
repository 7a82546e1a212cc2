"""Where a subject's voxels lie: hemispheres, regions, ceilings and vertices, in one small HDF5 file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from brainwavlm.datasets.files import open_hdf5, replacing
from brainwavlm.errors import DatasetError

ARRAYS = {"hemisphere": np.int8, "ceiling": np.float32, "vertex": np.int32}


def read_anatomy(path: Path, n_voxels: int) -> dict[str, Any]:
    """The fields of a `Subject` that say where its voxels lie.

    Parameters
    ----------
    path : Path
        HDF5 file: `hemisphere` (n_voxels,) int8, `rois/<name>` (n_voxels,) bool, `ceiling` (n_voxels,),
        `vertex` (n_voxels,) int32, attribute `surface`; each may be absent.
    n_voxels : int
        Columns of the responses.

    Returns
    -------
    dict with hemisphere, rois, ceiling, surface, vertex

    Raises
    ------
    DatasetError
        A file that cannot be read, or arrays that do not fit the responses.
    """
    problems = anatomy_problems(path, n_voxels)
    if problems:
        raise problems[0]
    with open_hdf5(path) as file:
        rois = file.get("rois", {})
        return {
            "rois": {name: np.asarray(rois[name], dtype=bool) for name in rois},
            "surface": _surface(file),
            **{
                name: np.asarray(file[name], dtype=dtype) if name in file else None
                for name, dtype in ARRAYS.items()
            },
        }


def anatomy_problems(path: Path, n_voxels: int) -> list[DatasetError]:
    """Everything that is wrong with a file that `read_anatomy` would read."""
    try:
        file = open_hdf5(path)
    except DatasetError as error:
        return [error]
    problems = []
    with file:
        rois = file.get("rois", {})
        arrays = {name: file[name] for name in ARRAYS if name in file}
        arrays |= {f"rois/{name}": rois[name] for name in rois}
        for name, array in arrays.items():
            shape = getattr(array, "shape", None)  # a group has none
            if shape != (n_voxels,):
                problems.append(
                    DatasetError(
                        path,
                        f"{name} has {_count(shape)}.",
                        f"{n_voxels} values, one a column of the responses.",
                        "Make it again from the mask that chose the columns, or remove it from the file.",
                    )
                )
            elif name != "ceiling" and name != "vertex" and not np.isin(array[()], (0, 1)).all():
                problems.append(
                    DatasetError(
                        path,
                        f"{name} holds other values than 0 and 1.",
                        "0 left, 1 right." if name == "hemisphere" else "true or false for each voxel.",
                        "Mend the array.",
                    )
                )
    return problems


def write_anatomy(
    path: Path,
    hemisphere: np.ndarray | None = None,
    rois: Mapping[str, np.ndarray] | None = None,
    ceiling: np.ndarray | None = None,
    surface: str | None = None,
    vertex: np.ndarray | None = None,
) -> None:
    """Write what `read_anatomy` reads; an absent part stays absent. All arrays (n_voxels,)."""
    arrays = {"hemisphere": hemisphere, "ceiling": ceiling, "vertex": vertex}
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for name, values in arrays.items():
            if values is not None:
                file[name] = np.asarray(values, dtype=ARRAYS[name])
        for name, values in (rois or {}).items():
            file[f"rois/{name}"] = np.asarray(values, dtype=bool)
        if surface is not None:
            file.attrs["surface"] = surface


def _surface(file: h5py.File) -> str | None:
    if "surface" in file.attrs:
        return str(file.attrs["surface"])
    return file["surface"].asstr()[()] if "surface" in file else None


def _count(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "no values"
    return f"{shape[0]} values" if len(shape) == 1 else f"shape {shape}"
