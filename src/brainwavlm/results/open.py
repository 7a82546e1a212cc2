"""What lies at a path: which command wrote the folder, and the result in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from brainwavlm.errors import RunError

if TYPE_CHECKING:
    from brainwavlm.results.comparison import Comparison
    from brainwavlm.results.evaluation import Evaluation
    from brainwavlm.results.partition import Partition
    from brainwavlm.results.probes import Probes
    from brainwavlm.results.speech_task import SpeechTask
    from brainwavlm.results.transfer import Transfer

Made = Literal[
    "study", "run", "comparison", "transfer", "probes", "partition", "speech task", "ridge", "evaluation"
]
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
    "evaluation": ("table.csv", "voxels.csv"),
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
    """The folder whose results are shown: the evaluation of a run, or the folder itself.

    Raises
    ------
    RunError
        A run without an evaluation.
    """
    folder = Path(folder)
    if made_at(folder) != "run":
        return folder
    evaluation = within_run(folder, "evaluation")
    if evaluation is None:
        raise RunError(
            folder,
            "a run without an evaluation.",
            "scores of the run on test stories.",
            f"Make them:  brainwavlm evaluate {folder}",
        )
    return evaluation


def open_result(folder: str | Path) -> "Evaluation | Comparison | Transfer | Probes | Partition | SpeechTask":
    """The result in a folder, or the evaluation of a run. RunError where it is damaged, or nothing is there."""
    from brainwavlm.results.comparison import Comparison
    from brainwavlm.results.evaluation import Evaluation
    from brainwavlm.results.partition import Partition
    from brainwavlm.results.probes import Probes
    from brainwavlm.results.speech_task import SpeechTask
    from brainwavlm.results.transfer import Transfer

    folder = shown_folder(folder)
    made = made_at(folder)
    if made is None and (folder / "summary.json").is_file():
        tables = [signs[0] for signs in _SIGNS.values() if signs[0].endswith(".csv")]
        raise RunError(
            folder,
            "summary.json without a table.",
            f"one of {', '.join(tables)} beside it.",
            "Restore it, or run the command again that wrote the folder.",
        )
    kinds: dict[Any, Any] = {"comparison": Comparison, "transfer": Transfer, "probes": Probes}
    kinds |= {"partition": Partition, "speech task": SpeechTask}
    return kinds.get(made, Evaluation).open(folder)
