"""A speech model as a function from windows of sound to hidden states."""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from brainwavlm.compute import products
from brainwavlm.errors import BackboneError
from brainwavlm.speech.families import Family
from brainwavlm.speech.last_block import agrees, block_at
from brainwavlm.speech.trained_model import TrainedModel

Frame = Literal["last", "first", "mean"]


class Backbone(TrainedModel):
    """Windows of sound to hidden states; `backbone(windows) == backbone.trunk(backbone.frontend(windows))`.

    Attributes
    ----------
    name : str
        Hub id or folder.
    family : Family
        Its row in the table of families.
    layers : tuple of int
        Hidden states that are returned.
    n_dims, n_blocks : int
        Of the whole model.
    n_run : int
        Blocks that are run.
    min_samples : int
        Shortest window that gives a frame.
    frame_grid : (int, int)
        Samples between frames, and samples after which a window has its first.
    normalise_sound : bool
        Each window is scaled to zero mean and unit variance first (the checkpoint's `do_normalize`).
    noise : dict of str to float
        What acts in training mode: settings of the model's configuration that are not 0. Empty by default.
    """

    def __init__(
        self,
        model: nn.Module,
        family: Family,
        name: str,
        layers: tuple[int, ...],
        normalise_sound: bool,
        run_unused_blocks: bool,
    ):
        super().__init__(model, family, name)
        config: Any = model.config
        self.layers = layers
        self.normalise_sound = normalise_sound
        self.n_dims = config.hidden_size
        self.n_blocks: int = config.num_hidden_layers
        self.n_run: int = self.n_blocks if run_unused_blocks else max(layers)
        self.min_samples: int = family.min_samples(config)
        self.frame_grid = family.frame_grid(config)
        self.noise = {key: value for key in family.noise if (value := float(getattr(config, key))) > 0}
        if not getattr(config, "apply_spec_augment", True):
            self.noise = {key: value for key, value in self.noise.items() if not key.startswith("mask_")}
        self._graphed: set[int] = set()  # blocks that have run with gradients on
        deepest = max(layers)
        self._reads_one_frame = deepest > 0 and agrees(family, model, self._blocks()[deepest - 1])

    def forward(self, windows: Tensor) -> dict[int, Tensor]:
        """Hidden states (n_windows, n_frames, n_dims) by layer, of windows (n_windows, n_samples) at 16 kHz."""
        return self.trunk(self.frontend(windows))

    @torch.no_grad()
    def frontend(self, windows: Tensor) -> Tensor:
        """All that comes before anything that may change: convolutions, projection, positions and `n_fixed` blocks.

        No graph, no noise. With `noise`, which acts on the projection's output, it ends there.

        It is run on each window by itself, although windows overlap: WavLM base and its like normalise the
        first convolution over the whole input (group norm), so frames cut from a frontend run over the whole
        story would differ from the window's own, and would depend on sound that the window has not heard.
        """
        if windows.shape[-1] < self.min_samples:
            raise BackboneError(
                self.name,
                f"windows of {windows.shape[-1]} samples.",
                f"at least {self.min_samples} samples.",
                "Cut windows with min_samples=backbone.min_samples.",
            )
        return self.enter(self.listen(windows))

    @torch.no_grad()
    def enter(self, projected: Tensor) -> Tensor:
        """From the projection to hidden state `n_fixed`: the second half of `frontend`. Without noise, else nothing."""
        if self.noise:
            return projected
        with products(self.precision, self.device):
            hidden = self.family.enter(self.model, projected)
            position_bias = self._prepared_attention(hidden.shape[1]) if self.n_fixed else None
            for block in self._blocks()[: self.n_fixed]:
                hidden, position_bias = self._run(block, hidden, position_bias)
            return hidden.float()

    @torch.no_grad()
    def listen(self, windows: Tensor) -> Tensor:
        """From sound to the projection: the first half of `frontend`."""
        if self.normalise_sound:
            mean, variance = windows.mean(-1, keepdim=True), windows.var(-1, keepdim=True, unbiased=False)
            windows = (windows - mean) / torch.sqrt(variance + 1e-7)  # 1e-7: Wav2Vec2FeatureExtractor
        config, n_samples = self.model.config, windows.shape[-1]
        parts = windows.split(self.fitting(self.family.listen_floats(config, n_samples)))
        with products(self.precision, self.device):
            return torch.cat([self.family.listen(self.model, part) for part in parts]).float()

    def trunk(self, hidden: Tensor) -> dict[int, Tensor]:
        """The transformer, from the frontend's output up to the deepest layer asked for: hidden states by layer."""
        return self.states(self._entered(hidden), first=self.n_fixed)[0]

    def read(self, hidden: Tensor, frame: Frame) -> dict[int, Tensor]:
        """The transformer read at one frame of each window, or at the mean over its frames.

        The same as `trunk`, then that frame, (n_windows, n_dims) by layer; the deepest block is run for it alone.
        """
        hidden, first = self._entered(hidden), self.n_fixed
        if frame == "mean":
            return {layer: state.mean(1) for layer, state in self.states(hidden, first=first)[0].items()}
        at = -1 if frame == "last" else 0
        return {layer: state[:, at] for layer, state in self.states(hidden, at, first=first)[0].items()}

    def states(
        self,
        hidden: Tensor,
        frames: int | Tensor | None = None,
        mask: Tensor | None = None,
        first: int = 0,
    ) -> tuple[dict[int, Tensor], bool]:
        """Hidden states, and whether the deepest of them holds chosen frames only.

        Parameters
        ----------
        hidden : tensor (n_windows, n_frames, n_dims), state `first`
        frames : int, or tensor (n_read,) of int, or None
            Frames of the deepest state that will be read; None: all. The deepest block is run for these alone where
            it can be.
        mask : tensor, to be broadcast to (n_windows, n_heads, n_frames, n_frames), or None
            Added to the attention's scores.
        """
        deepest = max(self.layers)
        prunes = frames is not None and self._reads_one_frame and self.n_run == deepest > 1
        prunes = prunes and not (self.training and self.noise)
        states = {first: hidden}
        with products(self.precision, self.device):
            position_bias = self._prepared_attention(hidden.shape[1])
            for index, block in enumerate(self._blocks()[first : self.n_run], first):
                if not self._drops(index):
                    if prunes and index == deepest - 1:
                        assert frames is not None
                        hidden = block_at(self.family, self.model, block, hidden, position_bias, frames, mask)
                    else:
                        hidden, position_bias = self._run(block, hidden, position_bias, mask)
                    if torch.is_grad_enabled():
                        self._graphed.add(index)
                if index + 1 in self.layers:
                    last = index + 1 == self.n_blocks
                    states[index + 1] = self.family.leave(self.model, hidden) if last else hidden
        return {layer: states[layer].float() for layer in self.layers}, prunes

    def n_frames(self, n_samples: int) -> int:
        """Frames of a window."""
        hop, first = self.frame_grid
        return (n_samples - first) // hop + 1

    def windows_at_once(self, n_samples: int) -> int:
        """Windows of one length whose blocks fit into `memory_gb`, at least one.

        Counted for each frame: twelve vectors of the block's width, three of the feed-forward's, and three rows
        of the attention's squares.
        """
        config: Any = self.model.config
        n_frames = self.n_frames(n_samples)
        n_inner, n_heads = getattr(config, self.family.n_inner), config.num_attention_heads
        return self.fitting(n_frames * (12 * self.n_dims + 3 * n_inner + 3 * n_heads * n_frames))

    def reachable_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Of these, the ones that must have a gradient after a backward pass.

        Left out: blocks above the deepest layer read (run_unused_blocks), and blocks that layerdrop has
        skipped in every forward pass so far.
        """
        read = tuple(f"{self.family.blocks}.{index}." for index in self._graphed if index < max(self.layers))
        return ((name, p) for name, p in self.adapter_parameters() if name.startswith(read))

    def train(self, mode: bool = True) -> "Backbone":
        """Training mode, in which the frontend and running moments stay as they are."""
        super().train(mode)
        for name in self.family.still:
            self.model.get_submodule(name).eval()
        return self

    def _entered(self, hidden: Tensor) -> Tensor:
        """Hidden state 0 from the frontend's output, which ends before it where the model has noise."""
        if not self.noise:
            return hidden
        with products(self.precision, self.device):
            return self.family.enter(self.model, hidden).float()

    def _drops(self, index: int) -> bool:
        rate = next((rate for key, rate in self.noise.items() if key.endswith("layerdrop")), 0.0)
        makes_bias = index == 0 and self.family.position_bias
        if not self.training or rate == 0 or makes_bias:
            return False
        return bool(torch.rand([]) < rate)
