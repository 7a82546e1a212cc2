"""Softmax attention with a gated bias, a few frames at a time, so that its squares of frames stay in the cache."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

_QUERIES = 100  # frames that look at once where a mask hides most of the others


def gated_attention(
    query: Tensor, key: Tensor, value: Tensor, gates: Tensor, bias: Tensor, mask: Tensor | None
) -> Tensor:
    """softmax(query key' / sqrt(d) + gates * bias + mask) value.

    The squares (n_heads, n_frames, n_frames) are made for one window at a time and again in the backward pass:
    they are the largest tensors of a block, and reading them from memory costs more than making them.
    What the mask hides from all of a stretch of queries is not computed.

    Parameters
    ----------
    query, key, value : tensors (n_windows, n_frames, n_heads, n_dims / n_heads)
        The query may have fewer frames than key and value.
    gates : tensor (n_windows, n_heads, n_queries, 1)
    bias : tensor (1, n_heads, n_queries, n_frames)
    mask : tensor, to be broadcast to (n_windows, n_heads, n_queries, n_frames), or None
        Gets no gradient.

    Returns
    -------
    tensor (n_windows, n_queries, n_heads, n_dims / n_heads)
    """
    return _Attention.apply(query, key, value, gates, bias[0], mask)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, gates: Tensor, bias: Tensor, mask: Tensor | None
    ) -> Tensor:
        query, key, value = (_by_head(part) for part in (query, key, value))
        attended = torch.empty_like(query)
        ctx.stretches = list(_stretches(mask, query.shape[2]))
        for window in range(len(query)):
            for rows, columns in ctx.stretches:
                weights = _weights(query, key, gates, bias, mask, window, rows, columns)
                attended[window, :, rows].baddbmm_(weights, value[window, :, columns], beta=0)
        ctx.save_for_backward(query, key, value, gates, bias, mask, attended)
        return attended.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, gates, bias, mask, attended = ctx.saved_tensors
        given = _by_head(gradients[0])
        d_query, d_key, d_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        d_gates = torch.empty_like(gates)
        d_bias = torch.zeros_like(bias) if ctx.needs_input_grad[4] else None
        scale = query.shape[-1] ** -0.5
        level = (given * attended).sum(-1, keepdim=True)
        for window in range(len(query)):
            for rows, columns in ctx.stretches:
                weights = _weights(query, key, gates, bias, mask, window, rows, columns)
                d_out = given[window, :, rows]
                d_value[window, :, columns].baddbmm_(weights.transpose(1, 2), d_out)
                d_scores = torch.bmm(d_out, value[window, :, columns].transpose(1, 2))
                d_scores.sub_(level[window, :, rows]).mul_(weights)
                d_query[window, :, rows].baddbmm_(d_scores, key[window, :, columns], beta=0, alpha=scale)
                d_key[window, :, columns].baddbmm_(
                    d_scores.transpose(1, 2), query[window, :, rows], alpha=scale
                )
                if d_bias is not None:
                    d_bias[:, rows, columns].addcmul_(d_scores, gates[window, :, rows])
                d_gates[window, :, rows] = d_scores.mul_(bias[:, rows, columns]).sum(-1, keepdim=True)
        d_inputs = (part.transpose(1, 2) for part in (d_query, d_key, d_value))
        return *d_inputs, d_gates, d_bias, None


def _weights(
    query: Tensor,
    key: Tensor,
    gates: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    window: int,
    rows: slice,
    columns: slice,
) -> Tensor:
    scores = gates[window, :, rows] * bias[:, rows, columns]
    if mask is not None:
        hidden = mask[min(window, len(mask) - 1)]
        scores += hidden[..., rows, columns] if hidden.shape[-2] > 1 else hidden[..., columns]
    keys = key[window, :, columns].transpose(1, 2)
    return scores.baddbmm_(query[window, :, rows], keys, alpha=query.shape[-1] ** -0.5).softmax(-1)


def _stretches(mask: Tensor | None, n_queries: int) -> Iterator[tuple[slice, slice]]:
    """Queries, and the stretch of frames that the mask lets some of them see."""
    if mask is None or mask.shape[-2] != n_queries:
        yield slice(None), slice(None)
        return
    for first in range(0, n_queries, _QUERIES):
        rows = slice(first, min(first + _QUERIES, n_queries))
        seen = torch.isfinite(mask[..., rows, :]).flatten(0, -2).any(0).nonzero()
        yield rows, slice(int(seen[0]), int(seen[-1]) + 1) if len(seen) else slice(None)


def _by_head(frames: Tensor) -> Tensor:
    # One copy of all windows: MKL's batched product takes ten times as long on heads that lie apart.
    return frames.transpose(1, 2).contiguous()
