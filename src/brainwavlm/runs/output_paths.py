"""Where results may be written: not in a data set, and not in somebody's run."""

from pathlib import Path

from brainwavlm.datasets.dataset_yaml import FILE_NAME
from brainwavlm.datasets.lebel2023 import derivative_folder
from brainwavlm.errors import ConfigError


def require_apart(path: Path, in_run: bool = False) -> None:
    """ConfigError where a new folder would lie in a data set (native or a copy of ds003020), or in a run.

    Parameters
    ----------
    path : Path
        Need not be there yet.
    in_run : bool
        Scores of a run may lie in its folder.
    """
    for folder in (path.absolute(), *path.absolute().parents):
        what = None
        if (folder / FILE_NAME).exists() or derivative_folder(folder) is not None:
            what = "data set"
        elif not in_run and folder != path.absolute() and (folder / "run.json").exists():
            what = "run"
        if what is not None:
            raise ConfigError(
                "output",
                f"{path} is in the {what} {folder}.",
                "a folder of its own.",
                "Choose another place.",
            )
