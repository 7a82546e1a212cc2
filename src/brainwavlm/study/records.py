"""What a study knows of a cell beside the run itself: its state, attempts and steps. One file a cell.

    records/<cell>.json     written whole by whoever works on the cell, or by the study when that process is gone
    records/<cell>.log      what the cell printed
    records/<cell>.lock     held while somebody works on it

They lie beside the run's folder: `tune` wants that empty, and removes it where the input was bad.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from brainwavlm.errors import RunError
from brainwavlm.files import Part, read_json, write_json
from brainwavlm.results.tables import table_path

State = Literal["waiting", "running", "done", "failed"]
# What each step leaves in the folder of a cell.
WRITTEN = {
    "tune": ("run.json", "result.json"),
    "evaluate": tuple(
        f"evaluation/{name}" for name in ("summary.json", "table.csv", "voxels.csv.gz", "replicates.npz")
    ),
    "transfer": tuple(f"transfer/{name}" for name in ("summary.json", "matrix.csv", "replicates.npz")),
    "probe": tuple(f"probes/{name}" for name in ("summary.json", "probes.csv", "replicates.npz")),
}


class StepDone(Part):
    """A step in a record."""

    options: dict[str, Any]
    seconds: float


class CellState(Part):
    """How far a cell is: records/<cell>.json.

    Attributes
    ----------
    folder : str
        Name of its folder.
    identity : str
        SHA-256 over configuration, data, speech model and code.
    state : str
        waiting, running, done or failed.
    attempts : int
        Times that a process began to work on it.
    error : str or None
        Why it failed.
    seconds : float or None
        Of all steps that are done, each in the attempt that finished it.
    host, pid : str or int or None
        On which machine it was started last, in which process.
    steps : dict of str to StepDone
        Steps that are done, each with the options and data that it had and its seconds.
    """

    folder: str = ""
    identity: str
    state: State
    attempts: int = Field(0, ge=0)
    error: str | None = None
    seconds: float | None = None
    host: str | None = None
    pid: int | None = None
    steps: dict[str, StepDone] = Field({})

    def but(self, **changes: Any) -> "CellState":
        """The state with other values."""
        return self.model_copy(update=changes)

    def with_step(self, name: str, options: Any, seconds: float) -> "CellState":
        """The state after a step."""
        steps = {**self.steps, name: StepDone(options=options, seconds=round(seconds, 2))}
        return self.but(steps=steps, seconds=round(sum(step.seconds for step in steps.values()), 2))


@contextmanager
def remedied(remedy: str) -> Iterator[None]:
    """RunErrors within advise this instead: what they know of is a run's folder, not a study's."""
    try:
        yield
    except RunError as error:
        raise RunError(error.path, error.found, "a file of a study, whole.", remedy) from None


def record_path(study: Path, folder: str, suffix: str = "json") -> Path:
    """Where the record, the log or the lock of a cell lies."""
    return study / "records" / f"{folder}.{suffix}"


def lost_file(cell: Path, step: str) -> Path | None:
    """The first file of a step that is not in the folder of a cell."""
    return next((cell / name for name in WRITTEN[step] if not table_path(cell / name).is_file()), None)


def read_state(study: Path, folder: str, identity: str) -> CellState:
    """The record of a cell, or that of one that waits. RunError where it is damaged, or of another cell."""
    path = record_path(study, folder)
    if not path.exists():
        return CellState(folder=folder, identity=identity, state="waiting")
    with remedied("Remove it, and start the study again: the cell's steps are looked at anew."):
        content = read_json(path, kind=CellState)
    if content["identity"] != identity:
        raise RunError(
            path, "the record of another cell.", f"the identity {identity}.", "Remove it, and start again."
        )
    return CellState(**{**content, "folder": folder})


def write_state(study: Path, state: CellState) -> None:
    """Write a record, whole."""
    write_json(record_path(study, state.folder), state.model_dump())
