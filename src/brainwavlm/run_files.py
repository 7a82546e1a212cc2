"""The JSON files of a run: written whole, and read against what they hold, so that a damaged one is named."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from brainwavlm.datasets.files import replacing
from brainwavlm.errors import RunError

_LONGEST = 60  # characters of a wrong value that an error shows


class Part(BaseModel):
    """Part of a JSON file: keys that are read, of exactly these types; others may stand beside them."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class Best(Part):
    """The best epoch."""

    epoch: int
    checkpoint: str
    validation_r: float | None = None


class Epoch(Part):
    """One epoch of the history."""

    epoch: int
    loss: float
    validation_r: float | None
    gradient_norm: float | None = None  # not recorded by earlier versions


class Course(Part):
    """How a run went."""

    best: Best | None
    history: list[Epoch]


class State(Course):
    """state.json of a checkpoint."""

    epoch: int = Field(ge=0)
    step: int = Field(ge=0)
    losses: list[float]
    gradient_norms: list[float | None] = []
    log_bytes: int = Field(ge=0)


class Control(Part):
    """What was in place of the responses."""

    kind: str
    n_targets: int
    voxels: bool
    unknown: dict[str, int] | None = None


class Data(Part):
    """What is said of the data."""

    dataset: str
    subject: str
    simulated: bool
    n_voxels: int
    n_target: int
    control: Control


class Side(Part):
    """A run as one of its listeners sees it."""

    config: dict[str, Any]
    splits: dict[str, list[str]]
    data: Data


class NamedSide(Side):
    """That of a joint run."""

    name: str


class Manifest(Side):
    """run.json."""

    backbone: dict[str, Any]
    versions: dict[str, str]
    listeners: list[NamedSide] = Field(default=[], min_length=1)

    @model_validator(mode="after")
    def _everyone(self):
        """A joint run without one of its listeners would be scored as if that one had not heard anything."""
        further, seen = len(self.config.get("joint", [])), len(self.listeners)
        if seen != (further + 1 if further else 0):
            raise ValueError(f"{further + 1} listeners in config, {seen} in listeners")
        return self


def require_kind(path: Path, content: Any, kind: type[Part]) -> None:
    """RunError where what a file holds is not of that kind."""
    try:
        kind.model_validate(content)
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
            "Restore it, or tune again.",
        ) from None


def read_json(path: Path, *keys: str, kind: type[Part] | None = None) -> dict[str, Any]:
    """The object in a JSON file, which must have these keys, or hold what that kind of file does.

    Raises
    ------
    RunError
        Missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(path, "no such file.", "a file of a run.", "Is this the folder of a run?") from None
    except (ValueError, RecursionError) as error:  # damaged text; numbers or nesting beyond all measure
        raise RunError(
            path, f"not JSON: {error}", "a JSON object.", "Restore it, or start the run again."
        ) from None
    missing = [key for key in keys if key not in content] if isinstance(content, dict) else ["an object"]
    if missing:
        raise RunError(path, f"{', '.join(missing)} is missing.", "a file of a run, whole.", "Restore it.")
    if kind is not None:
        require_kind(path, content, kind)
    return content


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        sync(temporary)


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock file."""
    if not path.exists():
        return False
    with open(path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def sync(path: Path) -> None:
    """See to it that what was written is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
