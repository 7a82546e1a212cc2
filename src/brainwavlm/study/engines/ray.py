"""The engine `ray`: the same work, handed to a Ray cluster, or to Ray on this machine."""

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from brainwavlm.errors import ConfigError
from brainwavlm.study.engines.local import died, takes_gpu
from brainwavlm.study.records import CellState
from brainwavlm.study.work import Task, run_cell

OBJECT_STORE_BYTES = 10**8  # tasks and states are text; what cells make goes to the study's folder


def require_ray() -> Any:
    """The module `ray`; ConfigError where it is not installed."""
    try:
        import ray
    except ImportError:
        raise ConfigError(
            "engine",
            "Ray is not installed.",
            "the extra `cluster`, or engine local.",
            "Install it:  pip install 'brainwavlm[cluster]'",
        ) from None
    return ray


def run_ray(
    tasks: Sequence[Task],
    workers: int | None,
    retries: int,
    finished: Callable[[CellState], None],
    asked: Mapping[str, float],
    address: str | None = None,
) -> None:
    """Work on cells, in order, as tasks of Ray, each in a fresh process; `finished` is called as each ends.

    Parameters
    ----------
    workers : int or None
        Cells at once; None: with an address as many as the cluster has room for, else 1.
    retries : int
        Times that Ray starts a cell again whose worker died; it goes on from its checkpoint.
    asked : mapping of str to float
        What each cell asks for: CPU, GPU and memory (bytes).
    address : str or None
        Of a cluster, as `ray.init` takes it; None: Ray on this machine, for as long as this lasts.

    Raises
    ------
    ConfigError
        No Ray, no cluster at the address, no machine with what a cell asks for, or cells that would share GPUs unasked.
    """
    ray = require_ray()
    at_once = workers or (len(tasks) if address else 1)
    try:
        if address is None:
            _start_here(ray, at_once * int(asked["CPU"]))
        else:
            _connect(ray, address)
        require_room([node["Resources"] for node in ray.nodes() if node["Alive"]], asked, tasks)
        work = ray.remote(
            max_calls=1,
            max_retries=retries,
            num_cpus=asked["CPU"],
            num_gpus=asked["GPU"],
            memory=asked["memory"] or None,
        )(_remote_cell)
        waiting = list(tasks)
        pending: dict[Any, Task] = {}
        while waiting or pending:
            while waiting and len(pending) < at_once:
                task = waiting.pop(0)
                pending[work.remote(json.dumps(asdict(task)))] = task
            for reference in ray.wait(list(pending), num_returns=1)[0]:
                finished(_state(ray, reference, pending.pop(reference), retries))
    finally:
        ray.shutdown()


def _remote_cell(task: str) -> str:
    return json.dumps(run_cell(json.loads(task)))


def _state(ray: Any, reference: Any, task: Task, retries: int) -> CellState:
    try:
        return CellState.model_validate(json.loads(ray.get(reference)))
    except ray.exceptions.RayError as error:
        return died(task, str(error).splitlines()[0], retries + 1)


def require_room(
    machines: Sequence[Mapping[str, float]], asked: Mapping[str, float], tasks: Sequence[Task]
) -> None:
    """Raise where a cell would wait for ever, or compute on a GPU that it did not ask for.

    `machines`: what each of the cluster has; `asked`: what a cell asks for.
    """
    if not any(all(machine.get(what, 0) >= n for what, n in asked.items()) for machine in machines):
        wanted, most = (
            f"{some.get('CPU', 0):g} CPUs, {some.get('GPU', 0):g} GPUs and {some.get('memory', 0) / 1e9:.1f} GB"
            for some in (asked, max(machines, key=lambda machine: machine.get("GPU", 0), default={}))
        )
        raise ConfigError(
            "cpus, gpus, memory_gb",
            f"{wanted} for each cell; no machine of the cluster has that, the best has {most}.",
            "a machine with room for a cell, when the study begins.",
            "Ask for less, or start the study when all machines have joined (see `ray status`).",
        )
    if (
        asked["GPU"] == 0
        and any(machine.get("GPU", 0) for machine in machines)
        and any(map(takes_gpu, tasks))
    ):
        # Ray hides GPUs from such a task, or, from 2.60 on, shows it all of them: each cell would take the first one.
        raise ConfigError(
            "gpus",
            "0 for each cell, but the cluster has GPUs and cells may compute on them (device: auto or cuda).",
            "what a cell takes: one GPU or a part of one.",
            "Ask for GPUs (gpus: 1), or set device to cpu.",
        )


def _start_here(ray: Any, cpus: int) -> None:
    # Ray would otherwise report its use to its makers. It reads this from the environment alone.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(
        address="local",
        num_cpus=cpus,
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        _node_ip_address="127.0.0.1",
    )


def require_cluster(address: str) -> None:
    """Raise a ConfigError where nobody listens at host:port; Ray itself would try for ten minutes."""
    if address == "auto":
        return
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    try:
        if not colon or not port.isdigit():
            raise ValueError("not of the form host:port")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=10):
            pass
    except (OSError, ValueError, OverflowError) as error:
        raise _no_cluster(address, error) from None


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (OSError, ValueError, RuntimeError) as error:
        raise _no_cluster(address, error) from None


def _no_cluster(address: str, error: Exception) -> ConfigError:
    return ConfigError(
        "address",
        f"no Ray cluster at {address}: {str(error).splitlines()[0]}",
        "the address of one that runs, e.g. 10.0.0.1:6379 or auto.",
        "Start it:  ray start --head      (then see `ray status`)",
    )
