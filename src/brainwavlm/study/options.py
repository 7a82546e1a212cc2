"""What the file of a study may ask for each run besides tuning."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from brainwavlm.config import Step
from brainwavlm.evaluation.probes.tasks import CONTROLS
from brainwavlm.stimulus.features.text_model import folder_and_layer


class EvaluateOptions(Step):
    """What `evaluate` gets for each cell of an experiment, besides its run."""

    memory_gb: float | None = Field(
        None, gt=0, le=1e6, description="What ridge may use, in GB; null: as the run is configured."
    )
    layers: Literal["all"] | tuple[int, ...] | None = Field(
        None, description="Hidden states to score besides that at which the run was tuned: all, or numbers."
    )
    downstream: tuple[Literal["phones", "words"], ...] = Field(
        (), description="Also ask both models what is said in clips of the stories."
    )
    cross_fit: bool = Field(
        False, description="Fit ridge only on training stories that tuning did not use; needs train_minutes."
    )
    reuse_alphas: bool = Field(
        False, description="Fit tuned features with the penalties chosen for the untuned ones."
    )


class TransferOptions(Step):
    """What `transfer` gets for each cell of an experiment, besides its run."""

    subjects: tuple[str, ...] | None = Field(
        None, min_length=1, description="Listeners to score; null: all of the data set."
    )
    layer: int | None = Field(
        None, ge=0, description="Hidden state to read; null: that at which the run was tuned."
    )
    minutes: tuple[float, ...] = Field(
        (), description="Also fit on up to so many minutes of a listener's data."
    )
    draws: int = Field(5, ge=1, description="Random subsets of stories for each amount.")
    test: tuple[str, ...] | None = Field(
        None, min_length=1, description="Test stories of every listener; null: as the run was split."
    )


class ProbeOptions(Step):
    """What `probe` gets for each cell of an experiment, besides its run."""

    features: tuple[str, ...] = Field(
        min_length=1,
        description="Names of features of the stimulus, or NAME=FILE; see docs/how-to/probes.md.",
    )
    layers: Literal["all"] | tuple[int, ...] | None = Field(
        None, description="Hidden states to ask; null: that at which the run was tuned."
    )
    controls: tuple[str, ...] = Field(CONTROLS, description="What is scored beside.")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, as tables have them."""
        return tuple(feature.partition("=")[0] for feature in self.features)

    def anchored(self) -> "ProbeOptions":
        """With files named from the root, so that every process reads the same ones."""
        parts = [feature.partition("=") for feature in self.features]
        features = tuple(
            f"{name}={Path(file).resolve()}"
            if sign and file != "demo" and folder_and_layer(file)[0].exists()
            else name + sign + file
            for name, sign, file in parts
        )
        return self.model_copy(update={"features": features})
