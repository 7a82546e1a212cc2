"""Reading HDF5 files of a data set, with errors that say what to do."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

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
        _require_written(array, name, path)
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
    """HDF5 reads as zeros, without a word, what of a virtual array has no source, or one that is not there."""
    shown: list[int] = []
    for source in array.virtual_sources() if array.is_virtual else ():
        file = path.parent / source.file_name
        if "%" in source.file_name or source.vspace.get_select_npoints() < 0:
            return  # a series without end: which files there should be is not said
        shown.append(source.vspace.get_select_npoints())
        if source.file_name != "." and not file.is_file():
            problem = f"{name} is a view of {source.file_name}, which is not there."
        elif not _holds(array.file, file, source):
            problem = (
                f"{name} is a view of {source.dset_name} in {source.file_name}, which holds no such array."
            )
        else:
            continue
        raise DatasetError(
            path,
            problem,
            "the files that it is a view of, beside it.",
            "Download them too, or copy their content into this file.",
        )
    if array.is_virtual and sum(shown) < array.size:
        raise DatasetError(
            path,
            f"{name} is a view of other arrays that leaves {array.size - sum(shown)} of {array.size} numbers open.",
            "a number in each row and column; HDF5 would give zeros.",
            "Write the array again from its sources.",
        )


def _holds(own: h5py.File, file: Path, source: Any) -> bool:
    if source.file_name == ".":
        return source.dset_name in own
    with h5py.File(file, "r") as other:
        return source.dset_name in other


def _require_written(array: h5py.Dataset, name: str, path: Path) -> None:
    """HDF5 fills pieces that a program did not come to write, with zeros or what was set, without a word."""
    if array.shape is None or not array.size or array.is_virtual:
        return
    if array.chunks is not None:
        n_pieces = math.prod(-(-n // of) for n, of in zip(array.shape, array.chunks, strict=True))
        missing = n_pieces - array.id.get_num_chunks()
    elif array.external:
        n_pieces = len(array.external)
        missing = sum(Path(file).is_file() and _is_short(file, *stretch) for file, *stretch in array.external)
    else:
        n_pieces, missing = 1, int(array.id.get_storage_size() == 0)
    if missing > 0:
        raise DatasetError(
            path,
            f"{name} was never written in {missing} of its {n_pieces} pieces; HDF5 fills them in.",
            "a whole array; NaN in the rows of volumes that were censored.",
            "Write the array again to its end: a program that is stopped leaves such files.",
        )


def _is_short(file: str, offset: int, size: int) -> bool:
    return size != h5py.h5f.UNLIMITED and Path(file).stat().st_size < offset + size
