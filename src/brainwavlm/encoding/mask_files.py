"""Voxel masks in files."""

from pathlib import Path

import numpy as np

from brainwavlm.errors import ConfigError


def read_mask(path: Path, n_voxels: int) -> np.ndarray:
    """A voxel mask from a .npy or .txt file with one 0 or 1 (or false, true in .npy) a voxel.

    Raises
    ------
    ConfigError
        Missing or unreadable file, other values, or a length other than n_voxels.
    """
    if not path.is_file():
        raise ConfigError(
            path, "no such file.", "a mask, .npy or .txt.", "Give its path from the current folder."
        )
    try:
        values = _array(path) if path.suffix == ".npy" else _numbers(path)
    except (ValueError, EOFError, OSError) as error:
        raise ConfigError(
            path, f"not readable: {error}", "one 0 or 1 a voxel.", "Write it with numpy.save(path, mask)."
        ) from None
    if values.shape != (n_voxels,):
        raise ConfigError(
            path,
            f"{' x '.join(map(str, values.shape)) or 'one'} values.",
            f"{n_voxels}, one 0 or 1 for each voxel of the subject.",
            "Use a mask made for this subject's columns.",
        )
    if values.dtype.kind not in "biuf":
        raise ConfigError(path, f"values of type {values.dtype}.", "one 0 or 1 a voxel.", "Save it as bool.")
    if not np.isin(values, (0, 1)).all():
        raise ConfigError(path, "values other than 0 and 1.", "a mask.", "Threshold it before saving.")
    return values.astype(bool)


def _array(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)  # np.load would also open a .npz here


def _numbers(path: Path) -> np.ndarray:
    return np.array([float(value) for value in path.read_text(encoding="utf-8").split()])
