"""From hidden states to one subject's voxels: the readouts that a model carries, and where the voxels lie."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from brainwavlm.errors import ConfigError

Readout = Literal["ridge", "trained"]


@dataclass(frozen=True)
class SubjectModel:
    """The readouts of one subject.

    `ridge` is meant for prediction: closed form, on all training and validation stories, with a penalty for each voxel
    chosen over folds of stories, as `evaluate` scores it. `trained` is the readout that tuning had, on its target.

    Attributes
    ----------
    name : str
    tr : float
        Seconds between the rows that it was fitted on.
    n_voxels : int
        Columns of the subject's responses; `ridge_voxel` and `trained_voxel` count in them.
    ridge_voxel, trained_voxel : int arrays (n_predicted,)
        Columns that the readouts predict; none where tuning had other targets than voxels.
    weights : array (n_delays * n_dims, n_predicted), float32
        Of ridge, delay-major: `design @ weights` are responses in deviations.
    alphas : array (n_predicted,)
        Penalties.
    trained : module
    hemisphere, vertex, ceiling : arrays (n_voxels,) or None
        0 left, 1 right; vertex on `surface`; noise ceiling.
    surface : str or None
    mask : Path or None
        NIfTI volume whose voxels above zero are the columns.
    """

    name: str
    tr: float
    n_voxels: int
    ridge_voxel: np.ndarray
    weights: np.ndarray
    alphas: np.ndarray
    trained_voxel: np.ndarray
    trained: torch.nn.Module
    hemisphere: np.ndarray | None = None
    vertex: np.ndarray | None = None
    ceiling: np.ndarray | None = None
    surface: str | None = None
    mask: Path | None = None
    splits: dict[str, list[str]] = field(default_factory=dict)

    def readout(self, kind: Readout) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Columns that a readout predicts, and the function from design (n_rows, n_columns) to them.

        Raises
        ------
        ConfigError
            No such readout.
        """
        if kind == "ridge":
            return self.ridge_voxel, lambda design: design @ self.weights
        if kind != "trained" or not len(self.trained_voxel):
            there = (
                "ridge or trained" if len(self.trained_voxel) else "ridge; the run's own predicts no voxels"
            )
            raise ConfigError("readout", repr(kind), f"{there}.", "Leave it out for ridge.")

        def read_out(design: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return self.trained(torch.from_numpy(design)).numpy()

        return self.trained_voxel, read_out
