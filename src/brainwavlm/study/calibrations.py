"""The processes in which cells are timed: each cell in one of its own, so that its peak of memory is its own.

They are forked where that can be, from a process that is forked itself before anything is looked at: what all of them
import takes longer than the few steps that are timed, and is imported once, by whoever asks.

What a cell took is kept in the user's cache for a day, by all that it depends on but how busy the machine is.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from tempfile import TemporaryFile
from typing import Any

import torch

from brainwavlm.config import RunConfig, validated
from brainwavlm.encoding.plan import plan
from brainwavlm.errors import BrainwavlmError, TuningError
from brainwavlm.files import read_json, write_json
from brainwavlm.runs.environment import code_version, machine_facts, versions
from brainwavlm.stimulus import decoded_sound
from brainwavlm.study.cells import Cell
from brainwavlm.study.work import limit_threads

_KEPT = 24 * 3600  # seconds


@contextmanager
def calibrations(
    cpus: int, timed: Callable[[str], None] | None = None
) -> Iterator[Callable[..., dict[str, Any]]]:
    """A function from a cell and the sizes of its data to its plan with `timed_at`: timed now, or not a day ago.

    `cpus` are threads; `timed` gets the name of each cell that is timed now.
    """
    # Neither what drives a card nor libraries of other systems may be forked.
    start = "fork" if sys.platform == "linux" and not torch.cuda.is_available() else "spawn"
    context: Any = get_context(start)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    circumstances = [cpus, machine_facts(device), versions(), code_version()]
    asking, answering = context.Pipe()
    process = context.Process(target=_serve, args=(start, asking, answering, cpus))
    process.start()
    answering.close()

    def calibrated(cell: Cell, *sizes: int) -> dict[str, Any]:
        config = cell.config.model_dump(mode="json")
        key = hashlib.sha256(json.dumps([config, sizes, *circumstances]).encode()).hexdigest()
        kept = decoded_sound.cache_folder() / "timings" / f"{key}.json"
        with suppress(BrainwavlmError, OSError):  # not there yet, or damaged
            if time.time() - kept.stat().st_mtime < _KEPT:
                return read_json(kept, "hours_of_run", "memory_gb", "timed_at")
        if timed is not None:
            timed(cell.name)
        try:
            asking.send(config)
            answer = asking.recv()
        except (EOFError, OSError):
            process.join()
            answer = {"exit": process.exitcode, "last": ""}
        if "error" in answer:
            error = answer["error"]
            raise BrainwavlmError(
                f"{cell.name}: {error['path']}", error["found"], error["expected"], error["remedy"]
            )
        if "exit" in answer:
            raise TuningError(
                cell.name,
                f"timing a few steps ended with exit code {answer['exit']}: {answer['last']}",
                "a cell that can begin.",
                "Try it alone with `brainwavlm plan`.",
            )
        with suppress(BrainwavlmError, OSError):  # a home that cannot be written: it is timed again next time
            write_json(kept, answer["plan"])
        return answer["plan"]

    try:
        yield calibrated
    finally:
        process.kill()
        process.join()
        asking.close()


def planned(config: dict[str, Any]) -> dict[str, Any]:
    """The plan of a configuration, or its error."""
    try:
        made = plan(validated(RunConfig, config, "cell")).as_dict()
        return {"plan": {**made, "timed_at": datetime.now().isoformat(" ", "minutes")}}
    except BrainwavlmError as error:
        return {"error": error.as_dict()}


def _serve(start: str, asking: Connection, answering: Connection, cpus: int) -> None:
    asking.close()  # of its other end alone: this process ends when nobody asks any more
    limit_threads(cpus)
    context: Any = get_context(start)
    # Without a name: nothing is left of it however this process and that which asks end.
    with TemporaryFile("w+", errors="replace") as errors, suppress(EOFError):
        for standard in (1, 2):
            os.dup2(errors.fileno(), standard)
        while True:
            process = context.Process(target=_answer, args=(answering.recv(), answering, cpus))
            process.start()
            process.join()
            if process.exitcode:
                errors.seek(0)
                last = " ".join(errors.read().splitlines()[-1:])
                answering.send({"exit": process.exitcode, "last": last})


def _answer(config: dict[str, Any], answering: Connection, cpus: int) -> None:
    limit_threads(cpus)
    answering.send(planned(config))
