"""The weights of a speech model: where and how they compute, which are trained, what a checkpoint holds of them."""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Self

import torch
from torch import Tensor, nn

from brainwavlm.compute import Precision, device_of
from brainwavlm.config import RunConfig
from brainwavlm.datasets.demo import model_source
from brainwavlm.speech.adapters import copy_trained, merge
from brainwavlm.speech.family import Family
from brainwavlm.speech.pretrained import weights_digest


class TrainedModel(nn.Module):
    """A speech model of which some parameters may change; see `Backbone`, which runs it.

    Attributes
    ----------
    memory_gb : float
        What a batch of windows may take, besides what a graph keeps.
    precision : float32, tf32 or bf16
        Of the products of frontend and blocks. Hidden states are float32.
    """

    def __init__(self, model: nn.Module, family: Family, name: str):
        super().__init__()
        self.model, self.family, self.name = model, family, name
        self.memory_gb = 1.0
        self.precision: Precision = "float32"

    def set_up(self, config: RunConfig) -> Self:
        """Compute on the device, in the precision and within the memory of a configuration."""
        self.precision, self.memory_gb = config.precision, config.backbone.memory_gb
        return self.to(device_of(config))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    @property
    def computed(self) -> dict[str, str]:
        """How hidden states are computed, where that is not in float32 on a CPU: other results go to other files."""
        facts = {"precision": self.precision, "device": self.device.type}
        return {key: value for key, value in facts.items() if value not in ("float32", "cpu")}

    def adapter_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters that are trained."""
        return ((name, p) for name, p in self.model.named_parameters() if p.requires_grad)

    def trained_state(self) -> dict[str, Tensor]:
        """Copies of the trained parameters, on the CPU, by name."""
        return {name: p.detach().cpu().clone() for name, p in self.adapter_parameters()}

    def load_trained_state(self, state: dict[str, Tensor]) -> None:
        """Set the trained parameters; names and shapes must agree both ways, else BackboneError."""
        copy_trained(dict(self.adapter_parameters()), state)

    def merged(self) -> nn.Module:
        """The whole stock model with plain weights that give the same hidden states; see `adapters.merge`."""
        return merge(self.model, model_source(self.name))

    def weights_checksum(self) -> str:
        """SHA-256 over weights and buffers, by name; frozen ones are read once, trained ones each time."""
        changing = weights_digest(dict(self.adapter_parameters()))
        return hashlib.sha256(self._frozen_digest + changing).hexdigest()

    @cached_property
    def frontend_checksum(self) -> str:
        """SHA-256 over the weights and buffers outside of the blocks, by name: what `frontend` depends on."""
        blocks, state = f"{self.family.blocks}.", self.model.state_dict()
        return weights_digest({n: t for n, t in state.items() if not n.startswith(blocks)}).hex()

    @cached_property
    def _frozen_digest(self) -> bytes:
        trained, state = dict(self.adapter_parameters()), self.model.state_dict()
        return weights_digest({name: tensor for name, tensor in state.items() if name not in trained})
