"""Reading HDF5 files of a data set, with errors that say what to do."""

from pathlib import Path

import h5py

from brainwavlm.errors import DatasetError
from brainwavlm.files import require_content

NUMBERS = "fiu"  # numpy's kinds: floating-point and whole numbers; not bool, complex, text


def open_hdf5(path: Path) -> h5py.File:
    """An open HDF5 file for reading.

    Raises
    ------
    DatasetError
        Missing, a git-annex pointer, forbidden, truncated, or no HDF5 at all.
    """
    require_content(path)
    try:
        return h5py.File(path, "r")
    except OSError as error:
        problem = "truncated" if "truncated" in str(error) else "not readable as HDF5"
        raise DatasetError(
            path,
            f"{problem} ({path.stat().st_size} bytes).",
            "a whole HDF5 file.",
            "Download it again, and compare its size with the source.",
        ) from None


def stored(file: h5py.File, name: str, path: Path) -> h5py.Dataset | h5py.Group | None:
    """What lies under a name in an open file; None where there is nothing.

    Raises
    ------
    DatasetError
        A link to what is not there.
    """
    if file.get(name, getlink=True) is None:
        return None
    try:
        return file[name]
    except (KeyError, OSError) as error:
        raise DatasetError(
            path,
            f"{name} cannot be opened: {error.args[0]}",
            "an array, or a link to one that is there.",
            "Download it again, or copy what the link leads to into this file.",
        ) from None
