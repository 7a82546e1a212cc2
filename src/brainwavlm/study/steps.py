"""What is done with a cell, step by step: tune, evaluate, transfer, probe."""

import shutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from brainwavlm.config import RunConfig, validated
from brainwavlm.progress import Progress
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.probes import Probes
from brainwavlm.results.transfer import Transfer
from brainwavlm.runs.run import open_run
from brainwavlm.study.records import WRITTEN


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


RESULTS: dict[str, type[Evaluation] | type[Transfer] | type[Probes]] = {
    "evaluate": Evaluation,
    "transfer": Transfer,
    "probe": Probes,
}


def do_step(name: str, path: Path, task: Task, options: dict[str, Any]) -> None:
    """Tune a cell, or score it, in place of what was there with other options."""
    if name == "tune":
        _tune(path, task)
        return
    # The digest of the data says what is done, not how.
    options = {key: value for key, value in options.items() if key != "data"}
    score = getattr(import_module("brainwavlm"), name)
    # Features of a tuned model are its cell's alone: gigabytes that nobody else would read.
    scores = score(open_run(path), cache=Path(task.study) / "features", keep_tuned=False, **options)
    folder = path / scored_folder(name)
    if folder.exists():
        shutil.rmtree(folder)
    scores.save(folder)


def scored_folder(name: str) -> str:
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
