"""The folder of a study, read: its description, its cells and how far each is.

study.yaml      the description as it was read
study.json      what it came to: cells with their configuration, identity and folder; the code
cells/<cell>/   an ordinary run folder, with evaluation/, transfer/ and probes/ in it
records/        states, logs and locks of the cells (`study.records`)
features/       features of untuned models, which cells share
checksums.json  of the files of the data, so that each is read once
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from brainwavlm.errors import RunError
from brainwavlm.files import Part, read_json
from brainwavlm.runs.lock import is_held
from brainwavlm.runs.run import Run, open_run
from brainwavlm.study.cells import Cell
from brainwavlm.study.description import Study, study_from
from brainwavlm.study.records import lost_file, read_state, remedied

FORMAT = 1
AGAIN = (
    "Restore it, or remove it and give the file of the study to `brainwavlm study run`: what is done is kept."
)


class Entry(Cell):
    """A cell in study.json."""

    folder: str = Field(pattern=r"^\w[\w.+-]*$")
    identity: str


class Code(Part):
    """The code that a study began with."""

    version: str
    source: str


class Document(Part):
    """study.json."""

    format: Literal[1]
    study: dict[str, Any]
    cells: list[Entry] = Field(min_length=1)
    code: Code

    @field_validator("cells")
    @classmethod
    def _once(cls, cells: list[Entry]) -> list[Entry]:
        if len({cell.folder for cell in cells}) < len(cells):
            raise ValueError("each cell once")
        return cells


@dataclass(frozen=True)
class CellRecord:
    """A cell of a study on disk.

    Attributes
    ----------
    cell : Cell
    path : Path
        Folder of its run; may not be there yet.
    identity : str
    state : str
        waiting, running, done or failed. A cell whose study was killed waits again.
    error : str or None
    attempts : int
    seconds : float or None
        Of the steps that are done.
    """

    cell: Cell
    path: Path
    identity: str
    state: str = "waiting"
    error: str | None = None
    attempts: int = 0
    seconds: float | None = None

    @property
    def run(self) -> Run:
        """Its run; RunError where tuning has not begun."""
        return open_run(self.path)

    @property
    def evaluation(self) -> Path | None:
        """Folder that `evaluate` wrote, whole; None before."""
        return self._written("evaluation")

    @property
    def transfer(self) -> Path | None:
        """Folder that `transfer` wrote, whole; None before, or where it was not asked for."""
        return self._written("transfer")

    @property
    def probes(self) -> Path | None:
        """Folder that `probe` wrote, whole; None before, or where it was not asked for."""
        return self._written("probes")

    def _written(self, name: str) -> Path | None:
        folder = self.path / name  # the summary is written last
        return folder if (folder / "summary.json").is_file() else None


@dataclass(frozen=True)
class StudyFolder:
    """A study on disk.

    Attributes
    ----------
    path : Path
    study : Study
        With what `--set` added.
    cells : list of CellRecord
        In the order of the description.
    code : dict
        Version and digest of the code that the cells belong to.
    stale : list of Path
        Folders of cells that the study no longer asks for, or asks for with other data or code.
    """

    path: Path
    study: Study
    cells: list[CellRecord]
    code: dict[str, Any]
    stale: list[Path]

    def of(self, experiment: str) -> list[CellRecord]:
        """The cells of an experiment."""
        return [record for record in self.cells if experiment in record.cell.experiments]


def open_study(folder: str | Path) -> StudyFolder:
    """The study in a folder, with the states of its cells now. Nothing is written.

    Raises
    ------
    RunError
        No study there, or a damaged one.
    """
    folder = Path(folder)
    path = folder / "study.json"
    if not path.is_file():
        raise RunError(
            folder, "no study.json.", "the folder that `brainwavlm study run` made.", "Give that folder."
        )
    with remedied(AGAIN):
        document = Document.model_validate(read_json(path, kind=Document))
    at_work = is_held(folder / "lock")
    study = study_from(document.study, str(path))
    records = [_record(folder, cell, at_work) for cell in document.cells]
    wanted = {record.path for record in records}
    stale = sorted(path for path in (folder / "cells").glob("*") if path.is_dir() and path not in wanted)
    return StudyFolder(folder, study, records, document.code.model_dump(), stale)


def _record(folder: Path, cell: Entry, at_work: bool) -> CellRecord:
    state = read_state(folder, cell.folder, cell.identity)
    place = folder / "cells" / cell.folder
    shown, error = state.state, state.error
    if shown == "running" and not at_work:
        shown = "waiting"
    if shown == "done":
        lost = next(filter(None, (lost_file(place, step) for step in cell.steps)), None)
        if lost is not None:
            shown, error = "waiting", f"{lost}: no such file; `study run` makes it again."
    return CellRecord(cell, place, cell.identity, shown, error, state.attempts, state.seconds)
