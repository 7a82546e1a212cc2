"""From sound to the input of the first block, such that no block of frames depends on sound after its end.

Each block of a segment (`Layout`) is computed from a piece of sound that ends with the block, as a window that ends
there would be: the edge of the sound, and statistics over the trailing `context` seconds, are that window's own.
So block 0 equals the window of the segment's first reading. All of it is frozen: call it without gradients.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from brainwavlm.errors import BackboneError
from brainwavlm.speech.stream.layout import Layout
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.log_mel import HOP, N_FFT, compressed, log_power

_SOUND_EPS = 1e-7  # Wav2Vec2FeatureExtractor
_REACH_BACK = 2  # frames before a piece's first that Whisper's convolutions and STFT hear: 520 samples of 640


def stream_conv(model: Any, sound: Tensor, layout: Layout, normalise: bool) -> Tensor:
    """Hidden state 0 of segments in wav2vec 2.0, HuBERT and WavLM.

    normalise: the sound of a block is (x - mean) / sqrt(var + 1e-7), over the trailing context.
    Group norm (base models): its first convolution is (y - mean) / sqrt(var + eps), over the same stretch; after
    that, normalising the sound first would change nothing but eps.
    In the positional convolution, frames after a block's end count as zeros.

    Parameters
    ----------
    sound : tensor (n_segments, layout.n_samples)

    Returns
    -------
    tensor (n_segments, layout.n_frames, n_dims)
    """
    hidden = _convolved(model, sound, layout, normalise)
    hidden = hidden + _positioned(model.encoder.pos_conv_embed, hidden, layout)
    return hidden if model.config.do_stable_layer_norm else model.encoder.layer_norm(hidden)


def stream_whisper(model: Any, sound: Tensor, layout: Layout, normalise: bool) -> Tensor:
    """Hidden state 0 of segments in Whisper's encoder; positions count from the segment's start.

    The floor of the log-mel spectrogram of a block is 8 below the largest value in the trailing context.

    Shapes as of `stream_conv`; Whisper does not normalise.
    """
    positions, n_mels = model.embed_positions.weight, model.config.num_mel_bins
    if layout.n_frames > len(positions):
        raise BackboneError(
            "windows.chunk",
            f"a segment of {layout.n_samples / SAMPLE_RATE:g} s (context and chunk) is {layout.n_frames} frames.",
            f"at most {len(positions)} frames, as many as the model has positions.",
            "Set a shorter windows.chunk or windows.context.",
        )
    loudest = log_power(sound, n_mels).amax(1)
    parts: dict[int, Tensor] = {}
    for group in _alike(layout, whole_tail=True):
        pieces, largest = [], []
        for first, _, end in group:
            begin = max(first - _REACH_BACK, 0) * layout.hop
            log = log_power(sound[:, begin:end], n_mels)
            pieces.append(log)
            largest.append(torch.maximum(log.amax((1, 2)), _trailing_largest(loudest, layout, end)))
        mel = compressed(torch.stack(pieces, 1), torch.stack(largest, 1)[..., None, None])
        hidden = nn.functional.gelu(model.conv1(mel.flatten(0, 1)))
        hidden = nn.functional.gelu(model.conv2(hidden)).transpose(1, 2).unflatten(0, mel.shape[:2])
        for number, (first, stop, _) in enumerate(group):
            parts[first] = hidden[:, number, min(first, _REACH_BACK) :] + positions[first:stop]
    return torch.cat([parts[first] for first in sorted(parts)], 1)


def convolving(hidden: Tensor) -> torch.autocast:
    """For the positional convolution: cuDNN's grouped ones take several times as long in bf16 as in TF32."""
    return torch.autocast(hidden.device.type, enabled=False)


def _trailing_largest(loudest: Tensor, layout: Layout, end: int) -> Tensor:
    """The largest of the spectra that lie wholly in the `context` before the end, (n_segments,)."""
    half = N_FFT // 2
    first = -(-(max(end - layout.context, 0) + half) // HOP)
    stop = (end - half) // HOP + 1
    if stop <= first:
        return loudest.new_full(loudest.shape[:1], -torch.inf)
    return loudest[:, first:stop].amax(1)


def _convolved(model: Any, sound: Tensor, layout: Layout, normalise: bool) -> Tensor:
    """The convolutions and the projection, (n_segments, n_frames, n_dims)."""
    config, layers = model.config, model.feature_extractor.conv_layers
    kernel, stride, steps = 1, 1, sound[:, None]
    mean, variance = sound.new_zeros(1, 1, 1), sound.new_ones(1, 1, 1)
    if normalise:
        mean, variance = _trailing_moments(steps, layout, kernel, stride)
        variance = variance + _SOUND_EPS
    group_norm = layers[0].layer_norm if config.feat_extract_norm == "group" else None
    if group_norm is not None:
        kernel, stride, steps = config.conv_kernel[0], config.conv_stride[0], layers[0].conv(steps)
        sound_variance = variance
        mean, variance = _trailing_moments(steps, layout, kernel, stride)
        variance = variance + group_norm.eps * sound_variance
        layers = layers[1:]
    n_blocks = len(layout.blocks)
    mean, scale = (part.expand(-1, n_blocks, -1)[..., None] for part in (mean, variance.sqrt()))
    number = {block: index for index, block in enumerate(layout.blocks)}
    parts: dict[int, Tensor] = {}
    for group in _alike(layout):
        chosen = [number[block] for block in group]
        n_frames = group[0][1] - group[0][0]
        length = ((n_frames - 1) * layout.hop + layout.reach - kernel) // stride + 1
        begins = [first * layout.hop // stride for first, _, _ in group]
        pieces = torch.stack([steps[..., begin : begin + length] for begin in begins], 1)
        pieces = ((pieces - mean[:, chosen]) / scale[:, chosen]).flatten(0, 1)
        if group_norm is not None:
            pieces = pieces * group_norm.weight[:, None] + group_norm.bias[:, None]
            pieces = model.feature_extractor.conv_layers[0].activation(pieces)
        for layer in layers:
            pieces = layer(pieces)
        projected = model.feature_projection(pieces.transpose(1, 2))
        projected = projected[0] if isinstance(projected, tuple) else projected
        hidden = projected.unflatten(0, (len(sound), len(group)))
        parts |= {first: hidden[:, index] for index, (first, _, _) in enumerate(group)}
    return torch.cat([parts[first] for first in sorted(parts)], 1)


def _positioned(embed: Any, hidden: Tensor, layout: Layout) -> Tensor:
    """The positional convolution, (n_segments, n_frames, n_dims): real frames on the left, zeros after the block."""
    conv, weight = embed.conv, embed.conv.weight
    left = weight.shape[-1] // 2
    right = weight.shape[-1] - 1 - left
    hidden = hidden.transpose(1, 2)
    if getattr(embed, "batch_norm", None) is not None:
        hidden = embed.batch_norm(hidden)
    padded = nn.functional.pad(hidden, (left, 0))
    parts: dict[int, Tensor] = {}
    for group in _alike(layout):
        pieces = torch.stack([padded[..., first : stop + left] for first, stop, _ in group], 1)
        silent = nn.functional.pad(pieces.flatten(0, 1), (0, right)).float()
        with convolving(silent):
            outputs = embed.activation(nn.functional.conv1d(silent, weight, conv.bias, groups=conv.groups))
        outputs = outputs.unflatten(0, (len(hidden), len(group)))
        parts |= {first: outputs[:, index] for index, (first, _, _) in enumerate(group)}
    return torch.cat([parts[first] for first in sorted(parts)], 2).transpose(1, 2)


def _trailing_moments(steps: Tensor, layout: Layout, kernel: int, stride: int) -> tuple[Tensor, Tensor]:
    """Mean and variance over the steps that lie wholly in the `context` before each block's end.

    Parameters
    ----------
    steps : tensor (n_segments, n_channels, n_steps)
        Step k is of samples [k * stride, k * stride + kernel).

    Returns
    -------
    mean, variance : tensors (n_segments, n_blocks, n_channels)
    """
    spans = [
        (-(-max(end - layout.context, 0) // stride), (end - kernel) // stride + 1)
        for _, _, end in layout.blocks
    ]
    edges = sorted({edge for span in spans for edge in span})
    # Each stretch between edges is read once; stretches are joined as sums of squares about their joint mean,
    # in which nothing cancels, so that float32 is enough.
    stretches = [steps[..., begin:end].float() for begin, end in pairwise(edges)]
    moments = [torch.var_mean(stretch, -1, correction=0) for stretch in stretches]
    variances, means = (torch.stack(part, -1) for part in zip(*moments, strict=True))
    counts = means.new_tensor([stretch.shape[-1] for stretch in stretches])
    place = {edge: index for index, edge in enumerate(edges)}
    joined = []
    for low, high in spans:
        stretch = slice(place[low], place[high])
        share = counts[stretch] / counts[stretch].sum()
        mean = (share * means[..., stretch]).sum(-1)
        about = variances[..., stretch] + (means[..., stretch] - mean[..., None]).square()
        joined.append((mean, (share * about).sum(-1)))
    mean, variance = (torch.stack(part, 1) for part in zip(*joined, strict=True))
    return mean, variance


def _alike(layout: Layout, whole_tail: bool = False) -> list[list[tuple[int, int, int]]]:
    """Blocks that can be stacked: of equally many frames, and with `whole_tail` of pieces equally long to the end."""
    groups: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
    for first, stop, end in layout.blocks:
        tail = (end - first * layout.hop, min(first, _REACH_BACK)) if whole_tail else ()
        groups.setdefault((stop - first, *tail), []).append((first, stop, end))
    return list(groups.values())
