"""What differs between families of speech models: one row each.

A model is read as frontend (sound to the frames that enter the network, frozen) and trunk (the blocks).
To add a family, add a row; its functions say what the family's own code in transformers does, piece by piece.

Input: wav2vec-type models hear the raw waveform, or each window scaled to zero mean and unit variance where
the checkpoint's own `preprocessor_config.json` says `do_normalize: true`, as layer-norm (large) models need.
Without that file the sound is raw, as the authors of BrainWavLM feed WavLM base+. Whisper hears the log-mel
spectrogram of the window alone, not padded to 30 s.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor, nn

from brainwavlm.errors import BackboneError
from brainwavlm.speech.stream.frontend import convolving, stream_conv, stream_whisper
from brainwavlm.speech.stream.layout import Layout
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.log_mel import HOP, N_FFT, log_mel


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


# --- wav2vec 2.0, HuBERT, WavLM -------------------------------------------------------------------


def _convolve(model: Any, sound: Tensor) -> Tensor:
    hidden = sound[:, None]
    for layer in model.feature_extractor.conv_layers:
        hidden = layer(hidden)
    projected = model.feature_projection(hidden.transpose(1, 2))
    return projected[0] if isinstance(projected, tuple) else projected  # HuBERT returns it alone


def _enter_conv(model: Any, hidden: Tensor) -> Tensor:
    config = model.config
    if model.training:
        hidden = nn.functional.dropout(hidden, config.feat_proj_dropout)
        masks = config.apply_spec_augment and (config.mask_time_prob > 0 or config.mask_feature_prob > 0)
        if masks and hidden.shape[1] >= config.mask_time_length:
            hidden = model._mask_hidden_states(hidden.clone())  # masks in place
    with convolving(hidden):
        hidden = hidden + model.encoder.pos_conv_embed(hidden)
    if not config.do_stable_layer_norm:
        hidden = model.encoder.layer_norm(hidden)
    return model.encoder.dropout(hidden)


def _leave_conv(model: Any, hidden: Tensor) -> Tensor:
    return model.encoder.layer_norm(hidden) if model.config.do_stable_layer_norm else hidden


def _conv_min_samples(config: Any) -> int:
    samples = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples


# --- Whisper encoder ------------------------------------------------------------------------------


def _listen_whisper(model: Any, sound: Tensor) -> Tensor:
    mel = log_mel(sound, model.config.num_mel_bins)
    hidden = nn.functional.gelu(model.conv1(mel))
    hidden = nn.functional.gelu(model.conv2(hidden)).transpose(1, 2)
    positions = model.embed_positions.weight
    if hidden.shape[1] > len(positions):
        raise BackboneError(
            "windows.context",
            f"a window of {sound.shape[1] / SAMPLE_RATE:g} s is {hidden.shape[1]} frames.",
            f"at most {len(positions)} frames, as many as the model has positions.",
            "Set a shorter windows.context.",
        )
    return hidden + positions[: hidden.shape[1]]


# --- the table ------------------------------------------------------------------------------------

_PROJECTIONS = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "out": "out_proj"}


def _wav2vec_type(name: str, position_bias: bool = False) -> Family:
    return Family(
        name=name,
        part="",
        read=("feature_extractor.", "feature_projection.", "encoder."),
        blocks="encoder.layers",
        attention="attention",
        attention_norm="layer_norm",
        projections=_PROJECTIONS,
        norm_first=lambda config: config.do_stable_layer_norm,
        feed_forward=lambda block, frames: block.feed_forward(frames),
        n_inner="intermediate_size",
        noise=(
            "feat_proj_dropout",
            "hidden_dropout",
            "activation_dropout",
            "attention_dropout",
            "layerdrop",
            "mask_time_prob",
            "mask_feature_prob",
        ),
        position_bias=position_bias,
        still=("feature_extractor", "feature_projection", "encoder.pos_conv_embed"),
        can_normalise=True,
        listen=_convolve,
        listen_floats=lambda config, n_samples: 3 * config.conv_dim[0] * (n_samples // config.conv_stride[0]),
        enter=_enter_conv,
        leave=_leave_conv,
        min_samples=_conv_min_samples,
        frame_grid=lambda config: (prod(config.conv_stride), _conv_min_samples(config)),
        stream=stream_conv,
    )


FAMILIES: dict[str, Family] = {
    "wavlm": _wav2vec_type("wavlm", position_bias=True),
    "hubert": _wav2vec_type("hubert"),
    "wav2vec2": _wav2vec_type("wav2vec2"),
    "whisper": Family(
        name="whisper",
        part="encoder",
        read=("encoder.",),
        blocks="layers",
        attention="self_attn",
        attention_norm="self_attn_layer_norm",
        projections=_PROJECTIONS,
        norm_first=lambda config: True,
        feed_forward=lambda block, frames: block.fc2(block.activation_fn(block.fc1(frames))),
        n_inner="encoder_ffn_dim",
        noise=("dropout", "activation_dropout", "attention_dropout", "encoder_layerdrop"),
        position_bias=False,
        still=("conv1", "conv2"),
        can_normalise=False,
        listen=_listen_whisper,
        listen_floats=lambda config, n_samples: 4 * config.d_model * (n_samples // HOP + 1),
        enter=lambda model, frames: nn.functional.dropout(frames, model.dropout, model.training),
        leave=lambda model, frames: model.layer_norm(frames),
        min_samples=lambda config: N_FFT,
        frame_grid=lambda config: (2 * HOP, HOP),
        stream=stream_whisper,
    ),
}
