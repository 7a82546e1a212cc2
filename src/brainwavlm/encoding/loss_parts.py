"""What losses are made of: correlations with a finite gradient, rows of unit length, means over weighted voxels."""

import torch
from torch import Tensor


def correlation(
    predicted: Tensor, true: Tensor, dim: int, weights: Tensor | None = None, std_unbiased: bool = False
) -> Tensor:
    """R = <p t> / sqrt(<p p> <t t>), with p, t without their mean and <> the (weighted) mean along `dim`.

    Computed in float32 at least. r = 0, with gradient 0, where either side has no variance; NaN where either
    side has a NaN.

    Parameters
    ----------
    predicted, true : tensors (n_trs, n_voxels)
    dim : int
        0: over TRs, one r a voxel. 1: over voxels, one r a TR.
    weights : tensor (size along dim,) or None
    std_unbiased : bool
        Return r * (n - 1) / n.

    Returns
    -------
    tensor (n_voxels,) or (n_trs,)
    """
    r = weighted_mean(
        _standardised(predicted, dim, weights) * _standardised(true, dim, weights), weights, dim
    )
    n = predicted.shape[dim]
    return r * ((n - 1) / n) if std_unbiased else r


def in_single(values: Tensor) -> Tensor:
    """Of float32 at least: sums over thousands of voxels are not made in half precision."""
    return values if values.dtype == torch.float64 else values.float()


def unit_rows(values: Tensor, weights: Tensor | None) -> Tensor:
    """Rows x of unit length under the weights, sum_v u[t, v]^2 = 1 and u = sqrt(w) x / |x|_w; 0 where x is 0."""
    values = in_single(values)
    if weights is not None:
        values = values * (weights.to(values) / weights.sum()).sqrt()
    power = values.square().sum(1, keepdim=True)
    nothing = power <= torch.finfo(values.dtype).tiny  # not so where it is NaN: that must come through
    return torch.where(nothing, 0.0, values / torch.where(nothing, 1.0, power).sqrt())


def weighted_mean(values: Tensor, weights: Tensor | None, dim: int, keepdim: bool = False) -> Tensor:
    """sum_v w[v] x[v] / sum_v w[v] along `dim`, the plain mean without weights."""
    if weights is None:
        return values.mean(dim, keepdim=keepdim)
    weights = weights.to(values)
    weights = weights / weights.sum()
    if values.ndim == 2 and dim == 0:
        weights = weights[:, None]
    return (values * weights).sum(dim, keepdim=keepdim)


def _standardised(values: Tensor, dim: int, weights: Tensor | None) -> Tensor:
    values = in_single(values)
    mean = weighted_mean(values, weights, dim, keepdim=True)
    centred = values - mean
    variance = weighted_mean(centred.square(), weights, dim, keepdim=True)
    # Rounding leaves a few eps of the mean as spread in a constant row.
    rounding = (8 * torch.finfo(values.dtype).eps * mean).square() + torch.finfo(values.dtype).tiny
    still = variance <= rounding  # not so where the variance is NaN: that must come through
    # The inner `where` keeps the square root away from 0, where its gradient is infinite.
    return torch.where(still, 0.0, centred / torch.where(still, 1.0, variance).sqrt())
