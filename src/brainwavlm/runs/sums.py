"""SHA-256 of every file of a finished folder, in the form of `sha256sum`: a flipped bit is told by the file's name."""

import re
from collections.abc import Iterable
from pathlib import Path

from brainwavlm.errors import RunError
from brainwavlm.files import digest_of, replacing, sync

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)")


def write_sums(folder: Path, files: Iterable[Path]) -> None:
    """Write SHA256SUMS beside the files; `sha256sum -c SHA256SUMS` in the folder compares them too."""
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    with replacing(folder / SUMS) as temporary:
        lines = (f"{digest_of(folder / name)}  {name}\n" for name in names)
        temporary.write_text("".join(lines), encoding="utf-8")
        sync(temporary)


def require_sums(folder: Path, without: str, left_out: str = "") -> int:
    """How many files have the content that SHA256SUMS says: all of them.

    Parameters
    ----------
    folder : Path
    without : str
        What to do where there is no such file.
    left_out : str
        Name of a file that may have changed.

    Raises
    ------
    RunError
        A file is missing or was changed; or SHA256SUMS is.
    """
    path = folder / SUMS
    try:
        lines = path.read_bytes().decode().split("\n")
    except FileNotFoundError:
        raise RunError(path, "no such file.", "the checksum of each file of the folder.", without) from None
    except UnicodeDecodeError:
        lines = ["?"]
    rows = [_LINE.fullmatch(line) for line in lines[:-1]]
    if lines[-1] or not rows or None in rows:
        raise RunError(
            path, "damaged: no list of checksums.", "lines of sha256sum.", "Copy the folder again."
        )
    named = {row[2]: row[1] for row in rows if row is not None and row[2] != left_out}
    wrong = [name for name, digest in named.items() if not _is(folder / name, digest)]
    if wrong:
        others = f"; so do {len(wrong) - 1} more: {', '.join(wrong[1:4])}" if wrong[1:] else ""
        raise RunError(
            folder / wrong[0],
            f"{'missing' if not (folder / wrong[0]).is_file() else 'lacks the content it was written with'}{others}.",
            f"the file whose checksum {SUMS} has: a bit may have flipped, or somebody changed it.",
            "Copy the folder again from where it was made.",
        )
    return len(named)


def _is(path: Path, digest: str) -> bool:
    try:
        return digest_of(path) == digest
    except (OSError, ValueError):  # not there, or a damaged name
        return False
