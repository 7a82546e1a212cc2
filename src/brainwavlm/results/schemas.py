"""What summary.json of an evaluation must hold for a report to be made of it."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from brainwavlm.config import ControlKind
from brainwavlm.errors import RunError
from brainwavlm.files import read_json

AGAIN = "Evaluate again: brainwavlm evaluate RUN... --output FOLDER"
_Name = Annotated[str, Field(min_length=1)]
_Count = Annotated[int, Field(ge=0)]
_Correlation = Annotated[float, Field(ge=-1, le=1)]


class _Read(BaseModel):
    """Keys that a report reads; other keys are left alone."""

    model_config = ConfigDict(strict=True, extra="ignore")


class _Rows(_Read):
    held_out: _Count
    fitted: _Count


class _Frozen(_Read):
    dataset: str
    licence: str
    facts: list[str]
    unusable_voxels: dict[str, _Count]
    n_voxels: _Count
    voxels_without_r: _Count
    tr: Annotated[FiniteFloat, Field(gt=0)]
    tr_reference: str
    rows: _Rows
    folds: str
    normalised_by: str


class _Best(_Read):
    epoch: int


class _Epoch(_Read):
    epoch: int
    loss: FiniteFloat | None = None
    validation_r: _Correlation | None = None


class _Run(_Read):
    name: _Name
    subject: _Name
    target: _Name
    seed: int
    method: str
    simulated: bool
    control: ControlKind
    best: _Best | None
    history: list[_Epoch]
    splits: dict[Literal["train", "validation", "test"], list[str]]
    bootstrap: str
    config: dict[str, Any]
    frozen: _Frozen


class _Summary(_Read):
    simulated: bool
    runs: Annotated[list[_Run], Field(min_length=1)]
    notes: list[str]
    versions: dict[str, str]


def read_summary(path: Path) -> dict[str, Any]:
    """The content of summary.json, with every key that a report reads.

    Parameters
    ----------
    path : Path

    Raises
    ------
    RunError
        Missing, no file, no JSON object, or a key is missing or of another type; the error names the key.
    """
    if path.parent.exists() and not path.parent.is_dir():
        raise RunError(path.parent, "a file, not a folder.", "the folder of an evaluation.", AGAIN)
    try:
        summary = read_json(path)
    except OSError as error:
        raise RunError(
            path, f"not readable: {os.strerror(error.errno or 0)}.", "a JSON file.", AGAIN
        ) from None
    try:
        runs = _Summary.model_validate(summary).runs
    except ValidationError as error:
        raise _wrong(path, error) from None
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise RunError(path, f"several runs with the name {name}.", "a name for each run.", AGAIN)
    if summary["simulated"] != any(run.simulated for run in runs):
        found = f"simulated is {summary['simulated']}, its runs say otherwise."
        raise RunError(path, found, "true where a run is simulated, else false.", AGAIN)
    return summary


def _wrong(path: Path, error: ValidationError) -> RunError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if not key:
        return RunError(path, "no JSON object.", "the summary of an evaluation.", AGAIN)
    if first["type"] == "missing":
        return RunError(path, f"no {key}.", "the summary of an evaluation.", AGAIN)
    found = repr(first["input"])
    found = found if len(found) <= 60 else f"{found[:60]}…"
    message = first["msg"]
    return RunError(path, f"{key} is {found}.", f"{message[0].lower()}{message[1:]}.", AGAIN)
