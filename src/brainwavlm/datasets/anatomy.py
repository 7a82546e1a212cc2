"""Where a subject's voxels lie: hemispheres, regions, ceilings and vertices, in one small HDF5 file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from brainwavlm.datasets.hdf5 import NUMBERS, open_hdf5, stored
from brainwavlm.errors import DatasetError
from brainwavlm.files import replacing

VERTICES = {"fsaverage5": 10242, "fsaverage6": 40962, "fsaverage": 163842}  # in one hemisphere
ARRAYS = {"hemisphere": np.int8, "ceiling": np.float32, "vertex": np.int32, "position": np.float32}
_FARTHEST = 1000  # mm from the origin of any space of a head


def read_anatomy(path: Path, n_voxels: int) -> dict[str, Any]:
    """The fields of a `Subject` that say where its voxels lie.

    Parameters
    ----------
    path : Path
        HDF5 file: `hemisphere` (n_voxels,) int8, `rois/<name>` (n_voxels,) bool, `ceiling` (n_voxels,),
        `vertex` (n_voxels,) int32, attribute `surface`, `position` (n_voxels, 3) mm; each may be absent.
    n_voxels : int
        Columns of the responses.

    Returns
    -------
    dict with hemisphere, rois, ceiling, surface, vertex, position

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
            "surface": _surface(file, path),
            **{
                name: np.asarray(file[name], dtype=dtype) if name in file else None
                for name, dtype in ARRAYS.items()
            },
        }


def anatomy_problems(path: Path, n_voxels: int) -> list[DatasetError]:
    """Everything that is wrong with a file that `read_anatomy` would read."""
    try:
        with open_hdf5(path) as file:
            return list(_problems(file, path, n_voxels))
    except DatasetError as error:
        return [error]


def _problems(file: h5py.File, path: Path, n_voxels: int) -> Iterator[DatasetError]:
    surface = None
    try:
        surface = _surface(file, path)
        rois = stored(file, "rois", path)
    except DatasetError as error:
        yield error
        return
    if isinstance(rois, h5py.Dataset):
        yield DatasetError(
            path, "rois is an array.", "a group with one array a region.", "Write rois/NAME, e.g. rois/AC."
        )
        rois = None
    for name in [*ARRAYS, *(f"rois/{region}" for region in rois or ())]:
        try:
            array = stored(file, name, path)
        except DatasetError as error:
            yield error
            continue
        shape = getattr(array, "shape", None)  # a group has none
        if array is None:
            continue
        if shape != ((n_voxels, 3) if name == "position" else (n_voxels,)):
            each = (
                f"{n_voxels} x 3 values, x, y and z of each"
                if name == "position"
                else f"{n_voxels} values, one a"
            )
            yield DatasetError(
                path,
                f"{name} has {_count(shape)}.",
                f"{each} column of the responses.",
                "Make it again from the mask that chose the columns, or remove it from the file.",
            )
        elif problem := _value_problem(name, array, surface):
            yield DatasetError(path, f"{name} {problem[0]}.", problem[1], "Mend the array.")


def _value_problem(name: str, array: h5py.Dataset, surface: str | None) -> tuple[str, str] | None:
    """What an array holds that it should not, and what it should; None where nothing is wrong."""
    kind = array.dtype.kind
    if kind not in NUMBERS and not (kind == "b" and name not in ("ceiling", "vertex", "position")):
        return f"is of type {array.dtype}", "numbers."
    values = array[()]
    if name == "ceiling":
        outside = np.count_nonzero((values < 0) | (values > 1))
        return (f"has {outside} values below 0 or above 1", "0 to 1, or NaN.") if outside else None
    if name == "position":  # NaN is an electrode of which it is not known
        outside = np.count_nonzero(np.abs(values) > _FARTHEST)
        return (f"has {outside} values beyond {_FARTHEST} mm", "millimetres.") if outside else None
    if name == "vertex":
        n_vertices = VERTICES.get(surface or "", np.iinfo(np.int32).max)
        outside = np.count_nonzero(~((values >= 0) & (values < n_vertices) & (values == np.floor(values))))
        expected = f"whole numbers from 0 to {n_vertices - 1}{f' on {surface}' if surface else ''}."
        return (f"has {outside} values that are no vertex", expected) if outside else None
    if not np.isin(values, (0, 1)).all():
        expected = "0 left, 1 right." if name == "hemisphere" else "true or false for each voxel."
        return "holds other values than 0 and 1", expected
    return None


def write_anatomy(
    path: Path,
    hemisphere: np.ndarray | None = None,
    rois: Mapping[str, np.ndarray] | None = None,
    ceiling: np.ndarray | None = None,
    surface: str | None = None,
    vertex: np.ndarray | None = None,
    position: np.ndarray | None = None,
) -> None:
    """Write what `read_anatomy` reads; an absent part stays absent. Arrays (n_voxels,), position (n_voxels, 3)."""
    arrays = {"hemisphere": hemisphere, "ceiling": ceiling, "vertex": vertex, "position": position}
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for name, values in arrays.items():
            if values is not None:
                file[name] = np.asarray(values, dtype=ARRAYS[name])
        for name, values in (rois or {}).items():
            file[f"rois/{name}"] = np.asarray(values, dtype=bool)
        if surface is not None:
            file.attrs["surface"] = surface


def _surface(file: h5py.File, path: Path) -> str | None:
    array = stored(file, "surface", path)
    try:
        if "surface" in file.attrs:
            value = file.attrs["surface"]
        elif array is None:
            return None
        else:
            value = array[()]
        if isinstance(value, bytes):
            value = value.decode()
    except (OSError, TypeError, ValueError):
        value = None
    if not isinstance(value, str):
        raise DatasetError(
            path, f"surface = {value!r}.", "text, e.g. fsaverage5.", "Write the attribute surface again."
        )
    return str(value)


def _count(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "no values"
    return f"{shape[0]} values" if len(shape) == 1 else f"shape {shape}"
