"""Features of windows: batched, one frame (or their mean) a window, and kept on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from brainwavlm.compute import on_device
from brainwavlm.config import RunConfig, WindowConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.responses import Channel
from brainwavlm.progress import Progress
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.feature_cache import StoryFeatures, kept_features
from brainwavlm.speech.frontend_cache import SharedFrontend, frontend_output, window_batches
from brainwavlm.speech.frontend_file import sound_and_frontend
from brainwavlm.speech.hidden_states import Backbone, Frame
from brainwavlm.speech.stream.reader import read_stream, stream_samples
from brainwavlm.stimulus.audio import audio_checksum, heard_as, sound_facts
from brainwavlm.stimulus.windows import Windows, cut_windows

_FORMAT = "1"


def read_at_ends(
    backbone: Backbone,
    sound: Tensor,
    windows: Windows,
    indices: Sequence[int] | np.ndarray,
    config: WindowConfig,
    frontend: Sequence[Tensor] | None = None,
) -> dict[int, Tensor]:
    """Features at the ends of chosen windows: `read_windows` or `read_stream`, as the configuration says."""
    if config.mode == "stream":
        return read_stream(backbone, sound, windows, indices, config, frontend)
    if config.frontend == "shared" and frontend is None:
        frontend = SharedFrontend(backbone, sound, windows)
    return read_windows(backbone, sound, windows, indices, config.frame, frontend)


def samples_heard(
    backbone: Backbone, windows: Windows, indices: Sequence[int] | np.ndarray, config: WindowConfig
) -> int:
    """Samples that go through the model when it is read at chosen windows, counted as often as they do."""
    if config.mode == "stream":
        return stream_samples(backbone, windows, indices, config)
    return int(windows.lengths[indices].sum())


def read_windows(
    backbone: Backbone,
    sound: Tensor,
    windows: Windows,
    indices: Sequence[int] | np.ndarray,
    frame: Frame,
    frontend: Sequence[Tensor] | None = None,
) -> dict[int, Tensor]:
    """Features of chosen windows.

    features[i] = h[-1] (last), h[0] (first) or the mean over frames of h, with h the hidden state
    (n_frames, n_dims) of window indices[i]. Windows of one length go through the model together, so nothing
    is padded.

    Parameters
    ----------
    backbone : Backbone
    sound : tensor (n_samples,)
        16 kHz.
    windows : Windows
    indices : sequence of int (n_indices,)
        Which windows, in any order.
    frame : str
        last, first or mean.
    frontend : sequence of tensors, one a window, optional
        From `frontends`; then the sound is not read.

    Returns
    -------
    dict from layer to tensor (n_indices, n_dims), on the backbone's device; with its graph where gradients
    are on.
    """
    indices = np.asarray(indices, dtype=np.int64)
    if not len(indices):
        return {layer: torch.empty(0, backbone.n_dims, device=backbone.device) for layer in backbone.layers}
    read: list[np.ndarray] = []
    parts: dict[int, list[Tensor]] = {layer: [] for layer in backbone.layers}
    for places in window_batches(backbone, windows, indices):
        hidden = frontend_output(backbone, sound, windows, indices[places], frontend)
        for layer, state in backbone.read(hidden, frame).items():
            parts[layer].append(state)
        read.append(places)
    order = on_device(np.argsort(np.concatenate(read)), backbone.device, torch.int64)
    return {layer: torch.cat(part)[order] for layer, part in parts.items()}


def extract(
    backbone: Backbone,
    sound_path: str | Path,
    config: WindowConfig,
    channel: Channel = "mean",
    frontends: str | Path | None = None,
) -> StoryFeatures:
    """Features of a whole sound, all the backbone's layers in one pass, in eval mode.

    Parameters
    ----------
    backbone : Backbone
    sound_path : str or Path
    config : WindowConfig
    channel : str or int
        As in `load_sound`.
    frontends : str, Path or None
        Folder of `frontend_file`, to read the frozen frontend's output from and to add it to.

    Returns
    -------
    StoryFeatures
    """
    windows = cut_windows(sound_facts(sound_path, channel).n_samples, config, backbone.min_samples)
    training = backbone.training
    backbone.eval()
    sound, frontend = sound_and_frontend(backbone, sound_path, windows, config, frontends, channel)
    try:
        with torch.no_grad():
            states = read_at_ends(backbone, sound, windows, range(len(windows)), config, frontend)
    finally:
        backbone.train(training)
    layers = {layer: state.float().cpu().numpy() for layer, state in states.items()}
    return StoryFeatures(windows.times, layers)


def heard_facts(
    backbone: Backbone, sound_path: str | Path, config: WindowConfig, channel: Channel
) -> dict[str, Any]:
    """All that hidden states of a sound depend on."""
    return {
        "weights": backbone.weights_checksum(),
        "family": backbone.family.name,
        "normalise_sound": backbone.normalise_sound,
        "windows": config.model_dump(),
        "audio": audio_checksum(sound_path),
        **heard_as(channel),
        "layers": list(backbone.layers),
        **backbone.computed,
    }


def cached(
    backbone: Backbone,
    sound_path: str | Path,
    config: WindowConfig,
    folder: str | Path,
    channel: Channel = "mean",
    frontends: str | Path | None = None,
) -> StoryFeatures:
    """`extract`, read from `folder` when it is there and written there when it is not.

    The file's name is the SHA-256 of all that the features depend on: the weights with what was trained, how
    the sound is fed, the windows, the sound file's content and the layers.

    Parameters
    ----------
    backbone, sound_path, config, channel, frontends
        As in `extract`.
    folder : str or Path
        Made when missing.

    Returns
    -------
    StoryFeatures

    Raises
    ------
    ConfigError, DatasetError
        As `kept_features`.
    """
    facts = {"format": _FORMAT, **heard_facts(backbone, sound_path, config, channel)}
    return kept_features(folder, facts, lambda: extract(backbone, sound_path, config, channel, frontends))


def extract_dataset(
    config: RunConfig, folder: str | Path, subject: str | None = None, progress: Progress | None = None
) -> dict[str, StoryFeatures]:
    """`cached` features of all layers, for each story of a data set.

    Parameters
    ----------
    config : RunConfig
        Its dataset, backbone, windows and device.
    folder : str or Path
    subject : str or None
        Only the stories that this subject heard; None: all.
    progress : Progress or None

    Returns
    -------
    dict of story to StoryFeatures
    """
    dataset = load_dataset(config.dataset)
    names = sorted(dataset.stories if subject is None else dataset.subject(subject).recordings)
    backbone = load_backbone(config.backbone.name, "all").set_up(config)
    return {
        name: cached(
            backbone, dataset.stories[name].audio, config.windows, folder, dataset.stories[name].channel
        )
        for name in (progress or Progress()).over(names, "Reading stories")
    }
