"""The same numbers with less traffic on a CUDA card.

gated_attention  WavLM's attention as one kernel, so that its squares of frames are never written
"""

import warnings
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from brainwavlm.speech.cpu import gated_attention as on_cpu


@cache
def has_triton() -> bool:
    """Whether kernels can be made: Triton comes with PyTorch for CUDA on Linux."""
    return find_spec("triton") is not None


def fused_attention(*inputs: Any) -> Tensor:
    """`gated_attention` of the module of that name, which needs Triton."""
    from brainwavlm.speech.cuda.gated_attention import gated_attention as fused

    return fused(*inputs)


@cache
def compiler_works(device: str = "cuda") -> bool:
    """Whether blocks can be compiled for the card: tried once, on a sum. It takes Triton and a C compiler."""
    if not has_triton():
        return False
    try:
        return bool(torch.compile(lambda numbers: (numbers + 1).sum())(torch.ones(3, device=device)) == 6)
    except Exception as error:  # a compiler may raise anything
        warnings.warn(f"Blocks are not compiled: {error}", stacklevel=2)
        return False


@cache
def kernel_agrees(size: int, device: str = "cuda") -> bool:
    """Whether the kernel for heads of that size can be made on this card and is right: tried once, on a small one."""
    if not has_triton() or size < 16 or size & (size - 1):
        return False
    generator = torch.Generator().manual_seed(0)
    query, key, value, given = torch.randn(4, 2, 70, 3, size, generator=generator).unbind()
    gates, bias = torch.rand(2, 3, 70, 1, generator=generator), torch.randn(1, 3, 70, 70, generator=generator)
    inputs = [part.requires_grad_() for part in (query, key, value, gates)]

    def on_card(part: Tensor) -> Tensor:
        return part.to(device, torch.bfloat16)

    with torch.enable_grad():
        right = on_cpu.gated_attention(query, key, value, gates, bias, None)
        expected = (right, *torch.autograd.grad(right, inputs, given))
        try:
            fused = fused_attention(
                *map(on_card, (query, key, value)), gates.to(device), bias.to(device), None
            )
            made = (fused.cpu(), *torch.autograd.grad(fused, inputs, on_card(given)))
        except Exception as error:  # a compiler may raise anything
            warnings.warn(f"Attention is not fused, its kernel cannot be made here: {error}", stacklevel=2)
            return False
    agrees = all(
        (one - other).norm() < 0.02 * other.norm() for one, other in zip(made, expected, strict=True)
    )
    if not agrees:
        warnings.warn("Attention is not fused: its kernel gives wrong numbers on this card.", stacklevel=2)
    return agrees
