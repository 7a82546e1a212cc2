"""Files of a data set: whole, here, and written whole or not at all."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import h5py
from safetensors import SafetensorError

from brainwavlm.errors import DatasetError

NUMBERS = "fiu"  # numpy's kinds: floating-point and whole numbers; not bool, complex, text


def is_listed(path: Path) -> bool:
    """Whether the folder names the file, be it as a link whose content is not here yet."""
    with reachable(path):
        return path.is_file() or path.is_symlink()


@contextmanager
def reachable(path: Path) -> Iterator[None]:
    """A DatasetError in place of the system's own where a path is forbidden or its name too long."""
    try:
        yield
    except PermissionError:
        raise DatasetError(
            path,
            "not readable: permission denied.",
            "a file in a folder, both of which you may read.",
            f"Allow it:  chmod -R u+rX {path.name}      (in {path.parent})",
        ) from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise DatasetError(
            path, "file name too long.", "names of 255 bytes or fewer.", "Give a shorter name."
        ) from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends, and vanishes when it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
    try:
        with naming(path):
            yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An OSError that names the file where a write fails without saying which: a full disk, a limit, safetensors."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:  # without a number a name would hide the text
            error.filename = str(path)
        raise
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None


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


def require_content(path: Path) -> None:
    """Raise a DatasetError when a file is missing, may not be read, or is only a git-annex pointer."""
    with reachable(path):
        _require_content(path)


def _require_content(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        link = str(path.readlink())
        raise _pointer(path, f"a link to content that is not here ({link}).", link)
    if not path.is_file():
        raise DatasetError(
            path,
            "no such file.",
            "a file named by the data set.",
            "Download it, or remove it from the data set.",
        )
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(1024)
    if size < 1024:
        text = start.decode("utf-8", errors="replace")
        if "/annex/objects/" in text:
            raise _pointer(path, f"a git-annex pointer ({size} bytes of text), not its content.", text)


def _pointer(path: Path, found: str, key: str) -> DatasetError:
    size = re.search(r"-s(\d+)-", key)  # git-annex writes the size into its keys
    return DatasetError(
        path,
        found,
        f"a file of {int(size[1]) / 1e6:.3g} MB." if size else "the file itself.",
        f"Fetch it:  datalad get {path.name}      (in {path.parent})",
    )
