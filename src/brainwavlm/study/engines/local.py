"""The engine `local`: each cell in a process of its own, one after the other or several at once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

import torch

from brainwavlm.errors import ConfigError
from brainwavlm.study.records import CellState, read_state, record_path, write_state
from brainwavlm.study.work import Task

COMMAND = (sys.executable, "-m", "brainwavlm.study.engines.process")


def run_local(
    tasks: Sequence[Task],
    workers: int,
    retries: int,
    finished: Callable[[CellState], None],
    gpus: float | None = None,
) -> None:
    """Work on cells, in order, in processes of this machine, some at once; `finished` is called as each ends.

    A cell whose process died is started again from its checkpoint, up to `retries` times. `gpus` as for `shared_gpus`.
    """
    processes = _Processes(shared_gpus(tasks, workers, gpus))
    with ThreadPoolExecutor(workers) as threads:
        try:
            waiting = [threads.submit(processes.work, task, retries) for task in tasks]
            for future in as_completed(waiting):
                finished(future.result())
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            processes.stop()
            raise


def shared_gpus(tasks: Sequence[Task], workers: int, gpus: float | None) -> list[str | None]:
    """What CUDA_VISIBLE_DEVICES is for each of the cells at once; None: as it is here.

    `gpus` of each cell: one or a part of one; 0: cells see none; None: one, where there are any and cells compute on
    them. ConfigError for more cells at once than there are GPUs for.
    """
    n_gpus = torch.cuda.device_count()
    if gpus == 0:
        return [""] * workers
    if gpus is None and not (n_gpus and any(map(takes_gpu, tasks))):
        return [None] * workers
    room = n_gpus * int(1 / (gpus or 1))
    if workers > room:
        raise ConfigError(
            "workers",
            f"{workers}, each with {gpus or 1:g} GPU; the {n_gpus} GPUs here have room for {room}.",
            "as many cells at once as GPUs, or parts of GPUs that hold several.",
            "Ask for fewer workers, or for parts of GPUs (gpus: 0.5); with gpus: 0 cells compute on the CPU.",
        )
    names = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(n_gpus)))).split(",")
    return [names[n % n_gpus] for n in range(workers)]


def takes_gpu(task: Task) -> bool:
    """Whether a cell computes on a GPU where it sees one."""
    return task.config.get("device") in ("auto", "cuda")


def died(task: Task, how: str, times: int) -> CellState:
    """The state of a cell whose process ended so many times, written down with what ended it."""
    study = Path(task.study)
    log = record_path(study, task.folder, "log")
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:] if log.exists() else []
    error = (
        f"{log}: its process ended {times} times ({how}); last line: {' '.join(last) or 'none'}\n"
        "    Expected a process that lives until its cell is done.\n"
        "    Often memory is short: fewer workers, or a smaller backbone.memory_gb and ridge.memory_gb."
    )
    state = read_state(study, task.folder, task.identity).but(state="failed", error=error)
    write_state(study, state)
    return state


class _Processes:
    """The processes that are at work now."""

    def __init__(self, gpus: Sequence[str | None]) -> None:
        self._free: SimpleQueue[str | None] = SimpleQueue()
        for gpu in gpus:
            self._free.put(gpu)
        self._alive: set[subprocess.Popen[bytes]] = set()
        self._stopping = False
        self._lock = Lock()

    def work(self, task: Task, retries: int) -> CellState:
        """The state of a cell at its end, after as many processes as it takes."""
        how, gpu = "not started", self._free.get()
        try:
            for _ in range(retries + 1):
                code, answer = self._attempt(task, gpu)
                if self._stopping:
                    raise KeyboardInterrupt  # its record stays as it is: the cell goes on next time
                if code == 0 and answer:
                    return CellState.model_validate(json.loads(answer.splitlines()[-1]))
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
            return died(task, how, retries + 1)
        finally:
            self._free.put(gpu)

    def stop(self) -> None:
        """End all of them; their checkpoints stay."""
        with self._lock:
            self._stopping = True
            for process in self._alive:
                process.kill()

    def _attempt(self, task: Task, gpu: str | None) -> tuple[int, bytes]:
        seen = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
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
                    env={**os.environ, **seen},
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
