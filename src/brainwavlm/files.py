"""Files on disk: JSON, whole or not at all; git-annex pointers are told from content."""

import errno
import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError

from brainwavlm.errors import DatasetError, RunError


def is_listed(path: Path) -> bool:
    """Whether the folder names the file, be it as a link whose content is not here yet."""
    with reachable(path):
        return path.is_file() or path.is_symlink()


def one_form(name: str) -> str:
    """A name in Unicode's form NFC, in which it is one name however its accents were typed."""
    return unicodedata.normalize("NFC", name)


def on_disk(folder: Path, name: str) -> Path:
    """The file of that name, each part of which may be there with its accents typed in another way, as macOS does."""
    place = folder
    for part in Path(name).parts:
        with reachable(place):
            if not part.isascii() and place.is_dir() and not os.path.lexists(place / part):
                part = next((entry for entry in os.listdir(place) if one_form(entry) == one_form(part)), part)
        place /= part
    return place


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
def replacing_folder(folder: Path) -> Iterator[Path]:
    """`replacing`, of a new or empty folder."""
    partial = folder.absolute().with_name(f".{folder.absolute().name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        with naming(folder):
            yield partial
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


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
            "a folder." if path.is_dir() else "no such file.",
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


_LONGEST = 60  # characters of a wrong value that an error shows


class Part(BaseModel):
    """Part of a JSON file: keys that are read, of exactly these types; others may stand beside them."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


Kind = TypeVar("Kind", bound=Part)


def require_kind(path: Path, content: Any, kind: type[Kind], remedy: str = "") -> Kind:
    """What a file holds, as that kind; RunError where it is not, with another remedy than that for a run."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "it"
        shown = repr(first["input"])
        shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
        missing = first["type"] == "missing"
        raise RunError(
            path,
            f"{key} is missing." if missing else f"damaged: {key} is {shown}.",
            "a file of a run, as this program writes it." if missing else f"{first['msg'].lower()}.",
            remedy or "Restore it, or tune again.",
        ) from None


def read_json(path: Path, *keys: str, kind: type[Part] | None = None, remedy: str = "") -> dict[str, Any]:
    """The object in a JSON file, which must have these keys, or hold what that kind of file does.

    `remedy`: what errors advise in place of what helps with a file of a run.

    Raises
    ------
    RunError
        Missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            path, "no such file.", "a file of a run.", remedy or "Is this the folder of a run?"
        ) from None
    except (ValueError, RecursionError) as error:  # damaged text; numbers or nesting beyond all measure
        raise RunError(
            path, f"not JSON: {error}", "a JSON object.", remedy or "Restore it, or start the run again."
        ) from None
    missing = [key for key in keys if key not in content] if isinstance(content, dict) else ["an object"]
    if missing:
        raise RunError(
            path, f"{', '.join(missing)} is missing.", "a file of a run, whole.", remedy or "Restore it."
        )
    if kind is not None:
        require_kind(path, content, kind, remedy)
    return content


class RepeatedKeyError(ValueError):
    """An object of JSON lists a key twice: the second would silently win."""


def parsed_json(text: str) -> Any:
    """What a user's JSON text stands for; RepeatedKeyError, another ValueError or RecursionError where it is none."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            keys = [key for key, _ in pairs]
            raise RepeatedKeyError(f"lists {next(key for key in keys if keys.count(key) > 1)!r} twice")
        return content

    return json.loads(text, object_pairs_hook=once)


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        sync(temporary)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """See to it that what was written is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
