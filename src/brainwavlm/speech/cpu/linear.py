"""Linear layers whose matrix products run through oneDNN on the CPU.

PyTorch sends products in float32 to MKL, which uses half the width of an AMD processor's vector units; oneDNN,
which is in every PyTorch build for x86, uses all of it and is about twice as fast there (docs/results/performance.md).
Elsewhere (other devices, other types, autocast, a build without it) the layer is the stock one.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn


class Product(nn.Linear):
    """y = x W' + b, with the weight and bias of a stock linear layer, and the same names.

    Parameters
    ----------
    stock : Linear
        Its parameters are taken over, not copied.
    """

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
