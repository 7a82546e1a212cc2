"""Which code computes: its version, a digest of its source, and the git revision where it is run from a checkout."""

import hashlib
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from brainwavlm import __version__

PACKAGE = Path(__file__).parent
# What shows, lists or records cannot change the numbers of a run; all other code may.
SHOWS = (
    *("reporting", "study", "cli*.py", "terminal*.py", "progress.py", "planning.py", "demo.py", "__*.py"),
    *("listing.py", "plain_text.py", "provenance.py", "machine.py", "revision.py"),
)


def code_version() -> dict[str, Any]:
    """Version and digest of the code that computes runs; the git revision for people, where there is one.

    The digest is over files, so it also tells apart changes that are not committed, and works without git.
    """
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE)
        if not any(fnmatch(name.parts[0], pattern) for pattern in SHOWS):
            digest.update(name.as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return {"version": __version__, "source": digest.hexdigest(), "git": git_revision()}


def same_code(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two versions compute the same."""
    return all(one.get(key) == other.get(key) for key in ("version", "source"))


def git_revision() -> str | None:
    """Commit of the folder that the package lies in, `+dirty` where its files differ from it."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(PACKAGE), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):
            return None  # installed into somebody else's repository
        return git("rev-parse", "HEAD") + ("+dirty" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
