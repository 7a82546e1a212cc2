"""How far a run is, and what it has reached: what a checkpoint says in words."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass
class History:
    """The course of a run.

    Attributes
    ----------
    epoch, step : int
        Done so far.
    losses : list of float
        Of the steps of the present epoch.
    history : list of dict
        For each epoch its number, mean loss and validation_r.
    best : dict or None
        Epoch, validation_r and checkpoint of the best epoch.
    """

    epoch: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None

    @property
    def checkpoint_name(self) -> str:
        """Names sort by time."""
        return f"{self.epoch:05d}-{self.step:08d}"

    def record(self, validation: float | None) -> dict[str, Any]:
        """Note the end of an epoch, and return it. Without validation stories the last epoch counts as the best."""
        row = {"epoch": self.epoch, "loss": float(np.mean(self.losses)), "validation_r": validation}
        self.losses = []
        self.history.append(row)
        if self.best is None or validation is None or validation > self.best["validation_r"]:
            self.best = {"epoch": self.epoch, "validation_r": validation, "checkpoint": self.checkpoint_name}
        return row

    def stopped_improving(self, patience: int | None) -> bool:
        """Whether so many epochs passed without a better one."""
        return bool(patience and self.best and self.epoch - self.best["epoch"] >= patience)

    def state(self) -> dict[str, Any]:
        """For a checkpoint; `History(**state)` is the inverse."""
        return asdict(self)
