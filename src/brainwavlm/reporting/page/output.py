"""Where a page may be written: a new HTML file, or in place of an older page of this program."""

import os
from collections.abc import Sequence
from pathlib import Path

from brainwavlm.errors import RunError
from brainwavlm.results.comparison import COMPARISON_FILES
from brainwavlm.results.evaluation import FILES
from brainwavlm.results.transfer import TRANSFER_FILES

ELSEWHERE = ("an HTML file that can be written.", "Choose another --output.")
_GENERATOR = b'<meta name="generator" content="brainwavlm'
OWN_FILES = {
    *FILES,
    "layers.csv",
    "downstream.csv",
    "resamples.npz",
    *COMPARISON_FILES,
    *TRANSFER_FILES,
    "run.json",
    "result.json",
}
_HEAD_BYTES = 4096
_LONGEST_NAME = 240  # 255 bytes, less what the temporary file beside it adds


def require_page_path(output: Path, *folders: Path) -> None:
    """Raise before a page is drawn that could not be written, or would replace something else.

    Parameters
    ----------
    output : Path
        Of the page.
    folders : Path
        Of evaluations, comparisons and transfers, whose own files stay.

    Raises
    ------
    RunError
    """
    try:
        problem = _problem(output, folders)
    except (OSError, ValueError) as error:
        problem = f"not writable: {getattr(error, 'strerror', None) or error}."
    if problem:
        raise RunError(output, problem, *ELSEWHERE)


def _problem(output: Path, folders: Sequence[Path]) -> str:
    if output.resolve() in [(folder / name).resolve() for folder in folders for name in OWN_FILES]:
        return "a file of the evaluation itself."
    if output.suffix.lower() not in (".html", ".htm"):
        return f"a name that ends in {output.suffix!r}." if output.suffix else "a name without .html."
    if len(os.fsencode(output.name)) > _LONGEST_NAME:
        return "a name too long."
    if output.is_dir():
        return "a folder is here."
    if os.path.lexists(output):
        with open(output, "rb") as file:
            if _GENERATOR not in file.read(_HEAD_BYTES):
                return "another file is here, no page of brainwavlm."
    folder = next(parent for parent in output.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        return f"{folder} is no folder."
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"no permission to write in {folder}."
