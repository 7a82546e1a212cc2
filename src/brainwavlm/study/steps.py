"""What is done with a cell, one function a step: tune, evaluate, transfer, probe."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainwavlm.config import RunConfig, validated
from brainwavlm.progress import Progress
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.probes import Probes
from brainwavlm.results.transfer import Transfer
from brainwavlm.runs.run import open_run


@dataclass(frozen=True)
class Task:
    """A cell as a process gets it.

    Attributes
    ----------
    study : str
        Folder of the study.
    folder : str
        Name of the cell's folder.
    identity : str
    facts : dict
        What the identity was made of.
    config : dict
        The RunConfig.
    steps : dict of str to dict
        Options of what follows tuning: `evaluate`, and perhaps `transfer` and `probe`.
    engine : str
    cpus : int
        Threads.
    place : str
        Where the file of the study asks for it, for messages.
    """

    study: str
    folder: str
    identity: str
    facts: dict[str, Any]
    config: dict[str, Any]
    steps: dict[str, dict[str, Any]]
    engine: str
    cpus: int
    place: str = ""


def _tune(path: Path, task: Task, options: dict[str, Any]) -> None:
    """Tune, from the last checkpoint where there is one."""
    from brainwavlm.encoding.tuning import tune

    begun = (path / "run.json").is_file()
    if path.exists() and not begun:
        shutil.rmtree(path)  # killed before its manifest: of no use
    if not begun or open_run(path).result is None:
        # A run that was begun goes on as it began, wherever frontends are kept now.
        config = open_run(path).config if begun else validated(RunConfig, task.config, task.folder)
        tune(config, path, resume=begun, progress=_PrintedProgress())


def _evaluate(path: Path, task: Task, options: dict[str, Any]) -> None:
    from brainwavlm.evaluation.evaluate import evaluate

    scores = evaluate(open_run(path), Path(task.study) / "features", **_without_data(options))
    _replaced(path / "evaluation", scores.save)


def _transfer(path: Path, task: Task, options: dict[str, Any]) -> None:
    from brainwavlm.evaluation.transfer import transfer

    scores = transfer(open_run(path), cache=Path(task.study) / "features", **_without_data(options))
    _replaced(path / "transfer", scores.save)


def _probe(path: Path, task: Task, options: dict[str, Any]) -> None:
    from brainwavlm.evaluation.probes.probe import probe

    probes = probe(open_run(path), cache=Path(task.study) / "features", **_without_data(options))
    _replaced(path / "probes", probes.save)


def _without_data(options: dict[str, Any]) -> dict[str, Any]:
    """What the file of the study says, without the digest of the data that goes into what is done."""
    return {key: value for key, value in options.items() if key != "data"}


STEPS: dict[str, Callable[[Path, Task, dict[str, Any]], None]] = {
    "tune": _tune,
    "evaluate": _evaluate,
    "transfer": _transfer,
    "probe": _probe,
}
RESULTS: dict[str, type[Evaluation] | type[Transfer] | type[Probes]] = {
    "evaluate": Evaluation,
    "transfer": Transfer,
    "probe": Probes,
}


def _replaced(folder: Path, save: Callable[[Path], Any]) -> None:
    """Save into a folder in place of what was there with other options."""
    if folder.exists():
        shutil.rmtree(folder)
    save(folder)


class _PrintedProgress(Progress):
    """One line an epoch."""

    def epoch(self, epoch: int, loss: float | None, validation: float | None, best: int) -> None:
        """Print it."""
        print(f"epoch {epoch}: loss {loss}, validation r {validation}, best {best}", flush=True)
