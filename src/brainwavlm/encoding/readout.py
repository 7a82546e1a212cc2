"""From a row of the design matrix to voxels, while tuning. One readout a subject."""

import numpy as np
import torch
from torch import Tensor, nn

from brainwavlm.config import ReadoutConfig


class Bottleneck(nn.Module):
    """predicted = (design A^T + a) B^T + b: two linear maps without a non-linearity between them.

    Weights start Xavier uniform, offsets zero.

    Parameters
    ----------
    n_columns : int
        Columns of the design matrix: n_delays * n_dims.
    width : int
        Columns between the two maps.
    n_voxels : int

    References
    ----------
    Vattikonda et al. 2025 (arXiv 2502.08866); width 100 in the authors' later script.
    """

    def __init__(self, n_columns: int, width: int, n_voxels: int):
        super().__init__()
        self.compress = _linear(n_columns, width)
        self.expand = _linear(width, n_voxels)

    def forward(self, design: Tensor) -> Tensor:
        """(n_rows, n_columns) to (n_rows, n_voxels)."""
        return self.expand(self.compress(design))


class Linear(nn.Module):
    """predicted = design A^T + a: one linear map.

    Weights start Xavier uniform, offsets zero.

    Parameters
    ----------
    n_columns : int
    n_voxels : int
    """

    def __init__(self, n_columns: int, n_voxels: int):
        super().__init__()
        self.expand = _linear(n_columns, n_voxels)

    def forward(self, design: Tensor) -> Tensor:
        """(n_rows, n_columns) to (n_rows, n_voxels)."""
        return self.expand(design)


class FixedRidge(nn.Module):
    """predicted = design W + offset, with W solved in closed form and never trained by gradient.

    Parameters
    ----------
    weights : array or tensor (n_columns, n_voxels)
    offset : array or tensor (n_voxels,) or None
        None: zero.
    """

    weights: Tensor
    offset: Tensor

    def __init__(self, weights: np.ndarray | Tensor, offset: np.ndarray | Tensor | None = None):
        super().__init__()
        weights = torch.as_tensor(weights, dtype=torch.float32)
        zero = weights.new_zeros(weights.shape[1])
        self.register_buffer("weights", weights.clone())
        self.register_buffer("offset", zero if offset is None else zero + torch.as_tensor(offset))

    @torch.no_grad()
    def refresh(self, weights: np.ndarray | Tensor, offset: np.ndarray | Tensor | None = None) -> None:
        """Replace the solution by one of the same shape, in place."""
        self.weights.copy_(torch.as_tensor(weights))
        self.offset.copy_(torch.zeros_like(self.offset) if offset is None else torch.as_tensor(offset))

    def forward(self, design: Tensor) -> Tensor:
        """(n_rows, n_columns) to (n_rows, n_voxels)."""
        return design @ self.weights + self.offset


def build_readout(config: ReadoutConfig, n_columns: int, n_voxels: int) -> nn.Module:
    """The readout that the configuration names; `ridge-fixed` is zero until `refresh` gives it a solution.

    Parameters
    ----------
    config : ReadoutConfig
    n_columns : int
        Columns of the design matrix: n_delays * n_dims.
    n_voxels : int
        Voxels of the target.

    Returns
    -------
    Bottleneck, Linear or FixedRidge, float32
    """
    if config.kind == "bottleneck":
        return Bottleneck(n_columns, config.width, n_voxels)
    if config.kind == "linear":
        return Linear(n_columns, n_voxels)
    return FixedRidge(torch.zeros(n_columns, n_voxels))


def _linear(n_in: int, n_out: int) -> nn.Linear:
    layer = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
