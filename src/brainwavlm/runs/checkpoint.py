"""What run.json and a checkpoint hold: everything that the rest of a run depends on, read whole or refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.files import Part, read_json


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


OPTIMISER = "optimiser.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """Tensors and numbers of one moment of a run.

    Attributes
    ----------
    model : dict of str to tensor
        Trained weights, readout, normalisation.
    optimiser : dict of str to tensor
        Moments of the optimiser and the random state; empty where only the model was asked for.
    state : dict
        Epoch, step, history, best epoch; JSON.
    path : Path
        Folder that it was read from.
    """

    model: dict[str, Any]
    optimiser: dict[str, Any]
    state: dict[str, Any]
    path: Path = Path()


_AGAIN = "Restore this folder; or remove it, and resume from the one before, if there is one."


def read_state(checkpoint: Path) -> dict[str, Any]:
    """state.json of a checkpoint; RunError where it is missing or damaged."""
    return read_json(checkpoint / "state.json", kind=State, remedy=_AGAIN)


def ends_epoch(checkpoint: Path) -> bool:
    """Whether a checkpoint was written at the end of an epoch: no step of the next is in it."""
    return read_state(checkpoint)["losses"] == []


def read_checkpoint(folder: Path, to_resume: bool = False) -> Checkpoint:
    """The checkpoint in a folder; what only a run needs that goes on, where it does.

    Raises
    ------
    RunError
        Not readable.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        model = load_file(folder / "model.safetensors")
        optimiser = load_file(folder / OPTIMISER) if to_resume else {}
    except (OSError, SafetensorError) as error:
        raise RunError(
            folder,
            f"not readable: {error}",
            "a checkpoint.",
            _AGAIN,
        ) from None
    broken = [name for name, values in model.items() if not values.isfinite().all()]
    if broken:
        raise RunError(
            folder / "model.safetensors",
            f"NaN or infinite values in {len(broken)} of {len(model)} weights: {', '.join(broken[:3])}.",
            "finite weights.",
            "Restore it; if it was trained so, tune again with a lower learning rate or without precision.",
        )
    return Checkpoint(model, optimiser, read_state(folder), folder)


@contextmanager
def restoring(checkpoint: Checkpoint) -> Iterator[None]:
    """A RunError that names the checkpoint in place of whatever is said of tensors that do not fit the run's model."""
    try:
        yield
    except (BrainwavlmError, LookupError, ValueError, TypeError, RuntimeError) as error:
        reason = error.found if isinstance(error, BrainwavlmError) else str(error).strip()
        raise RunError(
            checkpoint.path,
            f"tensors of another model than the run's: {' '.join(reason.split())[:300]}",
            "the weights, and the optimiser's state, of the model that run.json names.",
            "Restore this folder, or tune again.",
        ) from None
