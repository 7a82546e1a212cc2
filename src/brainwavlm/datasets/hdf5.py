"""Reading HDF5 files of a data set, with errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import h5py

from brainwavlm.errors import DatasetError
from brainwavlm.files import require_content

NUMBERS = "fiu"  # numpy's kinds: floating-point and whole numbers; not bool, complex, text
# Of the HDF Group's list of registered filters (github.com/HDFGroup/hdf5_plugins), those of hdf5plugin.
PLUGINS = {
    307: "bzip2",
    32001: "Blosc",
    32004: "LZ4",
    32008: "Bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32017: "SZ",
    32018: "FCIDECOMP",
    32024: "SZ3",
    32026: "Blosc2",
    32028: "Sperr",
}


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An open HDF5 file for reading; what cannot be read of it inside the block is the file's fault, too.

    Raises
    ------
    DatasetError
        Missing, a git-annex pointer, forbidden, open elsewhere, truncated, damaged, or no HDF5 at all.
    """
    require_content(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if "unable to lock" in str(error) or "already open" in str(error):
            raise DatasetError(
                path,
                f"is open for writing: {error}",
                "a file that no other program writes to.",
                "Wait for that program, or stop it; after a crash:  h5clear -s FILE",
            ) from None
        problem = "truncated" if "truncated" in str(error) else "not readable as HDF5"
        raise DatasetError(
            path,
            f"{problem} ({path.stat().st_size} bytes).",
            "a whole HDF5 file.",
            "Download it again, and compare its size with the source.",
        ) from None
    with file:
        try:
            yield file
        except (OSError, RuntimeError) as error:
            raise DatasetError(
                path,
                f"cannot be read to its end: {error}",
                "a whole HDF5 file.",
                "Download it again, and compare its size with the source.",
            ) from None


def stored(file: h5py.File, name: str, path: Path) -> h5py.Dataset | h5py.Group | None:
    """What lies under a name in an open file; None where there is nothing.

    Raises
    ------
    DatasetError
        A link to what is not there, or an array compressed by a filter that is not installed.
    """
    if file.get(name, getlink=True) is None:
        return None
    try:
        array = file[name]
    except (KeyError, OSError) as error:
        raise DatasetError(
            path,
            f"{name} cannot be opened: {error.args[0]}",
            "an array, or a link to one that is there.",
            "Download it again, or copy what the link leads to into this file.",
        ) from None
    if isinstance(array, h5py.Dataset):
        _require_filters(array, name, path)
        _require_sources(array, name, path)
    return array


def _require_filters(array: h5py.Dataset, name: str, path: Path) -> None:
    pipeline = array.id.get_create_plist()
    for number in range(pipeline.get_nfilters()):
        code, _, _, label = pipeline.get_filter(number)
        if code in PLUGINS and not h5py.h5z.filter_avail(code):
            with suppress(ImportError):
                import_module("hdf5plugin")  # registers its filters
        if h5py.h5z.filter_avail(code):
            continue
        shown = PLUGINS.get(code) or label.decode("utf-8", "replace") or "unknown"
        raise DatasetError(
            path,
            f"{name} is compressed by the HDF5 filter {shown} ({code}), which is not installed.",
            "a filter that this Python can undo.",
            "Install it:  pip install hdf5plugin"
            if code in PLUGINS
            else "Write it again without that filter where it can be read:  h5repack -f GZIP=4 FILE NEW",
        )


def _require_sources(array: h5py.Dataset, name: str, path: Path) -> None:
    """HDF5 reads a virtual array whose files are missing as zeros, without a word."""
    for source in array.virtual_sources() if array.is_virtual else ():
        file = path.parent / source.file_name
        if source.file_name != "." and "%" not in source.file_name and not file.is_file():
            raise DatasetError(
                path,
                f"{name} is a view of {source.file_name}, which is not there.",
                "the files that it is a view of, beside it.",
                "Download them too, or copy their content into this file.",
            )
