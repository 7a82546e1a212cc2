"""Reading HDF5 files of a data set, with errors that say what to do."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import h5py

from brainwavlm.errors import DatasetError
from brainwavlm.files import require_content

NUMBERS = "fiu"  # numpy's kinds: floating-point and whole numbers; not bool, complex, text


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
        A link to what is not there, or an array in other files, never written, or compressed by an unknown filter.
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
        _require_written(array, name, path)
    return array


def _require_filters(array: h5py.Dataset, name: str, path: Path) -> None:
    pipeline = array.id.get_create_plist()
    filters = [pipeline.get_filter(number) for number in range(pipeline.get_nfilters())]
    if not all(h5py.h5z.filter_avail(code) for code, *_ in filters):
        with suppress(ImportError):
            import_module("hdf5plugin")  # registers its filters
    for code, _, _, label in filters:
        if not h5py.h5z.filter_avail(code):
            raise DatasetError(
                path,
                f"{name} is compressed by the HDF5 filter {label.decode('utf-8', 'replace') or 'unknown'} ({code}), "
                "which is not installed.",
                "a filter that this Python can undo.",
                "Install those of Blosc, Zstandard and others:  pip install hdf5plugin      or write it again where it "
                "can be read:  h5repack -f GZIP=4 FILE NEW",
            )


def _require_written(array: h5py.Dataset, name: str, path: Path) -> None:
    """HDF5 fills pieces that a program did not come to write, with zeros or what was set, without a word."""
    if array.shape is None or not array.size:
        return
    if array.is_virtual or array.external:
        raise DatasetError(
            path,
            f"{name} is a view of other arrays, or is kept in other files.",
            "an array within this file: of what is not there HDF5 gives zeros, without a word.",
            "Copy its content into this file.",
        )
    n_pieces, missing = 1, int(array.id.get_storage_size() == 0)
    if array.chunks is not None:
        n_pieces = math.prod(-(-n // of) for n, of in zip(array.shape, array.chunks, strict=True))
        missing = n_pieces - array.id.get_num_chunks()
    if missing > 0:
        raise DatasetError(
            path,
            f"{name} was never written in {missing} of its {n_pieces} pieces; HDF5 fills them in.",
            "a whole array; NaN in the rows of volumes that were censored.",
            "Write the array again to its end: a program that is stopped leaves such files.",
        )
