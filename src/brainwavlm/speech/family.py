"""What has to be known of a family of speech models: the columns of the table `families.FAMILIES`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from brainwavlm.speech.stream.layout import Layout


@dataclass(frozen=True)
class Family:
    """One row of the table.

    Attributes
    ----------
    name : str
        `model_type` of the transformers configuration.
    part : str
        Attribute of the loaded model that is kept; "" is the whole model.
    read : tuple of str
        Beginnings of the parameter names that must be in a checkpoint, and may have no company.
    blocks : str
        Where the transformer blocks are, from the kept part.
    attention : str
        Where a block's attention is.
    attention_norm : str
        The norm beside the attention, in a block.
    projections : dict of str to str
        Names of the attention's projections.
    norm_first : function (configuration) -> bool
        Whether a block's norms come before attention and feed-forward, or after.
    feed_forward : function (block, frames) -> frames
    n_inner : str
        Setting of the configuration that has the width of the feed-forward; other sizes go by one name in all.
    noise : tuple of str
        Settings of the configuration that act in training only.
    position_bias : bool
        Whether blocks hand a position bias on, which the first makes (WavLM).
    still : tuple of str
        Modules that stay in eval mode: the frontend, and running moments.
    can_normalise : bool
        Whether `do_normalize` of the preprocessor configuration applies.
    listen : function (model, sound (n_windows, n_samples)) -> (n_windows, n_frames, n_dims)
        The frontend.
    listen_floats : function (configuration, n_samples) -> int
        Numbers that it holds at once for a window.
    enter : function (model, frames) -> frames
        From the frontend's output to hidden state 0.
    leave : function (model, frames) -> frames
        After the last block.
    min_samples : function (configuration) -> int
    frame_grid : function (configuration) -> (int, int)
        Samples between frames, and samples after which a window has its first.
    stream : function (model, sound (n_segments, n_samples), layout, normalise) -> (n_segments, n_frames, n_dims)
        From the sound of segments to hidden state 0, for the stream.
    """

    name: str
    part: str
    read: tuple[str, ...]
    blocks: str
    attention: str
    attention_norm: str
    projections: dict[str, str]
    norm_first: Callable[[Any], bool]
    feed_forward: Callable[[Any, Tensor], Tensor]
    n_inner: str
    noise: tuple[str, ...]
    position_bias: bool
    still: tuple[str, ...]
    can_normalise: bool
    listen: Callable[[nn.Module, Tensor], Tensor]
    listen_floats: Callable[[Any, int], int]
    enter: Callable[[Any, Tensor], Tensor]
    leave: Callable[[Any, Tensor], Tensor]
    min_samples: Callable[[Any], int]
    frame_grid: Callable[[Any], tuple[int, int]]
    stream: Callable[[nn.Module, Tensor, Layout, bool], Tensor]

    def kept(self, model: nn.Module) -> nn.Module:
        """The part of a loaded model that is used."""
        return model.get_submodule(self.part)

    def run_block(
        self,
        block: nn.Module,
        hidden: Tensor,
        position_bias: Tensor | None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """One block; the position bias is None for families without it, and where WavLM's first block has to make it.

        The mask (1, 1, n_frames, n_frames) is added to the attention's scores.
        """
        if self.position_bias:
            outputs = block(hidden, attention_mask=mask, position_bias=position_bias)
            return outputs[0], outputs[1]
        outputs = block(hidden, attention_mask=mask)
        return (outputs[0] if isinstance(outputs, tuple) else outputs), None
