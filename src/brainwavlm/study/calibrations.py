"""The processes in which cells are timed: each cell in one of its own, so that its peak of memory is its own.

They are forked where that can be, from a process that is forked itself before anything is looked at: what all of them
import takes longer than the few steps that are timed, and is imported once, by whoever asks.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from tempfile import TemporaryFile
from typing import Any

import torch

from brainwavlm.config import RunConfig, validated
from brainwavlm.encoding.plan import plan
from brainwavlm.errors import BrainwavlmError, TuningError
from brainwavlm.study.cells import Cell
from brainwavlm.study.work import limit_threads


@contextmanager
def calibrations(cpus: int) -> Iterator[Callable[[Cell], dict[str, Any]]]:
    """A function from a cell to its plan, timed with so many threads."""
    # Neither what drives a card nor libraries of other systems may be forked.
    start = "fork" if sys.platform == "linux" and not torch.cuda.is_available() else "spawn"
    context: Any = get_context(start)
    asking, answering = context.Pipe()
    process = context.Process(target=_serve, args=(start, asking, answering, cpus))
    process.start()
    answering.close()

    def calibrated(cell: Cell) -> dict[str, Any]:
        try:
            asking.send(cell.config.model_dump(mode="json"))
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
        return {"plan": plan(validated(RunConfig, config, "cell")).as_dict()}
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
