"""Lock files: who works in a folder, as long as its process lives."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from brainwavlm.errors import RunError


@contextmanager
def locked(path: Path, what: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock file for as long as the block runs; the system lets go of it when the process dies.

    RunError with `what` somebody else is doing who still holds it after `patience` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience
    with open(path, "a") as lock:
        while not _taken(lock, fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise RunError(path, what, "nobody else at work here.", "Wait for it, or stop it.")
            time.sleep(0.1)
        yield


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock file."""
    if not path.exists():
        return False
    with open(path) as lock:
        return not _taken(lock, fcntl.LOCK_SH)


def _taken(lock: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
