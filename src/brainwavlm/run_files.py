"""What the JSON files of a run hold: read against this, a damaged one is named before its content is used."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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


class Course(Part):
    """How a run went."""

    best: Best | None
    history: list[Epoch]


class State(Course):
    """state.json of a checkpoint."""

    epoch: int = Field(ge=0)
    step: int = Field(ge=0)
    losses: list[float]
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


class Manifest(Side):
    """run.json."""

    backbone: dict[str, Any]
    versions: dict[str, str]
    listeners: list[Side] = Field(default=[], min_length=1)


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
