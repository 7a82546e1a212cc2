"""The last block for the frames that are read: the others need not be made."""

from typing import Any

import torch
from torch import Tensor, nn

from brainwavlm.speech.families import Family
from brainwavlm.speech.wavlm import GatedAttention


def block_at(
    family: Family,
    model: Any,
    block: Any,
    hidden: Tensor,
    position_bias: Tensor | None,
    frame: int | Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    """One frame of what `family.run_block` returns, or some; their queries, output and feed-forward only.

    Keys and values are those of all frames. Without dropout.

    Parameters
    ----------
    hidden : tensor (n_windows, n_frames, n_dims)
    position_bias : tensor (1, n_heads, n_frames, n_frames) or None
    frame : int or tensor of int (n_read,)
        Index of the frame, -1 for the last; or indices from 0.
    mask : tensor (1, 1, n_frames, n_frames) or None

    Returns
    -------
    tensor (n_windows, 1 or n_read, n_dims)
    """
    at = slice(frame, frame + 1 or None) if isinstance(frame, int) else frame
    mask = None if mask is None else mask[:, :, at]
    attention, attention_norm = block.get_submodule(family.attention), getattr(block, family.attention_norm)
    bias = None if position_bias is None else position_bias[:, :, at]
    if family.norm_first(model.config):
        seen = attention_norm(hidden)
        kept = hidden[:, at] + _attended(attention, seen[:, at], seen, bias, mask)
        return kept + family.feed_forward(block, block.final_layer_norm(kept))
    kept = attention_norm(hidden[:, at] + _attended(attention, hidden[:, at], hidden, bias, mask))
    return block.final_layer_norm(kept + family.feed_forward(block, kept))


def agrees(family: Family, model: Any, block: Any) -> bool:
    """Whether `block_at` gives what this block gives, tried on a few frames: blocks may have parts unknown here."""
    n_dims = model.config.hidden_size
    frames = torch.linspace(0.0, 100.0, 5 * n_dims).sin().view(1, 5, n_dims)
    bias = None
    if family.position_bias:
        n_heads = model.config.num_attention_heads
        bias = torch.linspace(0.0, 50.0, 25 * n_heads).cos().view(1, n_heads, 5, 5)
    with torch.no_grad():
        whole, _ = family.run_block(block, frames, bias)
        return all(
            torch.allclose(block_at(family, model, block, frames, bias, at), whole[:, [at]], atol=1e-4)
            for at in (0, -1)
        )


def _attended(
    attention: Any, queries: Tensor, hidden: Tensor, bias: Tensor | None, mask: Tensor | None
) -> Tensor:
    if isinstance(attention, GatedAttention):
        assert bias is not None
        return attention.attend(queries, hidden, bias, mask)
    query, key, value = (
        projection(frames).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for projection, frames in (
            (attention.q_proj, queries),
            (attention.k_proj, hidden),
            (attention.v_proj, hidden),
        )
    )
    attended = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return attention.out_proj(attended.transpose(1, 2).flatten(2))
