"""What of the speech model may change: low-rank adapters (peft), all weights of the blocks, or nothing."""

import re
from collections.abc import Iterable
from typing import Any

import peft
import torch
from torch import nn

from brainwavlm.config import AdapterConfig
from brainwavlm.errors import BackboneError
from brainwavlm.speech.families import Family


def attach(model: nn.Module, family: Family, config: AdapterConfig, n_run: int, n_blocks: int) -> None:
    """Make trainable what `config` names, and nothing else.

    - lora: W + scale * B A on the named projections, B starting at 0, A drawn from torch's global generator;
      scale = alpha / rank (rsLoRA: alpha / sqrt(rank)); DoRA: m (W + scale B A) / |W + scale B A| by row.
    - full: all weights of the blocks. The convolutions, the feature projection, the positional convolution
      and the norm after the last block stay as they are.
    - reinit: the blocks begin anew (`begin_anew`), then they are trained whole, or through adapters.
    - frozen: nothing.

    The kept part of a speech model is changed in place; no blocks are adapted but the `n_run` that are run.

    Raises
    ------
    BackboneError
        A range of layers that the model lacks, or that holds no block that is run.

    References
    ----------
    Hu et al. 2021 (arXiv 2106.09685); rsLoRA 2312.03732; DoRA 2402.09353; through peft.
    """
    model.requires_grad_(False)
    if config.method == "frozen":
        return
    chosen = _chosen_blocks(config, n_run, n_blocks)
    method = config.method
    blocks = [model.get_submodule(f"{family.blocks}.{number - 1}") for number in chosen]
    if method == "reinit":
        settings: Any = model.config  # Whisper's has init_std
        deviation = getattr(settings, "init_std", None) or settings.initializer_range
        begin_anew(blocks, deviation, config.reinit_seed)
        method = config.after_reinit
    if method == "full":
        for block in blocks:
            block.requires_grad_(True)
        return
    alpha: Any = config.rank if config.alpha is None else config.alpha  # peft says int, and takes float
    numbers = "|".join(str(number - 1) for number in chosen)
    names = "|".join(family.projections[key] for key in config.projections)
    peft.inject_adapter_in_model(
        peft.LoraConfig(  # no task type: task types forward input_ids
            r=config.rank,
            lora_alpha=alpha,
            lora_dropout=config.dropout,
            use_rslora=config.rslora,
            use_dora=config.dora,
            target_modules=rf"{re.escape(family.blocks)}\.({numbers})\.{family.attention}\.({names})",
        ),
        model,
    )


def begin_anew(blocks: Iterable[nn.Module], deviation: float, seed: int) -> None:
    """Random weights in place of learned ones: W ~ N(0, deviation^2), biases 0, norms and gates 1.

    As before pretraining, from a generator of their own: the same seed gives the same weights whatever was drawn
    before, so that a run can be read back. They are drawn on the CPU, and the blocks changed in place.

    Raises
    ------
    BackboneError
        A parameter of which it is not known how it begins.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for block in blocks:
            for path, module in block.named_modules():
                for name, parameter in module.named_parameters(recurse=False):
                    if (isinstance(module, nn.LayerNorm) and name == "weight") or name == "gru_rel_pos_const":
                        parameter.fill_(1.0)
                    elif name == "bias":
                        parameter.zero_()
                    elif isinstance(module, nn.Linear | nn.Embedding) and name == "weight":
                        parameter.copy_(torch.randn(parameter.shape, generator=generator) * deviation)
                    else:
                        raise BackboneError(
                            "adapter.method",
                            f"reinit, but how {path}.{name} begins is not known.",
                            "blocks of linear maps, norms and gates.",
                            "Use adapter.method=full or lora.",
                        )


def require_gradients(named_parameters: Iterable[tuple[str, nn.Parameter]]) -> None:
    """BackboneError where one of `Backbone.reachable_parameters()` got no gradient in the backward pass just done.

    A gradient of zero is fine: lora_A has one while lora_B is still zero. None means that the output does not
    depend on the parameter, so it would never learn.
    """
    silent = [name for name, parameter in named_parameters if parameter.grad is None]
    if silent:
        raise BackboneError(
            "adapter",
            f"{len(silent)} trained parameters get no gradient: {', '.join(silent[:6])}"
            + (", ..." if len(silent) > 6 else "."),
            "a gradient for each of them at the first step.",
            "The model bypasses them; report this with the versions of transformers, peft and torch.",
        )


def _chosen_blocks(config: AdapterConfig, n_run: int, n_blocks: int) -> list[int]:
    first, last = config.layers or (1, max(n_run, 1))
    chosen = [number for number in range(first, last + 1) if number <= n_run]
    if not 1 <= first <= last <= n_blocks or not chosen:
        raise BackboneError(
            "adapter.layers",
            f"blocks {first} to {last}; the model has {n_blocks}, of which {n_run} are run.",
            "a range that holds a block which is run, counted from 1.",
            "Set adapter.layers or backbone.layer, or adapter.method=frozen.",
        )
    return chosen
