"""What lies at a path: which command wrote the folder."""

from pathlib import Path

from brainwavlm.errors import RunError


def shown_folder(folder: str | Path) -> Path:
    """The folder whose results are shown: the evaluation of a run, or the folder itself.

    Raises
    ------
    RunError
        A run without an evaluation.
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        return folder
    if not (folder / "evaluation" / "summary.json").is_file():
        raise RunError(
            folder,
            "a run without an evaluation.",
            "scores of the run on test stories.",
            f"Make them:  brainwavlm evaluate {folder}",
        )
    return folder / "evaluation"
