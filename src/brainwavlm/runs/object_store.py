"""Folders on an object store: brought here before the work, taken there after it. No other file reads an address.

Addresses are those of fsspec: s3://bucket/folder, gs://bucket/folder, and whatever else it has a package for. A folder
that was copied remembers in `.copied.json` how each file was here and there, so that only what changed is copied again.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from brainwavlm.errors import BrainwavlmError, ConfigError, RunError
from brainwavlm.files import read_json, replacing, write_json
from brainwavlm.progress import Progress
from brainwavlm.runs.output_paths import require_writable
from brainwavlm.runs.sums import SUMS, require_sums

RECORD = ".copied.json"
_OURS = re.compile(r"(^|/)(\.copied\.json|lock)$|\.lock$|\.partial(/|$)")  # of no use elsewhere


def is_address(place: str | Path) -> bool:
    """Whether a place is on an object store."""
    return "://" in str(place)


def copy_folder(
    source: str | Path,
    target: str | Path,
    progress: Progress | None = None,
    only: Sequence[str] = (),
) -> list[str]:
    """Copy a folder from an object store, or to one; each file whole, with the size that it has there.

    A file of either side that the other lacks is left alone. Where the folder has checksums (runs, exported models), a
    copy from the store is compared with them.

    Parameters
    ----------
    source, target : str or Path
        One of them an address.
    progress : Progress or None
    only : sequence of str
        Files and folders in the source to which the copy is restricted; none: all.

    Returns
    -------
    list of str
        Names of the files that were copied; those that have not changed since are not.

    Raises
    ------
    ConfigError
        Not one address, or one that cannot be reached: without its package, without rights, not there.
    RunError
        A file that did not arrive whole.
    """
    if is_address(source) == is_address(target):
        raise ConfigError(
            "source, target",
            f"{source} and {target}.",
            "a folder here and an address, such as s3://bucket/folder.",
            "Copy between folders of this machine with its own means.",
        )
    fetches = is_address(source)
    address, folder = (str(source), Path(target)) if fetches else (str(target), Path(source))
    with _told(address):
        store, root = _opened(address)
        list_names = partial(_remote_names, store, root) if fetches else partial(_local_names, folder)
        names = sorted({name for place in only or [""] for name in list_names(place)})
    if not names:
        raise ConfigError("source", f"no files in {source}.", "a folder with files.", "Correct the address.")
    if fetches:
        require_writable(folder, "target")
    record = read_json(folder / RECORD) if (folder / RECORD).exists() else {}
    known = record.setdefault(address, {})
    copied = []
    try:
        for name in (progress or Progress()).over(names, f"Copying {source}"):
            here, there = folder / name, f"{root}/{name}"
            with _told(f"{address}: {name}"):
                if not (name in known and known[name] == _state(here, store, there)):
                    _fetch(store, there, here) if fetches else _put(store, here, there)
                    known[name] = _state(here, store, there)
                    copied.append(name)
    finally:
        if known:
            write_json(folder / RECORD, record)
    if fetches:
        for name in names:
            if PurePosixPath(name).name == SUMS:
                require_sums((folder / name).parent, without="Copy it again.")
    return copied


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, which does not believe older listings, and the folder in it."""
    from fsspec.core import url_to_fs

    store, root = url_to_fs(address, use_listings_cache=False)
    return store, root.rstrip("/")


def _remote_names(store: Any, root: str, place: str) -> list[str]:
    names = [path.removeprefix(f"{root}/") for path in store.find(f"{root}/{place}".rstrip("/"))]
    for name in names:
        if ".." in PurePosixPath(name).parts:
            raise ConfigError(
                "source", f"a file named {name}.", "names within the folder.", "Rename it there."
            )
    return names


def _local_names(folder: Path, place: str) -> list[str]:
    files = (file for file in (folder / place, *(folder / place).rglob("*")) if file.is_file())
    names = (file.relative_to(folder).as_posix() for file in files)
    return [name for name in names if not _OURS.search(name)]


def _state(here: Path, store: Any, there: str) -> list[Any] | None:
    """Size and time of a file here and what tells its versions there; None where one of them is missing."""
    if not here.is_file() or not store.exists(there):
        return None
    facts = here.stat()
    return [facts.st_size, facts.st_mtime_ns, store.ukey(there)]


def _fetch(store: Any, there: str, here: Path) -> None:
    with replacing(here) as temporary:
        store.get_file(there, str(temporary))
        _require_size(there, temporary.stat().st_size, store.size(there))


def _put(store: Any, here: Path, there: str) -> None:
    store.put_file(str(here), there)
    _require_size(there, store.size(there), here.stat().st_size)


def _require_size(name: str, found: int, expected: int) -> None:
    if found != expected:
        raise RunError(name, f"{found:,} bytes arrived.", f"{expected:,}.", "Copy it again.")


@contextmanager
def _told(address: str) -> Iterator[None]:
    """A ConfigError in place of whatever a store's package raises."""
    try:
        yield
    except BrainwavlmError:
        raise
    except Exception as error:  # each package has errors of its own
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(
            "source, target",
            f"{address}: {said}",
            "an address that fsspec can reach, with the rights to read or write there.",
            "Install the store's package (pip install s3fs, gcsfs, adlfs), and log in as it asks.",
        ) from error
