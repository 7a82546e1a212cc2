"""The weights of a speech model: where and how they compute, which are trained, what a checkpoint holds of them."""

import copy
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Self

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from brainwavlm.compute import Precision, card_gb, device_of
from brainwavlm.config import RunConfig
from brainwavlm.datasets.demo import model_source
from brainwavlm.errors import BackboneError
from brainwavlm.speech.cuda import compiler_works, kernel_agrees
from brainwavlm.speech.families import Family
from brainwavlm.speech.pretrained import load_stock, weights_digest
from brainwavlm.speech.wavlm import GatedAttention


class TrainedModel(nn.Module):
    """A speech model of which some parameters may change; see `Backbone`, which runs it.

    Attributes
    ----------
    batch_windows : int or None
        Windows, or stretches of a stream as long, that go through the model at once; None: as many as fit.
    memory_gb : float or None
        What a batch of windows may take, besides what a graph keeps; None: 1, or a tenth of a card's.
    precision : float32, tf32 or bf16
        Of the products of frontend and blocks. Hidden states are float32.
    compiles : bool
        Blocks are compiled when they first run on a CUDA card, where that works.
    recompute : bool
        Set it to keep no activations inside blocks, and compute them again in the backward pass.
    """

    layers: tuple[int, ...]  # of `Backbone`, and so are these two
    n_dims: int
    noise: dict[str, float]

    def __init__(self, model: nn.Module, family: Family, name: str):
        super().__init__()
        self.model, self.family, self.name = model, family, name
        self.batch_windows: int | None = None
        self.memory_gb: float | None = None
        self.precision: Precision = "float32"
        self.compiles = True
        self.recompute = False

    def configure(self, config: RunConfig) -> Self:
        """The precision and the memory of a configuration, and whether it has blocks compiled."""
        self.precision = config.precision
        self.batch_windows, self.memory_gb = config.backbone.batch_windows, config.backbone.memory_gb
        # peft's DoRA falls into dozens of graphs.
        self.compiles = config.backbone.compile and not config.adapter.dora
        self.recompute = config.training.recompute
        return self

    def set_up(self, config: RunConfig) -> Self:
        """`configure`, on the configuration's device."""
        return self.configure(config).to(device_of(config))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    @property
    def computed(self) -> dict[str, str]:
        """How hidden states are computed, where that is not in float32 on a CPU: other results go to other files."""
        facts = {"precision": self.precision, "device": self.device.type}
        return {key: value for key, value in facts.items() if value not in ("float32", "cpu")}

    def fitting(self, floats: int) -> int:
        """How many of so many numbers fit into `memory_gb`, at least one."""
        usual = card_gb(self.device) / 10 if self.device.type == "cuda" else 1.0
        return max(int((self.memory_gb or usual) * 1e9 / (4 * floats)), 1)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Eval mode, without graph."""
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(training)

    def adapter_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters that are trained."""
        return ((name, p) for name, p in self.model.named_parameters() if p.requires_grad)

    def trained_state(self) -> dict[str, Tensor]:
        """Copies of the trained parameters, on the CPU, by name."""
        return {name: p.detach().cpu().clone() for name, p in self.adapter_parameters()}

    def load_trained_state(self, state: dict[str, Tensor]) -> None:
        """Set the trained parameters; names and shapes must agree both ways, else BackboneError."""
        parameters = dict(self.adapter_parameters())
        wrong = sorted(parameters.keys() ^ state.keys()) + sorted(
            name for name in parameters.keys() & state.keys() if parameters[name].shape != state[name].shape
        )
        if wrong:
            raise BackboneError(
                "adapter",
                f"{len(wrong)} trained weights disagree with the adapter: {', '.join(wrong[:6])}",
                f"{len(parameters)} weights of this model and adapter configuration.",
                "Load the backbone with the configuration of the run that wrote them.",
            )
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(state[name])

    def merged(self) -> nn.Module:
        """The whole stock model with what was learned folded into its plain weights: W' = W + scale * B A.

        Stock WavLM ignores adapters, so this is the form in which to share them: `save_pretrained` writes a folder that
        AutoModel and `load_backbone` read. Parts not used here (heads, Whisper's decoder) are read again.
        """
        plain = copy.deepcopy(self.model)
        for path, module in list(plain.named_modules()):
            if isinstance(module, BaseTunerLayer):
                module.merge(safe_merge=True)
                parent, _, child = path.rpartition(".")
                setattr(plain.get_submodule(parent), child, module.get_base_layer())
        stock, family = load_stock(model_source(self.name))
        part = family.kept(stock)
        # The loaded model may lack a mask embedding that the stock model has.
        part.load_state_dict({**part.state_dict(), **plain.state_dict()})
        return stock

    def weights_checksum(self) -> str:
        """SHA-256 over weights and buffers, by name; frozen ones are read once, trained ones each time."""
        changing = weights_digest(dict(self.adapter_parameters()))
        return hashlib.sha256(self._frozen_digest + changing).hexdigest()

    @cached_property
    def n_fixed(self) -> int:
        """Blocks that `frontend` runs: all below the first that is trained and the states returned; none with noise."""
        blocks = enumerate(self._blocks())
        trained = (index for index, block in blocks if any(p.requires_grad for p in block.parameters()))
        return 0 if self.noise else min(next(trained, 0), *self.layers)

    @cached_property
    def frontend_checksum(self) -> str:
        """SHA-256 over the weights and buffers outside of blocks that change, by name: what `frontend` depends on."""
        blocks, state = f"{self.family.blocks}.", self.model.state_dict()
        fixed = tuple(f"{blocks}{index}." for index in range(self.n_fixed))
        kept = {n: t for n, t in state.items() if not n.startswith(blocks) or n.startswith(fixed)}
        return weights_digest(kept).hex()

    def _run(self, block: nn.Module, *inputs: Any) -> tuple[Tensor, Tensor | None]:
        compiles = self.compiles and self.device.type == "cuda" and compiler_works()
        run = self._compiled if compiles else self.family.run_block
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(run, block, *inputs, use_reentrant=False)
        return run(block, *inputs)

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        # One list for all models, modes and shapes of a process; beyond its end blocks would run as they are.
        torch._dynamo.config.recompile_limit = 64
        return torch.compile(self.family.run_block)

    def _prepared_attention(self, n_frames: int) -> Tensor | None:
        """The position bias of our attention, told here whether to use its kernel: blocks, compiled, cannot ask."""
        attentions = [block.get_submodule(self.family.attention) for block in self._blocks()]
        if not isinstance(attentions[0], GatedAttention):
            return None
        in_bf16 = self.precision == "bf16" and self.device.type == "cuda"
        for attention in attentions:
            attention.fuses = in_bf16 and kernel_agrees(self.n_dims // attention.n_heads)
        return attentions[0].position_bias(n_frames)

    def _blocks(self) -> Any:
        return self.model.get_submodule(self.family.blocks)

    @cached_property
    def _frozen_digest(self) -> bytes:
        trained, state = dict(self.adapter_parameters()), self.model.state_dict()
        return weights_digest({name: tensor for name, tensor in state.items() if name not in trained})
