"""Where a run comes from: provenance.json in its folder, an entry for each session that worked on it.

A session is one call of tuning: the first, and each that went on with --resume. It says on which machine, with which
code and versions it ran, by which command, on which data and how long. A session that was
killed counts up to its last line in log.jsonl.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from brainwavlm.config import RunConfig
from brainwavlm.errors import RunError
from brainwavlm.files import Part, read_json, write_json
from brainwavlm.runs.environment import code_version, machine_facts, versions

if TYPE_CHECKING:
    import torch

FILE = "provenance.json"
Ended = Literal["done", "failed", "stopped"]
_TAIL = 2**16  # bytes of log.jsonl in which its last whole line is looked for


class DataFile(Part):
    """One file that the run reads."""

    bytes: int = Field(ge=0)
    changed: int  # time of last change, ns
    sha256: str
    whole: bool  # False: of the first mebibyte only


class Session(Part):
    """One session."""

    began: float
    hours: float = Field(ge=0)
    ended: str | None  # done, failed or stopped; None while it runs, and where it was killed
    error: str | None
    command: str | None
    code: dict[str, Any]
    versions: dict[str, str]
    machine: dict[str, Any]
    data_changed: list[str]


class Provenance(Part):
    """provenance.json."""

    files: dict[str, DataFile]
    sessions: list[Session]


class Recorder:
    """Keeps the entry of this session up to date.

    Parameters
    ----------
    folder : Path
        Of the run, whose lock this process holds.
    config : RunConfig
        Anchored.
    device : torch device
    processes : int
    command : str or None
        What was typed; None where tuning was called from Python.
    """

    def __init__(
        self,
        folder: Path,
        config: RunConfig,
        device: "torch.device",
        processes: int = 1,
        command: str | None = None,
    ) -> None:
        # It imports what reads data, which whoever only lists runs need not wait for.
        from brainwavlm.runs.checksums import changed_files, data_files

        self._path, self._began = folder / FILE, time.monotonic()
        before = read_provenance(folder)
        earlier = before["files"] if before is not None else {}
        files = data_files(config, earlier)
        self._content: dict[str, Any] = {
            "files": {**files, **earlier},
            "sessions": [
                *([] if before is None else before["sessions"]),
                {
                    "began": round(time.time(), 3),
                    "hours": 0.0,
                    "ended": None,
                    "error": None,
                    "command": command,
                    "code": code_version(),
                    "versions": versions(),
                    "machine": machine_facts(device, processes),
                    "data_changed": changed_files(earlier, files),
                },
            ],
        }
        self.write()

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """How the session ended: done, stopped by Ctrl-C, or failed. What kills the process is not seen here."""
        if kind is None:
            self.write("done")
        elif issubclass(kind, Exception | KeyboardInterrupt):
            with suppress(OSError):  # a full disk: what ended the session is what has to be said
                failed = issubclass(kind, Exception)
                self.write("failed" if failed else "stopped", str(error) if failed else None)

    def write(self, ended: Ended | None = None, error: str | None = None) -> None:
        """Write hours so far."""
        session = self._content["sessions"][-1]
        session |= {
            "hours": round((time.monotonic() - self._began) / 3600, 6),
            "ended": ended,
            "error": error,
        }
        write_json(self._path, self._content)


def read_provenance(folder: Path) -> dict[str, Any] | None:
    """The content of provenance.json, a killed session with its hours up to the log's end; None for runs of before it.

    Raises
    ------
    RunError
        Damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        content = read_json(path, kind=Provenance)
    except RunError as error:
        remedy = (
            "Restore it; or remove it: the run is whole without it, and says then that nothing was recorded."
        )
        raise RunError(error.path, error.found, error.expected, remedy) from None
    last = content["sessions"][-1] if content["sessions"] else None
    if last is not None and last["ended"] is None:
        logged = last_logged(folder / "log.jsonl")
        last["hours"] = max(last["hours"], ((logged or 0.0) - last["began"]) / 3600)
    return content


def hours_of(provenance: Mapping[str, Any]) -> float:
    """Hours of all sessions together."""
    return float(sum(session["hours"] for session in provenance["sessions"]))


def last_logged(log: Path) -> float | None:
    """The time of the last line of log.jsonl; None where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - _TAIL, 0))
            lines = file.read().splitlines()
        return float(json.loads(lines[-1])["time"]) if lines else None
    return None
