"""What lies at a path: which command wrote the folder, and the result in it."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from brainwavlm import results
from brainwavlm.errors import RunError

if TYPE_CHECKING:
    from brainwavlm.results.result import Result

Made = Literal[
    "study", "run", "comparison", "transfer", "probes", "partition", "speech task", "ridge", "evaluation"
]
_CLASSES: dict[Made | None, str] = {"comparison": "Comparison", "transfer": "Transfer", "probes": "Probes"}
_CLASSES |= {"partition": "Partition", "speech task": "SpeechTask"}  # all else is an evaluation
# Files by which a folder is known, in the order in which they are looked for.
_SIGNS: dict[Made, tuple[str, ...]] = {
    "study": ("study.json",),
    "run": ("run.json",),
    "comparison": ("groups.csv",),
    "transfer": ("matrix.csv",),
    "probes": ("probes.csv",),
    "partition": ("partition.csv",),
    "speech task": ("speech_task.csv",),
    "ridge": ("scores.csv",),
    "evaluation": ("table.csv", "voxels.csv.gz"),
}
# A run's folder may hold them, by that name.
RESULTS: tuple[Made, ...] = ("evaluation", "comparison", "transfer", "probes", "partition")


def made_at(folder: Path) -> Made | None:
    """What a command made there; None where there is no folder, or none that this program wrote."""
    return next(
        (made for made, signs in _SIGNS.items() if any((folder / sign).is_file() for sign in signs)), None
    )


def within_run(run: Path, made: Made) -> Path | None:
    """A result in the folder of a run, where it is there."""
    return run / made if made in RESULTS and (run / made / "summary.json").is_file() else None


def shown_folder(folder: str | Path) -> Path:
    """The folder whose results are shown: the evaluation of a run, or the folder itself, else RunError."""
    folder = Path(folder)
    if not folder.exists():
        raise RunError(folder, "no such folder.", "a run, or a folder of results.", "Correct its path.")
    if made_at(folder) != "run":
        return folder
    evaluation = within_run(folder, "evaluation")
    if evaluation is None:
        remedy = f"Make them:  brainwavlm evaluate {shlex.quote(str(folder))}"
        raise RunError(folder, "a run without an evaluation.", "scores of the run on test stories.", remedy)
    return evaluation


def open_result(folder: str | Path) -> "Result":
    """The result in a folder, or the evaluation of a run. RunError where it is damaged, or nothing is there."""
    folder = shown_folder(folder)
    made = made_at(folder)
    if made is None and (folder / "summary.json").is_file():
        tables = [signs[0] for signs in _SIGNS.values() if signs[0].endswith(".csv")]
        remedy = "Restore it, or run the command again that wrote the folder."
        expected = f"one of {', '.join(tables)} beside it."
        raise RunError(folder, "summary.json without a table.", expected, remedy)
    kind: type[Result] = getattr(results, _CLASSES.get(made, "Evaluation"))
    return kind.open(folder)
