"""A study from its description to the states of its cells: who is done, who is left, who works on them."""

import os
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from brainwavlm.errors import BrainwavlmError, ConfigError
from brainwavlm.progress import Progress
from brainwavlm.runs.lock import locked
from brainwavlm.runs.object_store import copy_folder
from brainwavlm.study.cells import Cell, cells_of
from brainwavlm.study.checks import place_of, require_runnable
from brainwavlm.study.description import Study
from brainwavlm.study.engines import EngineOptions, engine_options
from brainwavlm.study.preparation import Prepared, require_place, write_study
from brainwavlm.study.records import CellState, read_state, record_path, write_state
from brainwavlm.study.work import Task, steps_done

_DESCRIPTION = ("study.json", "study.yaml")


def run_study(
    study: Study,
    output: str | Path,
    *,
    retry_failed: bool = False,
    only: Sequence[str] = (),
    finished: Callable[[CellState], None] | None = None,
    progress: Progress | None = None,
    upload: str | None = None,
    **engine: Any,
) -> list[CellState]:
    """Tune and score every cell of a study that is not done yet.

    Parameters
    ----------
    study : Study
    output : str or Path
        Folder of the study: new, or that of this study. Engine ray: on storage that all machines see.
    retry_failed : bool
        Start also those that failed before.
    only : sequence of str
        Experiments whose cells are worked on; none: all.
    finished : function of CellState, optional
        Called as each cell ends.
    progress : Progress, optional
        Shows how far the look at all cells is, before the first begins; None is silent.
    upload : str or None
        Address on an object store to which each cell is copied when it is done (`runs.object_store`).
    **engine
        Of `EngineOptions`: engine (local or ray), workers (cells at once), cpus (threads of each), retries (of a cell
        whose process died), gpus (of each cell), and of Ray address and memory_gb.

    Returns
    -------
    list of CellState
        Of the chosen cells, in the order of the file.

    Raises
    ------
    BrainwavlmError
        Before anything begins: a wrong description, data that are not there, a folder in use or of another study.
    """
    how = engine_options(**engine)
    cells = cells_of(study)
    chosen = [cell for cell in cells if chosen_by(cell, study, only)]
    places = {cell.name: place_of(cell, study.source) for cell in chosen}
    progress = progress or Progress()
    output = Path(os.path.realpath(output))  # a loop of links is told by whoever writes first
    made = not output.exists()
    try:
        require_place(output, study)
        with locked(output / "lock", "another `study run` is at work here.", patience=1):
            require_runnable(study, progress.over(cells, f"Looking for wrong values in {len(cells)} cells"))
            prepared = write_study(study, cells, output, progress)
            shared = output / "frontends" if study.share_frontends else None
            ended = finished or (lambda state: None)
            if upload is not None:  # what is wrong with the address goes wrong here
                copy_folder(output, upload, only=_DESCRIPTION)
                ended = _uploaded(output, upload, ended)
            left = _left(chosen, prepared, places, output, how, retry_failed, shared)
            _work_on(left, output, how, ended)
            states = [
                read_state(output, place.folder, place.identity)
                for place in (prepared[name] for name in places)
            ]
            if upload is not None:
                copy_folder(output, upload, only=_finished(states))
            return states
    except (BrainwavlmError, OSError):
        if made and not (output / "study.json").exists():
            shutil.rmtree(output, ignore_errors=True)
        raise


def _finished(states: Sequence[CellState]) -> list[str]:
    """What of a study's folder is copied when these cells have ended: their records, and those that are done."""
    records = [
        record_path(Path(), state.folder, end).as_posix() for state in states for end in ("json", "log")
    ]
    return [*_DESCRIPTION, *records, *(f"cells/{state.folder}" for state in states if state.state == "done")]


def _uploaded(
    output: Path, upload: str, finished: Callable[[CellState], None]
) -> Callable[[CellState], None]:
    """`finished`, and then a copy of the cell. A store that rests must not stop the cells."""

    def ended(state: CellState) -> None:
        finished(state)
        try:
            copy_folder(output, upload, only=_finished([state]))
        except BrainwavlmError as error:
            warnings.warn(f"{state.folder} is uploaded at the end:\n{error}", stacklevel=2)

    return ended


def chosen_by(cell: Cell, study: Study, only: Sequence[str]) -> bool:
    """Whether a cell belongs to one of some experiments, or none is named. ConfigError for no such experiment."""
    for name in only:
        if name not in study.experiments:
            names = ", ".join(study.experiments)
            raise ConfigError("only", repr(name), f"one of {names}.", "Choose one of these.")
    return not only or any(name in cell.experiments for name in only)


def _left(
    cells: Sequence[Cell],
    prepared: Mapping[str, Prepared],
    places: Mapping[str, str],
    output: Path,
    how: EngineOptions,
    retry_failed: bool,
    frontends: Path | None,
) -> list[Task]:
    """Tasks of the cells that are to be worked on; their records say that they wait."""
    tasks = []
    for cell in cells:
        place = prepared[cell.name]
        state = read_state(output, place.folder, place.identity)
        if state.state == "failed" and not retry_failed:
            continue
        if state.state == "done" and steps_done(output, state, place.steps):
            continue
        write_state(output, state.but(state="waiting", error=None))
        config = cell.config.model_dump(mode="json")
        # No part of a cell's identity: it changes no score.
        if frontends is not None and cell.config.training.frontend_folder is None:
            config["training"]["frontend_folder"] = str(frontends)
        tasks.append(Task(str(output), *place, config, how.cpus, places[cell.name]))
    return tasks


def _work_on(
    tasks: Sequence[Task], output: Path, how: EngineOptions, finished: Callable[[CellState], None]
) -> None:
    def ended(state: CellState) -> None:
        if state.state == "failed":  # also of a cell that could not begin: its process wrote nothing
            before = read_state(output, state.folder, state.identity)
            state = before.but(state="failed", error=state.error)
            write_state(output, state)
        finished(state)

    try:
        if tasks:
            how.work_on(tasks, ended)
    finally:
        for task in tasks:
            with suppress(BrainwavlmError):
                state = read_state(output, task.folder, task.identity)
                if state.state == "running":  # its process is gone, with this study
                    write_state(output, state.but(state="waiting"))
