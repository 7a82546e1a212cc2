"""Where results may be written: where files can be made, not in a data set, and not in somebody's run."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

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


def require_writable(folder: Path, key: str) -> None:
    """ConfigError unless a folder, there or yet to be made, can take files: tried beside it, and nothing is left."""
    path = folder.absolute()
    try:
        nearest = next(place for place in (path, *path.parents) if os.path.lexists(place))
        with TemporaryDirectory(
            prefix=".", dir=nearest
        ) as trial:  # modes alone do not tell what a disk takes
            (Path(trial) / path.relative_to(nearest)).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            key,
            f"{folder} cannot be written to: {error.strerror}.",
            "a folder that is new or can be written.",
            "Choose another place.",
        ) from None
