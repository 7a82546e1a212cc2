"""The plain way to tune a speech model, for comparison: what public scripts do, written out for the benchmark.

Every window goes from raw sound through stock transformers, all twelve blocks with all hidden states kept. LoRA is
made effective the plainest way (`adapted`). Features are computed by batch; then resampling, z-score, delays,
readout, loss, backward and a step of AdamW.
"""

import types

import peft
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import WavLMModel


def adapted(folder: str, rank: int, stock_attention: bool = True) -> WavLMModel:
    """WavLM with LoRA on query, key and value of every block, in training mode; all else frozen.

    Stock attention takes raw weights, so the plainest way to make LoRA act on it is to give it W + B A as the weight
    (a parametrization). The other way, of those who rewrite the attention, is to call the adapted projections.
    """
    model = WavLMModel.from_pretrained(folder)
    model.freeze_feature_encoder()
    model.requires_grad_(False)
    if stock_attention:
        for layer in model.encoder.layers:
            for name in ("q_proj", "k_proj", "v_proj"):
                projection = getattr(layer.attention, name)
                parametrize.register_parametrization(projection, "weight", _Added(projection, rank))
                projection.parametrizations.weight.original.requires_grad_(False)
        return model.train()
    for layer in model.encoder.layers:
        layer.attention.forward = types.MethodType(_attend, layer.attention)
    config = peft.LoraConfig(
        r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules=["q_proj", "k_proj", "v_proj"]
    )
    peft.inject_adapter_in_model(config, model)
    return model.train()


def adapters(model: WavLMModel) -> dict[str, nn.Parameter]:
    """The matrices A and B of either way, by peft's names."""
    return {
        name.replace("parametrizations.weight.0.low", "lora_A.default.weight").replace(
            "parametrizations.weight.0.high", "lora_B.default.weight"
        ): parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


class _Added(nn.Module):
    def __init__(self, projection: nn.Linear, rank: int):
        super().__init__()
        self.low = nn.Parameter(torch.randn(rank, projection.in_features) * projection.in_features**-0.5)
        self.high = nn.Parameter(torch.zeros(projection.out_features, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.high @ self.low


def features(
    model: WavLMModel, sound: Tensor, spans: list[tuple[int, int]], layer: int, batch: int
) -> Tensor:
    """Last frame of each window at one layer, (n_windows, n_dims)."""
    parts = []
    for first in range(0, len(spans), batch):
        windows = torch.stack([sound[start:end] for start, end in spans[first : first + batch]])
        parts.append(model(windows, output_hidden_states=True).hidden_states[layer][:, -1])
    return torch.cat(parts)


def all_features(model: WavLMModel, sound: Tensor, spans: list[tuple[int, int]], batch: int) -> list[Tensor]:
    """Last frame of each window at every layer: one tensor (n_windows, n_dims) a batch and layer."""
    return [
        state[:, -1]
        for first in range(0, len(spans), batch)
        for state in model(
            torch.stack([sound[start:end] for start, end in spans[first : first + batch]]),
            output_hidden_states=True,
        ).hidden_states
    ]


def loss(found: Tensor, matrix: Tensor, delays: tuple[int, ...], readout: nn.Module, true: Tensor) -> Tensor:
    """Resample, z-score over the block, delay with zeros before it, read out; minus the mean spatial correlation."""
    rows, mass, n_rows = matrix @ found, matrix.sum(1, keepdim=True), len(true)
    rows = rows - mass * (rows.sum(0) / mass.sum(0))
    rows = rows / rows.square().mean(0).sqrt()
    padded = torch.cat([rows.new_zeros(max(delays), rows.shape[1]), rows])
    design = torch.cat([padded[max(delays) - delay : max(delays) - delay + n_rows] for delay in delays], 1)
    predicted = readout(design)
    one, other = (part - part.mean(1, keepdim=True) for part in (predicted, true))
    return -nn.functional.cosine_similarity(one, other, dim=1).mean()


def _attend(self, hidden_states, attention_mask=None, position_bias=None, index=0, **_):
    n, t, _d = hidden_states.shape
    if position_bias is None:
        position_bias = self.compute_bias(t, t).unsqueeze(0)
    gates = self.gru_rel_pos_linear(hidden_states.view(n, t, self.num_heads, -1).permute(0, 2, 1, 3))
    a, b = torch.sigmoid(gates.view(n, self.num_heads, t, 2, 4).sum(-1)).chunk(2, dim=-1)
    bias = (a * (b * self.gru_rel_pos_const - 1.0) + 2.0) * position_bias
    query, key, value = (
        projection(hidden_states).view(n, t, self.num_heads, -1).transpose(1, 2)
        for projection in (self.q_proj, self.k_proj, self.v_proj)
    )
    attended = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    return self.out_proj(attended.transpose(1, 2).reshape(n, t, -1)), None, position_bias
