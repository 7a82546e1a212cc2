"""What tuning lowers: minus correlations, mean squared error, a contrastive term, and their weighted sum."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from brainwavlm.config import LossConfig, QuirksConfig
from brainwavlm.errors import TuningError


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
    return -weighted_mean(correlation(predicted, true, dim=0, std_unbiased=std_unbiased), weights, dim=0)


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
    return weighted_mean((in_single(predicted) - in_single(true)).square(), weights, dim=1).mean()


def contrastive(
    predicted: Tensor, true: Tensor, weights: Tensor | None = None, temperature: float = 0.1
) -> Tensor:
    """Loss = -mean_i (log softmax_j(s[i, j] / temperature)[i] + log softmax_j(s[j, i] / temperature)[i]) / 2.

    With s[i, j] = <p_i t_j> / sqrt(<p_i p_i> <t_j t_j>), the cosine similarity over voxels of predicted TR i and true
    TR j, and <> the (weighted) mean over voxels: how well each predicted TR finds its own among the true TRs of the
    block, and each true TR its own among the predicted ones. Rows of the same side are no candidates. Without
    any relation the loss is about log(n_trs).

    The haemodynamic response makes neighbouring TRs near-duplicates, which count as wrong candidates all the same: the
    loss cannot come near 0, and pushes towards what tells neighbours apart, the fast part of responses.
    Longer blocks thin them out; a higher temperature weighs them less.

    Parameters
    ----------
    predicted, true : tensors (n_trs, n_voxels)
        Consecutive TRs of one story.
    weights : tensor (n_voxels,) or None
    temperature : float
        Above 0.

    Returns
    -------
    tensor (), at least 0. A TR without any response has similarity 0 to all, with a finite gradient; NaN where either
    side has a NaN.

    References
    ----------
    Chen et al. 2020 (arXiv 2002.05709), NT-Xent: normalised, temperature-scaled cross entropy; there rows of the same
    side are candidates too.
    """
    scores = unit_rows(predicted, weights) @ unit_rows(true, weights).T / temperature
    matching = scores.diagonal()
    return ((scores.logsumexp(1) + scores.logsumexp(0)) / 2 - matching).mean()


def combined(
    config: LossConfig,
    predicted: Tensor,
    true: Tensor,
    weights: Tensor | None = None,
    quirks: QuirksConfig | None = None,
) -> Tensor:
    """Loss = sum over `LOSSES` of config.<term> * <term>; terms of weight 0 are skipped.

    With quirks.nan_voxels, of the voxels that have no NaN in these rows.

    Parameters
    ----------
    config : LossConfig
    predicted, true : tensors (n_trs, n_voxels)
    weights : tensor (n_voxels,) or None
        From `ceiling_weights` where config.ceiling_weighted.
    quirks : QuirksConfig or None
        Its std_unbiased as for `spatial`.

    Returns
    -------
    tensor ()
    """
    quirks = quirks or QuirksConfig()
    if quirks.nan_voxels:
        present = torch.isfinite(true).all(0)
        predicted, true = predicted[:, present], true[:, present]
        weights = None if weights is None else weights[present]
    options = {"std_unbiased": quirks.std_unbiased, "temperature": config.temperature}
    total = predicted.new_zeros((), dtype=torch.float32)
    for name, (term, takes) in LOSSES.items():
        if weight := getattr(config, name):
            total = total + weight * term(predicted, true, weights, **{key: options[key] for key in takes})
    return total


def feature_distance(features: Tensor, untuned: Tensor, variance: Tensor) -> Tensor:
    """Loss = mean_t sum_d (f[t, d] - u[t, d])^2 / variance, how far tuning has moved features (n_trs, n_dims).

    1 where they are as far from the untuned ones as these are from their own mean: variance = sum_d var(u[:, d]), over
    the whole story. Li and Hoiem 2016 (arXiv 1606.09282) hold outputs so; here features are held.
    """
    return (features.float() - untuned).square().sum(1).mean() / variance


# Each is a weight of LossConfig: the function, and what it takes besides predictions, responses and voxel weights.
LOSSES: dict[str, tuple[Callable[..., Tensor], tuple[str, ...]]] = {
    "spatial": (spatial, ("std_unbiased",)),
    "temporal": (temporal, ("std_unbiased",)),
    "mse": (mse, ()),
    "contrastive": (contrastive, ("temperature",)),
}


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
