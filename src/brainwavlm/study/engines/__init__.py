"""How the cells of a study are worked on: which engine, how many at once, with what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from brainwavlm.errors import ConfigError
from brainwavlm.study.engines.local import run_local
from brainwavlm.study.engines.ray import require_cluster, require_ray, run_ray
from brainwavlm.study.records import CellState
from brainwavlm.study.work import Task


@dataclass(frozen=True)
class Engaged:
    """How cells are worked on.

    Attributes
    ----------
    engine : str
        local or ray.
    workers : int or None
        Cells at once; None: one, or what a cluster has room for.
    address : str or None
        Of a Ray cluster; None: this machine.
    cpus : int
        Threads of each cell, and what it asks of Ray.
    gpus : float
        What each cell asks of Ray.
    retries : int
        Times that a cell whose process died is started again.
    """

    engine: str = "local"
    workers: int | None = None
    address: str | None = None
    cpus: int = 1
    gpus: float = 0
    retries: int = 3

    def __post_init__(self) -> None:
        """Refuse what no engine can do, before anything is read."""
        if self.engine not in ("local", "ray"):
            raise ConfigError("--engine", repr(self.engine), "local or ray.", "Choose one of these.")
        for name, value, least in (
            ("workers", self.workers, 1),
            ("cpus", self.cpus, 1),
            ("gpus", self.gpus, 0),
            ("retries", self.retries, 0),
        ):
            if value is not None and value < least:
                raise ConfigError(f"--{name}", str(value), f"{least} or more.", "Correct it.")
        if self.engine == "local" and (self.gpus or self.address):
            option = "--gpus" if self.gpus else "--address"
            raise ConfigError(
                option, "engine local.", "engine ray.", f"Add --engine ray, or leave {option} out."
            )
        if self.engine == "ray":
            require_ray()
            if self.address is not None:
                require_cluster(self.address)

    def work_on(self, tasks: Sequence[Task], finished: Callable[[CellState], None]) -> None:
        """Work on cells until each is done or failed; `finished` is called as each ends."""
        # More workers than cells would have nothing to do.
        workers = None if self.workers is None else min(self.workers, len(tasks))
        if self.engine == "ray":
            run_ray(tasks, workers, self.retries, finished, self.address, self.cpus, self.gpus)
        else:
            run_local(tasks, workers or 1, self.retries, finished)
