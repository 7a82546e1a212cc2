"""The engine `local`: each cell in a process of its own, one after the other or several at once."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from threading import Lock

from brainwavlm.study.records import CellState, read_state, record_path, write_state
from brainwavlm.study.work import Task

COMMAND = (sys.executable, "-m", "brainwavlm.study.engines.process")


def run_local(
    tasks: Sequence[Task], workers: int, retries: int, finished: Callable[[CellState], None]
) -> None:
    """Work on cells in processes of this machine.

    Parameters
    ----------
    tasks : sequence of Task
        In order.
    workers : int
        Cells at once.
    retries : int
        Times that a cell whose process died is started again, from its checkpoint.
    finished : function of CellState
        Called as each cell ends.
    """
    processes = _Processes()
    with ThreadPoolExecutor(workers) as threads:
        try:
            waiting = [threads.submit(processes.work, task, retries) for task in tasks]
            for future in as_completed(waiting):
                finished(future.result())
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            processes.stop()
            raise


def died(task: Task, how: str, times: int) -> CellState:
    """The state of a cell whose process ended again and again, written down.

    Parameters
    ----------
    task : Task
    how : str
        What ended it.
    times : int
    """
    study = Path(task.study)
    log = record_path(study, task.folder, "log")
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:] if log.exists() else []
    error = (
        f"{log}: its process ended {times} times ({how}); last line: {' '.join(last) or 'none'}\n"
        "    Expected a process that lives until its cell is done.\n"
        "    Often memory is short: fewer workers, or a smaller backbone.memory_gb and ridge.memory_gb."
    )
    state = read_state(study, task.folder, task.identity).but(facts=task.facts, state="failed", error=error)
    write_state(study, state)
    return state


class _Processes:
    """The processes that are at work now."""

    def __init__(self) -> None:
        self._alive: set[subprocess.Popen[bytes]] = set()
        self._stopping = False
        self._lock = Lock()

    def work(self, task: Task, retries: int) -> CellState:
        """The state of a cell at its end, after as many processes as it takes."""
        how = "not started"
        for _ in range(retries + 1):
            code, answer = self._attempt(task)
            if self._stopping:
                raise KeyboardInterrupt  # its record stays as it is: the cell goes on next time
            if code == 0 and answer:
                return CellState.model_validate(json.loads(answer.splitlines()[-1]))
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return died(task, how, retries + 1)

    def stop(self) -> None:
        """End all of them; their checkpoints stay."""
        with self._lock:
            self._stopping = True
            for process in self._alive:
                process.kill()

    def _attempt(self, task: Task) -> tuple[int, bytes]:
        log = record_path(Path(task.study), task.folder, "log")
        with open(log, "ab") as errors:
            with self._lock:
                if self._stopping:
                    return 1, b""
                process = subprocess.Popen(
                    COMMAND,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,  # Ctrl-C reaches the study alone, which then ends its cells
                )
                self._alive.add(process)
            try:
                return _answer(process, task)
            finally:
                with self._lock:
                    self._alive.discard(process)


def _answer(process: "subprocess.Popen[bytes]", task: Task) -> tuple[int, bytes]:
    """Exit code of a process and what it said. Its stdin stays open until then: so it knows that the study lives."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        try:
            process.stdin.write(json.dumps(asdict(task)).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            return process.wait(), b""
        answer = process.stdout.read()
        return process.wait(), answer
