"""The work of one cell, in a process of its own: tune, evaluate, transfer, probe. Both engines call `run_cell`."""

import os
import shutil
import socket
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from brainwavlm.config import RunConfig, validated
from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.files import read_json
from brainwavlm.progress import Progress
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.probes import Probes
from brainwavlm.results.transfer import Transfer
from brainwavlm.runs.environment import code_version, same_code
from brainwavlm.runs.lock import locked
from brainwavlm.runs.run import open_run
from brainwavlm.study.checks import naming_cell
from brainwavlm.study.records import WRITTEN, CellState, lost_file, read_state, record_path, write_state

RESULTS: dict[str, type[Evaluation] | type[Transfer] | type[Probes]] = {
    "evaluate": Evaluation,
    "transfer": Transfer,
    "probe": Probes,
}


@dataclass(frozen=True)
class Task:
    """A cell as a process gets it.

    Attributes
    ----------
    study, folder : str
        Folder of the study, and name of the cell's.
    identity : str
    steps : dict of str to dict
        Options of what follows tuning: `evaluate`, and perhaps `transfer` and `probe`.
    config : dict
        The RunConfig.
    cpus : int
        Threads.
    place : str
        Where the file of the study asks for it, for messages.
    """

    study: str
    folder: str
    identity: str
    steps: dict[str, dict[str, Any]]
    config: dict[str, Any]
    cpus: int
    place: str = ""


def run_cell(content: dict[str, Any]) -> dict[str, Any]:
    """Do what is left of a cell, from the content of a `Task`; what it prints goes to the cell's log.

    Its `CellState` at the end: done, or failed with its error. Only a death of the process ends otherwise.
    """
    task = Task(**content)
    study = Path(task.study)
    try:
        _require_study(study)
        with locked(
            record_path(study, task.folder, "lock"), "another process works on this cell.", patience=60
        ):
            state = read_state(study, task.folder, task.identity)
            state = state.but(
                state="running",
                attempts=state.attempts + 1,
                error=None,
                host=socket.gethostname(),
                pid=os.getpid(),
            )
            write_state(study, state)
            with _printing_to(record_path(study, task.folder, "log")):
                state = _worked(task, state)
            write_state(study, state)
    except BrainwavlmError as error:
        state = CellState(folder=task.folder, identity=task.identity, state="failed", error=str(error))
    return state.model_dump()


def steps_done(study: Path, state: CellState, asked: dict[str, dict[str, Any]]) -> bool:
    """Whether everything that is asked of a cell is there, with the options that are asked for."""
    return all(_is_done(study, state, name, options) for name, options in {"tune": {}, **asked}.items())


def limit_threads(n: int) -> None:
    """As many threads for torch and for numpy's libraries, so that sums are made in the same order everywhere."""
    import torch
    from threadpoolctl import threadpool_limits

    # They bring the libraries that are to be limited: what is loaded later would not know.
    import_module("brainwavlm.encoding.tuning")
    import_module("brainwavlm.evaluation.evaluate")
    import_module("brainwavlm.evaluation.transfer")
    torch.set_num_threads(n)
    threadpool_limits(n)


def _require_study(study: Path) -> None:
    """Raise unless this process sees the study's folder and computes with its code."""
    path = study / "study.json"
    if not path.is_file():
        raise RunError(
            path,
            f"not there on the machine {socket.gethostname()}.",
            "a folder that every machine of the cluster sees under this name.",
            "Choose a folder on shared storage.",
        )
    planned, here = read_json(path, "code")["code"], code_version()
    if not same_code(planned, here):
        raise RunError(
            path,
            f"begun with version {planned['version']} ({planned['source'][:10]}), but {socket.gethostname()} "
            f"has {here['version']} ({here['source'][:10]}).",
            "one version of brainwavlm for all cells.",
            "Install the same version everywhere, change no code meanwhile, and start the study again.",
        )


def _worked(task: Task, state: CellState) -> CellState:
    """The state after all steps, or after the one that failed."""
    study = Path(task.study)
    path = study / "cells" / task.folder
    options: dict[str, dict[str, Any]] = {"tune": {}, **task.steps}
    try:
        limit_threads(task.cpus)
        for name, some in options.items():
            if not _is_done(study, state, name, some):
                print(f"{name}: attempt {state.attempts}, process {state.pid} on {state.host}", flush=True)
                began = time.monotonic()
                with naming_cell(task.place or task.folder):
                    _do_step(name, path, task, some)
                state = state.with_step(name, some, time.monotonic() - began)
                write_state(study, state)
        return state.but(state="done")
    except BrainwavlmError as error:
        return state.but(state="failed", error=str(error))
    except Exception as error:  # one cell must not stop the others, whatever is wrong with it
        traceback.print_exc()
        log = record_path(study, task.folder, "log")
        return state.but(state="failed", error=f"{type(error).__name__}: {error} (see {log})")


def _is_done(study: Path, state: CellState, name: str, options: dict[str, Any]) -> bool:
    """Whether a step is there, with these options and in files that can be read."""
    if name not in state.steps or state.steps[name].options != options:
        return False
    cell = study / "cells" / state.folder
    if lost_file(cell, name) is not None:
        return False
    try:
        # Checkpoints are not asked for: when all is scored, they may be removed.
        if name == "tune":
            _ = open_run(cell).config, open_run(cell).result
        else:
            RESULTS[name].open(cell / _scored_folder(name))
    except BrainwavlmError:
        return False
    return True


@contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    with open(path, "a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        yield


def _do_step(name: str, path: Path, task: Task, options: dict[str, Any]) -> None:
    """Tune a cell, or score it, in place of what was there with other options."""
    if name == "tune":
        _tune(path, task)
        return
    # The digest of the data says what is done, not how.
    options = {key: value for key, value in options.items() if key != "data"}
    score = getattr(import_module("brainwavlm"), name)
    # Features of a tuned model are its cell's alone: gigabytes that nobody else would read.
    scores = score(open_run(path), cache=Path(task.study) / "features", keep_tuned=False, **options)
    folder = path / _scored_folder(name)
    if folder.exists():
        shutil.rmtree(folder)
    scores.save(folder)


def _scored_folder(name: str) -> str:
    """What the folder of a step that scores is called."""
    return WRITTEN[name][0].partition("/")[0]


def _tune(path: Path, task: Task) -> None:
    """Tune, from the last checkpoint where there is one."""
    from brainwavlm.encoding.tuning import tune

    begun = (path / "run.json").is_file()
    if path.exists() and not begun:
        shutil.rmtree(path)  # killed before its manifest: of no use
    if not begun or open_run(path).result is None:
        # A run that was begun goes on as it began, wherever frontends are kept now.
        config = open_run(path).config if begun else validated(RunConfig, task.config, task.folder)
        tune(config, path, resume=begun, progress=_PrintedProgress())


class _PrintedProgress(Progress):
    """One line an epoch."""

    def epoch(self, epoch: int, loss: float | None, validation: float | None, best: int) -> None:
        """Print it."""
        print(f"epoch {epoch}: loss {loss}, validation r {validation}, best {best}", flush=True)
