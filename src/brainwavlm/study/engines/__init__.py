"""How the cells of a study are worked on: which engine, how many at once, with what."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from brainwavlm.config import Step, validated
from brainwavlm.study.engines.local import run_local
from brainwavlm.study.engines.ray import require_cluster, require_ray, run_ray
from brainwavlm.study.records import CellState
from brainwavlm.study.work import Task


class EngineOptions(Step):
    """How cells are worked on.

    Attributes
    ----------
    engine : str
        local: processes of this machine. ray: tasks of Ray.
    workers : int or None
        Cells at once; None: one, or with an address what the cluster has room for.
    address : str or None
        Of a Ray cluster; None: Ray on this machine.
    cpus : int
        Threads of each cell, and what it asks of Ray.
    gpus : float or None
        GPUs of each cell, one or a part of one. None: of Ray none; of this machine one, where it has any and cells
        compute on it.
    memory_gb : float or None
        What each cell asks of Ray, as `--dry-run` gives it; None: Ray does not look at memory.
    retries : int
        Times that a cell whose process died is started again, from its checkpoint.
    """

    engine: Literal["local", "ray"] = "local"
    workers: int | None = Field(None, ge=1)
    address: str | None = None
    cpus: int = Field(1, ge=1)
    gpus: float | None = Field(None, ge=0, le=1)
    memory_gb: float | None = Field(None, gt=0)
    retries: int = Field(3, ge=0)

    @field_validator("address", "memory_gb")
    @classmethod
    def _of_ray(cls, value: Any, info: ValidationInfo) -> Any:
        if value and info.data.get("engine") == "local":
            raise ValueError("engine ray")
        return value

    def work_on(self, tasks: Sequence[Task], finished: Callable[[CellState], None]) -> None:
        """Work on cells until each is done or failed; `finished` is called as each ends."""
        # More workers than cells would have nothing to do.
        workers = None if self.workers is None else min(self.workers, len(tasks))
        if self.engine == "ray":
            asked = {"CPU": self.cpus, "GPU": self.gpus or 0, "memory": int(1e9 * (self.memory_gb or 0))}
            run_ray(tasks, workers, self.retries, finished, asked, self.address)
        else:
            run_local(tasks, workers or 1, self.retries, finished, self.gpus)


def engine_options(**options: Any) -> EngineOptions:
    """The same from keywords; ConfigError for what no engine can do, and where there is no Ray, or no cluster."""
    how: EngineOptions = validated(EngineOptions, options)
    if how.engine == "ray":
        require_ray()
        if how.address is not None:
            require_cluster(how.address)
    return how
