"""The optimiser's side of tuning: rates, schedule, gradient norm, random state, devices and precision."""

import math
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.utils import get_total_norm

from brainwavlm.compute import float32_products
from brainwavlm.config import TrainingConfig
from brainwavlm.speech.hidden_states import Backbone


class Optimisation:
    """AdamW over the speech model's trained weights and the readout, each with its own rate.

    Parameters
    ----------
    backbone : Backbone
    readout : Module
    config : TrainingConfig
    steps_per_epoch : int
    accelerator : Accelerator
    """

    def __init__(
        self,
        backbone: Backbone,
        readout: nn.Module,
        config: TrainingConfig,
        steps_per_epoch: int,
        accelerator: Accelerator,
    ):
        self._config, self._accelerator, self._precision = config, accelerator, backbone.precision
        self._total_steps = config.epochs * steps_per_epoch
        groups: list[dict[str, Any]] = [
            {"params": [p for _, p in backbone.adapter_parameters()], "lr": config.lr_backbone},
            {"params": [p for p in readout.parameters() if p.requires_grad], "lr": config.lr_readout},
        ]
        groups = [group for group in groups if group["params"]]
        self._rates = [group["lr"] for group in groups]
        self._parameters = [parameter for group in groups for parameter in group["params"]]
        fused = accelerator.device.type == "cuda" or None  # one kernel; elsewhere torch's default
        options: dict[str, Any] = {"weight_decay": config.weight_decay, "fused": fused}
        self._optimiser = torch.optim.AdamW(groups, **options) if groups else None

    @property
    def learns(self) -> bool:
        """False for a frozen model under a closed-form readout: nothing is trained."""
        return self._optimiser is not None

    def begin(self, step: int) -> None:
        """No gradients yet, and that step's rate."""
        assert self._optimiser is not None
        factor = rate_factor(step, self._total_steps, self._config)
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        self._optimiser.zero_grad()

    def backward(self, loss: torch.Tensor) -> None:
        """Add gradients, with products as in the forward pass."""
        with float32_products(self._precision, self._accelerator.device):
            self._accelerator.backward(loss)

    def update(self) -> torch.Tensor:
        """Sum the gradients of all processes, clip and step; the norm of the gradient before clipping, ()."""
        assert self._optimiser is not None
        if self._accelerator.num_processes > 1:
            has_one = [float(parameter.grad is not None) for parameter in self._parameters]
            shared = self._accelerator.reduce(torch.tensor(has_one, device=self._accelerator.device), "sum")
            for parameter, anywhere in zip(self._parameters, shared.tolist(), strict=True):
                if anywhere:  # a readout of no block of this step keeps still, as in a single process
                    gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                    parameter.grad = self._accelerator.reduce(gradient, "sum")
        if self._config.clip is not None:
            norm = self._accelerator.clip_grad_norm_(self._parameters, self._config.clip)
        else:
            norm = get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        self._optimiser.step()
        return norm

    def state(self) -> dict[str, torch.Tensor]:
        """Optimiser moments and random state, for a checkpoint."""
        _, numpy_keys, numpy_position, _, _ = np.random.get_state()  # noqa: NPY002  SpecAugment draws from it
        state = {
            "random.torch": torch.get_rng_state(),
            "random.numpy": torch.from_numpy(np.append(numpy_keys, numpy_position).astype(np.int64)),
        }
        if torch.cuda.is_available():
            state["random.cuda"] = torch.cuda.get_rng_state()
        if self._optimiser is not None:
            for index, moments in self._optimiser.state_dict()["state"].items():
                state |= {f"adam.{index}.{name}": value for name, value in moments.items()}
        return state

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """The inverse of `state`, with the random state of the first process."""
        adam: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in state.items():
            kind, _, name = key.partition(".")
            if kind == "adam":
                index, name = name.split(".")
                adam.setdefault(int(index), {})[name] = value
        for number, moments in adam.items():
            shape = self._parameters[number].shape
            if any(value.ndim and value.shape != shape for value in moments.values()):
                raise ValueError(f"moments of another shape than {tuple(shape)}, that of weight {number}.")
        if self._optimiser is not None:
            groups = self._optimiser.state_dict()["param_groups"]
            self._optimiser.load_state_dict({"state": adam, "param_groups": groups})
        torch.set_rng_state(state["random.torch"])
        numpy_state = state["random.numpy"].numpy()
        np.random.set_state(("MT19937", numpy_state[:-1].astype(np.uint32), int(numpy_state[-1]), 0, 0.0))  # noqa: NPY002
        if "random.cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state(state["random.cuda"])


def rate_factor(step: int, total: int, config: TrainingConfig) -> float:
    """Learning rate as a share of its peak: (step + 1) / n_warmup while it rises, then constant or half a cosine.

    Parameters
    ----------
    step : int
        From 0.
    total : int
        Steps of the whole run.
    config : TrainingConfig
    """
    n_warmup = math.ceil(config.warmup * total)
    if step < n_warmup:
        return (step + 1) / n_warmup
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - n_warmup) / max(total - n_warmup, 1)))
