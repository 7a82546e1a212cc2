"""WavLM attention that adapters can reach.

Stock `WavLMAttention` hands `q_proj.weight` to `F.multi_head_attention_forward`. An adapter puts a module
around the projection and answers `.weight` with the unchanged one, so it has no effect and gets no gradient
(transformers issue 48773). The attention here calls the projections; same weights, same names.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from brainwavlm.errors import BackboneError
from brainwavlm.speech.cpu.gated_attention import gated_attention
from brainwavlm.speech.cpu.linear import plain_cpu
from brainwavlm.speech.cuda import fused_attention
from brainwavlm.speech.families import Family


class GatedAttention(nn.Module):
    """Self-attention with gated relative position bias, equal to the stock module within rounding.

    attention = softmax(q k' / sqrt(d) + gate * bias) v
    gate = a (b c - 1) + 2 with (a, b) = sigmoid(gru_rel_pos_linear(hidden by head), summed in two fours) and
    c = gru_rel_pos_const

    Submodules and parameters of the stock module are taken over, not copied.

    References
    ----------
    Chen et al. 2022, WavLM (arXiv 2110.13900), section III.A; gate as in transformers' WavLMAttention.
    """

    q_proj: nn.Module
    k_proj: nn.Module
    v_proj: nn.Module
    out_proj: nn.Module
    gru_rel_pos_linear: nn.Module
    gru_rel_pos_const: nn.Parameter
    rel_attn_embed: nn.Embedding  # of the first block alone

    def __init__(self, stock: Any):
        super().__init__()
        for name, module in stock.named_children():
            self.add_module(name, module)
        for name, parameter in stock.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        self.n_heads = stock.num_heads
        self.dropout = stock.dropout
        self.fuses = False  # on a card, in bf16
        self._compute_bias = stock.compute_bias
        self._kept_bias: tuple[tuple[Any, ...], Tensor] | None = None
        self.train(stock.training)

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        position_bias: Tensor | None = None,
        index: int = 0,
        **kwargs: Any,
    ) -> tuple[Tensor, None, Tensor]:
        """What the stock module returns: attended frames (n_windows, n_frames, n_dims), no weights, the position bias.

        Parameters
        ----------
        attention_mask : tensor (n_windows, n_frames) or (1 or n_windows, 1, n_frames, n_frames) or None
            True or 1 where there is sound; with four dimensions, what is added to the scores.
        position_bias : tensor (1, n_heads, n_frames, n_frames) or None
            From the first block, which makes it; the same for all windows.
        """
        if position_bias is None:
            position_bias = self.position_bias(hidden_states.shape[1])
        mask = attention_mask
        if mask is not None and mask.ndim == 2:
            mask = torch.zeros_like(mask, dtype=hidden_states.dtype).masked_fill(mask.ne(1), float("-inf"))
            mask = mask[:, None, None, :]
        return self.attend(hidden_states, hidden_states, position_bias, mask), None, position_bias

    def attend(
        self, queries: Tensor, hidden_states: Tensor, position_bias: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """What some frames, (n_windows, n_queries, n_dims), see of all frames, (n_windows, n_frames, n_dims).

        Bias (1, n_heads, n_queries, n_frames) and mask are added to the scores.
        """
        gates = self.gru_rel_pos_linear(self._by_head(queries).transpose(1, 2))
        gate_a, gate_b = gates.unflatten(-1, (2, 4)).sum(-1).sigmoid().chunk(2, dim=-1)
        gates = gate_a * (gate_b * self.gru_rel_pos_const - 1.0) + 2.0
        query = self._by_head(self.q_proj(queries))
        key, value = (self._by_head(projection(hidden_states)) for projection in (self.k_proj, self.v_proj))
        dropout = self.dropout if self.training else 0.0
        if dropout == 0 and plain_cpu(query, key, value, gates, position_bias):
            attended = gated_attention(query, key, value, gates, position_bias, mask)
        elif dropout == 0 and self.fuses and _one_for_all(position_bias, mask):
            attended = fused_attention(query, key, value, gates, position_bias, mask)
        else:
            bias = gates * position_bias if mask is None else gates * position_bias + mask
            attended = nn.functional.scaled_dot_product_attention(
                query.transpose(1, 2),
                key.transpose(1, 2),
                value.transpose(1, 2),
                attn_mask=bias.to(query.dtype),
                dropout_p=dropout,
            ).transpose(1, 2)
        return self.out_proj(attended.reshape(queries.shape))

    def position_bias(self, n_frames: int) -> Tensor:
        """The first block's bias by distance, (1, n_heads, n_frames, n_frames).

        The longest is kept unless it is trained: it has the shorter ones.
        """
        weight = self.rel_attn_embed.weight
        key = (weight.device, weight._version)
        kept = self._kept_bias
        if kept is None or weight.requires_grad or kept[0] != key or kept[1].shape[-1] < n_frames:
            kept = key, self._compute_bias(n_frames, n_frames).unsqueeze(0)
            self._kept_bias = None if weight.requires_grad else kept
        return kept[1][..., :n_frames, :n_frames].contiguous()

    def _by_head(self, frames: Tensor) -> Tensor:
        return frames.view(*frames.shape[:2], self.n_heads, -1)


def _one_for_all(bias: Tensor, mask: Tensor | None) -> bool:
    """Whether the kernel can be used: one mask for all windows, and a bias that is not trained."""
    return not bias.requires_grad and (mask is None or mask.shape == (1, 1, *bias.shape[2:]))


def make_reachable(model: nn.Module, family: Family) -> bool:
    """See to it that every projection of every attention is called as a module, so that adapters act.

    A probe decides, whatever the version: a block is run on a few frames, and hooks tell which projections
    were called. WavLM's attention is replaced, in place, only when the probe fails; True tells that it was.

    Raises
    ------
    BackboneError
        The projections cannot be reached in this family.
    """
    blocks: Any = model.get_submodule(family.blocks)
    if _probe(model, blocks[0], family):
        return False
    if family.position_bias:
        for block in blocks:
            setattr(block, family.attention, GatedAttention(getattr(block, family.attention)))
        if _probe(model, blocks[0], family):
            return True
    raise BackboneError(
        family.name,
        "its attention does not call its projections, so adapters would have no effect.",
        "an attention that calls " + ", ".join(family.projections.values()) + ".",
        "Install another version of transformers, and report this.",
    )


def _probe(model: nn.Module, block: nn.Module, family: Family) -> bool:
    attention = block.get_submodule(family.attention)
    projections = [attention.get_submodule(name) for name in family.projections.values()]
    config: Any = model.config
    frames = next(model.parameters()).new_zeros(1, 4, config.hidden_size)
    return all_called(projections, lambda: family.run_block(block, frames, None))


def all_called(modules: Iterable[nn.Module], run: Callable[[], Any]) -> bool:
    """Whether `run()` calls every one of the modules."""
    modules = list(modules)
    called: set[int] = set()
    handles = [
        module.register_forward_hook(lambda _module, _inputs, _output, number=number: called.add(number))
        for number, module in enumerate(modules)
    ]
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return len(called) == len(modules)
