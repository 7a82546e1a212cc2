"""Where results may be written: where files can be made, not in a data set or somebody's run, not over other files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from brainwavlm.datasets.dataset_yaml import FILE_NAME
from brainwavlm.datasets.lebel2023 import derivative_folder
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.results.schemas import COLUMNS, REPLICATES

_OF_RESULTS = {*COLUMNS, REPLICATES, "summary.json", "run.json", "result.json"}
_HEAD_BYTES = 4096
_LONGEST_NAME = 240  # 255 bytes, less what the temporary file beside it adds


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
        # Modes alone do not tell what a disk takes.
        with TemporaryDirectory(prefix=".", dir=nearest) as trial:
            (Path(trial) / path.relative_to(nearest)).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            key,
            f"{folder} cannot be written to: {error.strerror}.",
            "a folder that is new or can be written.",
            "Choose another place.",
        ) from None


def require_path(path: Path, ours: bytes, others: str, elsewhere: tuple[str, str], problem: str = "") -> None:
    """RunError where a file is one of a result, has a `problem` already, or must not be replaced.

    `ours` is what the head of a file holds that may be replaced (empty: any may), `others` what a file without it is.
    ConfigError where nothing can be written in that folder.
    """
    of_result = any((path.parent / name).is_file() for name in ("summary.json", "run.json"))
    with written(path, *elsewhere):
        # An earlier version's table of voxels is not compressed.
        if of_result and {path.name, f"{path.name}.gz"} & _OF_RESULTS:
            problem = "a file of the result itself."
        elif len(os.fsencode(path.name)) > _LONGEST_NAME:
            problem = problem or "a name too long."
        elif path.is_dir():
            problem = problem or "a folder is here."
        elif ours and os.path.lexists(path):
            with path.open("rb") as file:
                problem = problem or ("" if ours in file.read(_HEAD_BYTES) else others)
    if problem:
        raise RunError(path, problem, *elsewhere)
    require_writable(path.parent, "output")


@contextmanager
def written(path: Path, expected: str, remedy: str) -> Iterator[None]:
    """A RunError in place of the system's own where a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise RunError(path, f"not writable: {error.strerror}.", expected, remedy) from None
