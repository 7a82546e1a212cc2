"""The process in which cells are timed, as whoever asks sees it. No torch: it begins while the rest is imported."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from brainwavlm.errors import BrainwavlmError, TuningError

if TYPE_CHECKING:
    from brainwavlm.study.cells import Cell

COMMAND = (sys.executable, "-m", "brainwavlm.study.engines.calibration")


@contextmanager
def calibrations(cpus: int) -> Iterator[Callable[["Cell"], dict[str, Any]]]:
    """A function from a cell to its plan; the process that plans imports while cells are looked at."""
    pipe = subprocess.PIPE
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen((*COMMAND, str(cpus)), stdin=pipe, stdout=pipe, stderr=errors, text=True) as process,
    ):
        asked, answers = process.stdin, process.stdout
        assert asked is not None
        assert answers is not None

        def calibrated(cell: "Cell") -> dict[str, Any]:
            with suppress(BrokenPipeError):
                print(json.dumps(cell.config.model_dump(mode="json")), file=asked, flush=True)
            answer = json.loads(answers.readline() or "{}")
            if "error" in answer:
                error = answer["error"]
                raise BrainwavlmError(
                    f"{cell.name}: {error['path']}", error["found"], error["expected"], error["remedy"]
                )
            if "plan" not in answer:
                code = answer.get("exit") or process.wait()
                errors.seek(0)
                raise TuningError(
                    cell.name,
                    f"timing a few steps ended with exit code {code}: {' '.join(errors.read().splitlines()[-1:])}",
                    "a cell that can begin.",
                    "Try it alone with `brainwavlm plan`.",
                )
            return answer["plan"]

        try:
            yield calibrated
        finally:
            process.kill()
            with suppress(BrokenPipeError):  # of what nobody read
                asked.close()
