"""Softmax attention with a gated bias, a window at a time, so that its squares of frames stay in the cache."""

from typing import Any

import torch
from torch import Tensor


def gated_attention(
    query: Tensor, key: Tensor, value: Tensor, gates: Tensor, bias: Tensor, mask: Tensor | None
) -> Tensor:
    """softmax(query key' / sqrt(d) + gates * bias + mask) value.

    The squares (n_heads, n_frames, n_frames) are made for one window at a time and again in the backward pass:
    they are the largest tensors of a block, and reading them from memory costs more than making them.

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
        attended = torch.empty_like(query, memory_format=torch.contiguous_format)
        for window in range(len(query)):
            q, k, v = (_by_head(part[window]) for part in (query, key, value))
            weights = _weights(q, k, gates[window], bias, _of(mask, window))
            attended[window] = torch.bmm(weights, v).transpose(0, 1)
        ctx.save_for_backward(query, key, value, gates, bias, mask, attended)
        return attended

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, gates, bias, mask, attended = ctx.saved_tensors
        given = gradients[0]
        d_query, d_key, d_value = (
            torch.empty_like(part, memory_format=torch.contiguous_format) for part in (query, key, value)
        )
        d_gates = torch.empty_like(gates)
        d_bias = torch.zeros_like(bias) if ctx.needs_input_grad[4] else None
        scale = query.shape[-1] ** -0.5
        for window in range(len(query)):
            q, k, v, d_out, out = (_by_head(part[window]) for part in (query, key, value, given, attended))
            weights = _weights(q, k, gates[window], bias, _of(mask, window))
            d_value[window] = torch.bmm(weights.transpose(1, 2), d_out).transpose(0, 1)
            d_scores = torch.bmm(d_out, v.transpose(1, 2))
            d_scores.sub_((d_out * out).sum(-1, keepdim=True)).mul_(weights)
            d_query[window] = torch.bmm(d_scores, k).mul_(scale).transpose(0, 1)
            d_key[window] = torch.bmm(d_scores.transpose(1, 2), q).mul_(scale).transpose(0, 1)
            if d_bias is not None:
                d_bias.addcmul_(d_scores, gates[window])
            d_gates[window] = d_scores.mul_(bias).sum(-1, keepdim=True)
        return d_query, d_key, d_value, d_gates, d_bias, None


def _weights(query: Tensor, key: Tensor, gates: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    scores = gates * bias
    if mask is not None:
        scores += mask
    scores.baddbmm_(query, key.transpose(1, 2), alpha=query.shape[-1] ** -0.5)
    return scores.softmax(-1)


def _by_head(frames: Tensor) -> Tensor:
    # The copy is small, and MKL's batched product takes ten times as long on strided heads.
    return frames.transpose(0, 1).contiguous()


def _of(mask: Tensor | None, window: int) -> Tensor | None:
    return None if mask is None else mask[min(window, len(mask) - 1)]
