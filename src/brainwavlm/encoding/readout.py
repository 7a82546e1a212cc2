"""From a row of the design matrix to voxels, while tuning. One readout a subject."""

from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor, nn

from brainwavlm.config import ReadoutConfig


class FixedRidge(nn.Module):
    """predicted = design W + offset, with W solved in closed form and never trained by gradient.

    Parameters
    ----------
    n_columns, n_voxels : int
        Weights and offset are zero until `refresh`; the offset stays so, and is kept for the runs that have it.
    """

    weights: Tensor
    offset: Tensor

    def __init__(self, n_columns: int, n_voxels: int):
        super().__init__()
        self.register_buffer("weights", torch.zeros(n_columns, n_voxels))
        self.register_buffer("offset", torch.zeros(n_voxels))

    @torch.no_grad()
    def refresh(self, weights: np.ndarray | Tensor) -> None:
        """Replace the solution, array or tensor (n_columns, n_voxels), in place."""
        self.weights.copy_(torch.as_tensor(weights))

    def forward(self, design: Tensor) -> Tensor:
        """(n_rows, n_columns) to (n_rows, n_voxels)."""
        return design @ self.weights + self.offset


def build_readout(config: ReadoutConfig, n_columns: int, n_voxels: int) -> nn.Module:
    """The readout that the configuration names, (n_rows, n_columns) to (n_rows, n_voxels), float32.

    bottleneck     predicted = (design A^T + a) B^T + b: two linear maps without a non-linearity between them
    linear         predicted = design A^T + a
    ridge-fixed    `FixedRidge`

    Weights of linear maps start Xavier uniform, offsets zero.

    Parameters
    ----------
    config : ReadoutConfig
        Its width is that between the two maps of the bottleneck.
    n_columns : int
        Columns of the design matrix: n_delays * n_dims.
    n_voxels : int
        Voxels of the target.

    References
    ----------
    Vattikonda et al. 2025 (arXiv 2502.08866): the bottleneck; width 100 in the authors' later script.
    """
    if config.kind == "ridge-fixed":
        return FixedRidge(n_columns, n_voxels)
    if config.kind == "linear":
        return nn.Sequential(OrderedDict(expand=_linear(n_columns, n_voxels)))
    maps = {"compress": _linear(n_columns, config.width), "expand": _linear(config.width, n_voxels)}
    return nn.Sequential(OrderedDict(maps))


def _linear(n_in: int, n_out: int) -> nn.Linear:
    layer = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
