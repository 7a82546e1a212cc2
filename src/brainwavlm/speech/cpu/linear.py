"""Linear layers whose matrix products run through oneDNN on the CPU, and LoRA layers with fewer passes over the frames.

PyTorch sends products in float32 to MKL, which uses half the width of an AMD processor's vector units; oneDNN,
which is in every PyTorch build for x86, uses all of it and is about twice as fast there (docs/results/performance.md).
Elsewhere (other devices, other types, autocast, a build without it) the layer is the stock one.
"""

from functools import cache
from typing import Any, cast

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn


class Product(nn.Linear):
    """y = x W' + b, with the very weight and bias of a stock linear layer, under the same names."""

    def __init__(self, stock: nn.Linear):
        nn.Module.__init__(self)
        self.in_features, self.out_features = stock.in_features, stock.out_features
        self.weight, self.bias = stock.weight, stock.bias
        self.train(stock.training)

    def forward(self, inputs: Tensor) -> Tensor:
        """Multiply (..., n_in) to (..., n_out)."""
        if plain_cpu(inputs, self.weight) and onednn_multiplies():
            return _Product.apply(inputs, self.weight, self.bias)
        return super().forward(inputs)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs if weight.requires_grad else None, weight)
        return multiplied(inputs, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        given = gradients[0]
        rows = given.reshape(-1, given.shape[-1])
        to_inputs, to_weight, to_bias = ctx.needs_input_grad
        return (
            multiplied(given, weight.t().contiguous(), None) if to_inputs else None,
            multiplied(rows.t(), inputs.reshape(len(rows), -1).t().contiguous(), None) if to_weight else None,
            rows.sum(0) if to_bias else None,
        )


def multiplied(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Multiply by W' and add b. A large weight that is not contiguous costs oneDNN up to twice the product."""
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")


@cache
def onednn_multiplies() -> bool:
    """Whether this build of PyTorch has oneDNN's product, and it is right: tried once, on a small one."""
    inputs, weight = torch.arange(12.0).view(3, 4), torch.arange(8.0).view(2, 4)
    try:
        return torch.equal(multiplied(inputs, weight, torch.ones(2)), inputs @ weight.t() + 1)
    except (AttributeError, RuntimeError):
        return False


def plain_cpu(*tensors: Tensor) -> bool:
    """Whether all are float32 on the CPU, outside of autocast."""
    return not torch.is_autocast_enabled("cpu") and all(
        tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors
    )


def use_products(blocks: nn.Module) -> None:
    """Put a `Product` in the place of every linear layer below `blocks`."""
    for module in list(blocks.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                replacement: Any = Product(child)
                setattr(module, name, replacement)


_ADAPTER = "default"  # the name that peft gives


class LowRankProduct(LoraLinear):
    """y = x W' + b + s D(x) A' B', with D the adapter's dropout: peft's layer with another forward.

    Without dropout y = x (W + s B A)' + b: one product, and one for the gradient of x. With dropout the low-rank
    part is added in place. peft makes four products, a scaling and a sum.
    """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Multiply (..., n_in) to (..., n_out)."""
        base: Any = self.get_base_layer()
        low, high = (cast(Tensor, part[_ADAPTER].weight) for part in (self.lora_A, self.lora_B))
        if self.disable_adapters or self.merged or base.weight.requires_grad or args or kwargs:
            return super().forward(x, *args, **kwargs)
        dropout, scale = self.lora_dropout[_ADAPTER], self.scaling[_ADAPTER]
        dropped = dropout(x) if self.training and not isinstance(dropout, nn.Identity) else None
        if plain_cpu(x, base.weight, low, high) and onednn_multiplies():
            return _LowRank.apply(x, dropped, base.weight, base.bias, low, high, scale)
        squeezed = nn.functional.linear(x if dropped is None else dropped, low)
        return base(x) + nn.functional.linear(squeezed, high * scale)


def use_low_rank_products(model: nn.Module) -> None:
    """Give every plain LoRA layer of a model the forward above; DoRA and other variants keep theirs."""
    for module in model.modules():
        if type(module) is LoraLinear and list(module.lora_A) == [_ADAPTER] and not module.lora_variant:
            # The module, its weights and their names stay peft's; only the forward is ours.
            module.__class__ = LowRankProduct


class _LowRank(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        dropped: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        low: Tensor,
        high: Tensor,
        scale: float,
    ) -> Tensor:
        ctx.scale = scale
        ctx.save_for_backward(inputs if dropped is None else dropped, weight, low, high)
        ctx.drops = dropped is not None
        if dropped is None:
            return multiplied(inputs, torch.addmm(weight, high, low, alpha=scale), bias)
        outputs = multiplied(inputs, weight, bias)
        outputs.view(-1, len(weight)).addmm_(_rows(multiplied(dropped, low, None)), high.t(), alpha=scale)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        seen, weight, low, high = ctx.saved_tensors
        given, scale = gradients[0], ctx.scale
        to_inputs, to_dropped = ctx.needs_input_grad[:2]
        squeezed = multiplied(given, high.t(), None).mul_(scale)
        d_low = multiplied(_rows(squeezed).t(), _rows(seen).t(), None)
        # Its transpose first: oneDNN takes ten times as long where the long side is that of the output.
        d_high = multiplied(_rows(multiplied(seen, low, None)).t(), _rows(given).t(), None).t().mul_(scale)
        d_inputs = d_dropped = None
        if to_inputs:
            whole = weight if ctx.drops else torch.addmm(weight, high, low, alpha=scale)
            d_inputs = multiplied(given, whole.t().contiguous(), None)
        if to_dropped:
            d_dropped = multiplied(squeezed, low.t(), None)
        return d_inputs, d_dropped, None, None, d_low, d_high, None


def _rows(frames: Tensor) -> Tensor:
    return frames.reshape(-1, frames.shape[-1])
