"""How far a run is, and what it has reached: what a checkpoint says in words."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np


@dataclass
class TrainingState:
    """The course of a run.

    Attributes
    ----------
    epoch, step : int
        Done so far.
    losses : list of float
        Of the steps of the present epoch.
    gradient_norms : list of float or None
        Of the same steps, before clipping; None where it was no number or nothing is trained by gradient.
    history : list of dict
        For each epoch its number, mean loss, validation_r and mean gradient_norm. Epoch 0, the untuned model, has only
        validation_r, and is there where it may be chosen.
    best : dict or None
        Epoch, validation_r and checkpoint of the best epoch.
    """

    epoch: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float | None] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None

    @property
    def checkpoint_name(self) -> str:
        """Names sort by time."""
        return f"{self.epoch:05d}-{self.step:08d}"

    def record(self, validation: float | None) -> dict[str, Any]:
        """Note the end of an epoch, and return it. Without validation stories the last epoch counts as the best."""
        row = {
            "epoch": self.epoch,
            "loss": float(np.mean(self.losses)) if self.losses else None,
            "validation_r": validation,
            "gradient_norm": self._mean_norm(),
        }
        self.losses, self.gradient_norms = [], []
        self.history.append(row)
        if self.best is None or validation is None or validation > self.best["validation_r"]:
            self.best = {"epoch": self.epoch, "validation_r": validation, "checkpoint": self.checkpoint_name}
        return row

    def _mean_norm(self) -> float | None:
        """None unless it is known of every step: of some, it would be another mean."""
        known = [norm for norm in self.gradient_norms if norm is not None]
        return float(np.mean(known)) if known and len(known) == len(self.losses) else None

    def stopped_improving(self, patience: int | None) -> bool:
        """Whether so many epochs passed without a better one."""
        return bool(patience and self.best and self.epoch - self.best["epoch"] >= patience)

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint; `from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "TrainingState":
        """The history in a checkpoint's state; checkpoints of before gradient norms have none."""
        return cls(**{each.name: state[each.name] for each in fields(cls) if each.name in state})
