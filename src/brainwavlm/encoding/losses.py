"""What tuning lowers: minus correlations, mean squared error, and their weighted sum."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from brainwavlm.config import LossConfig
from brainwavlm.errors import ConfigError, TuningError


def spatial(
    predicted: Tensor, true: Tensor, weights: Tensor | None = None, std_unbiased: bool = False
) -> Tensor:
    """Loss = -mean_t r_t, with r_t the correlation across voxels at TR t.

    With weights w: means over voxels are sum_v w[v] x[v] / sum_v w[v].

    Parameters
    ----------
    predicted, true : tensors (n_trs, n_voxels)
    weights : tensor (n_voxels,) or None
        Zero or more, for instance the noise ceiling.
    std_unbiased : bool
        Return r * (n - 1) / n, as scripts do that divide by a deviation with n - 1 under a mean over n.

    Returns
    -------
    tensor (), between -1 and 1. A TR without variance counts as r = 0 and has a finite gradient.

    References
    ----------
    Vattikonda et al. 2025 (arXiv 2502.08866), training objective.
    """
    return -correlation(predicted, true, dim=1, weights=weights, std_unbiased=std_unbiased).mean()


def temporal(
    predicted: Tensor, true: Tensor, weights: Tensor | None = None, std_unbiased: bool = False
) -> Tensor:
    """Loss = -sum_v w[v] r_v / sum_v w[v], with r_v the correlation over TRs of voxel v.

    Parameters
    ----------
    predicted, true : tensors (n_trs, n_voxels)
    weights : tensor (n_voxels,) or None
    std_unbiased : bool
        As for `spatial`.

    Returns
    -------
    tensor (), between -1 and 1. A voxel without variance counts as r = 0 and has a finite gradient.
    """
    return -_mean(correlation(predicted, true, dim=0, std_unbiased=std_unbiased), weights, dim=0)


def mse(predicted: Tensor, true: Tensor, weights: Tensor | None = None) -> Tensor:
    """Loss = mean_t sum_v w[v] (predicted[t, v] - true[t, v])^2 / sum_v w[v].

    Parameters
    ----------
    predicted, true : tensors (n_trs, n_voxels)
    weights : tensor (n_voxels,) or None

    Returns
    -------
    tensor ()
    """
    return _mean((predicted.float() - true.float()).square(), weights, dim=1).mean()


def combined(
    config: LossConfig,
    predicted: Tensor,
    true: Tensor,
    weights: Tensor | None = None,
    std_unbiased: bool = False,
) -> Tensor:
    """Loss = config.spatial * spatial + config.temporal * temporal + config.mse * mse; terms of weight 0 are skipped.

    Parameters
    ----------
    config : LossConfig
    predicted, true : tensors (n_trs, n_voxels)
    weights : tensor (n_voxels,) or None
        From `voxel_weights` where config.ceiling_weighted.
    std_unbiased : bool
        As for `spatial`.

    Returns
    -------
    tensor ()
    """
    loss = predicted.new_zeros((), dtype=torch.float32)
    if config.spatial:
        loss = loss + config.spatial * spatial(predicted, true, weights, std_unbiased)
    if config.temporal:
        loss = loss + config.temporal * temporal(predicted, true, weights, std_unbiased)
    if config.mse:
        loss = loss + config.mse * mse(predicted, true, weights)
    return loss


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
    r = _mean(_standardised(predicted, dim, weights) * _standardised(true, dim, weights), weights, dim)
    n = predicted.shape[dim]
    return r * ((n - 1) / n) if std_unbiased else r


def require_finite(values: Tensor, what: str, run: str | Path) -> None:
    """TuningError for a NaN or an infinite value, where `what` ("the loss at step 3") has one."""
    finite = torch.isfinite(values)
    if not finite.all():
        raise TuningError(
            run,
            f"{what} is {float(values[~finite][0].detach())}.",
            "finite numbers.",
            "Lower training.lr_backbone and training.lr_readout, or set training.clip.",
        )


def without_gaps(true: Tensor) -> Tensor:
    """Responses (n_trs, n_voxels) in which a voxel with a NaN (quirks.nan_voxels) is 0, so that its r is 0."""
    return torch.where(torch.isfinite(true).all(0), true, 0.0)


def voxel_weights(ceiling: np.ndarray) -> Tensor:
    """w[v] = ceiling[v], zero where the ceiling is NaN or negative.

    Parameters
    ----------
    ceiling : array (n_voxels,)

    Returns
    -------
    tensor (n_voxels,), float32

    Raises
    ------
    ConfigError
        No voxel has a ceiling above zero.
    """
    weights = np.where(np.asarray(ceiling) > 0, ceiling, 0.0)
    if not weights.any():
        raise ConfigError(
            "loss.ceiling_weighted",
            f"none of {len(weights)} voxels has a noise ceiling above 0.",
            "a subject with a ceiling, or with repeats of a story.",
            "Set loss.ceiling_weighted=false, or choose another target.",
        )
    return torch.as_tensor(weights, dtype=torch.float32)


def _standardised(values: Tensor, dim: int, weights: Tensor | None) -> Tensor:
    values = values if values.dtype == torch.float64 else values.float()
    mean = _mean(values, weights, dim, keepdim=True)
    centred = values - mean
    variance = _mean(centred.square(), weights, dim, keepdim=True)
    # Rounding leaves a few eps of the mean as spread in a constant row.
    rounding = (8 * torch.finfo(values.dtype).eps * mean).square() + torch.finfo(values.dtype).tiny
    still = variance <= rounding  # not so where the variance is NaN: that must come through
    # The inner `where` keeps the square root away from 0, where its gradient is infinite.
    return torch.where(still, 0.0, centred / torch.where(still, 1.0, variance).sqrt())


def _mean(values: Tensor, weights: Tensor | None, dim: int, keepdim: bool = False) -> Tensor:
    if weights is None:
        return values.mean(dim, keepdim=keepdim)
    weights = weights.to(values)
    weights = weights / weights.sum()
    if values.ndim == 2 and dim == 0:
        weights = weights[:, None]
    return (values * weights).sum(dim, keepdim=keepdim)
