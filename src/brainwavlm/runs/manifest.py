"""What run.json and the state of a checkpoint hold."""

from typing import Any

from pydantic import Field, model_validator

from brainwavlm.files import Part


class Best(Part):
    """The best epoch."""

    epoch: int
    checkpoint: str
    validation_r: float | None = None


class Epoch(Part):
    """One epoch of the history."""

    epoch: int
    loss: float | None  # none of epoch 0
    validation_r: float | None
    gradient_norm: float | None = None  # not recorded by earlier versions


class Course(Part):
    """How a run went."""

    best: Best | None
    history: list[Epoch]


class State(Course):
    """state.json of a checkpoint."""

    epoch: int = Field(ge=0)
    step: int = Field(ge=0)
    losses: list[float]
    gradient_norms: list[float | None] = Field(default_factory=list)
    log_bytes: int = Field(ge=0)


class Control(Part):
    """What was in place of the responses."""

    kind: str
    n_targets: int
    voxels: bool
    unknown: dict[str, int] | None = None


class Data(Part):
    """What is said of the data."""

    dataset: str
    subject: str
    simulated: bool
    n_voxels: int
    n_target: int
    control: Control


class Side(Part):
    """A run as one of its listeners sees it."""

    config: dict[str, Any]
    splits: dict[str, list[str]]
    data: Data


class NamedSide(Side):
    """That of a joint run."""

    name: str


class Manifest(Side):
    """run.json."""

    backbone: dict[str, Any]
    versions: dict[str, str]
    listeners: list[NamedSide] = Field(default=[], min_length=1)

    @model_validator(mode="after")
    def _everyone(self):
        """A joint run without one of its listeners would be scored as if that one had not heard anything."""
        further, seen = len(self.config.get("joint", [])), len(self.listeners)
        if seen != (further + 1 if further else 0):
            raise ValueError(f"{further + 1} listeners in config, {seen} in listeners")
        return self
