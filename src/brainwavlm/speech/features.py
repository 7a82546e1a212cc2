"""Features of sounds: read, kept on disk as safetensors with times and a checksum, and found there again."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

from brainwavlm.config import RunConfig, WindowConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.responses import Channel
from brainwavlm.errors import DatasetError
from brainwavlm.files import replacing, sync
from brainwavlm.progress import Progress
from brainwavlm.runs.output_paths import require_writable
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.frontend_file import content_name, frontend_file
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.speech.sound_reader import NO_SOUND, SoundReader, WindowReader, heard_facts
from brainwavlm.speech.stream.reader import StreamReader
from brainwavlm.stimulus.audio import load_sound, sound_facts
from brainwavlm.stimulus.windows import Windows, cut_windows

_FORMAT = "1"


@dataclass(frozen=True)
class StoryFeatures:
    """What a model says of one sound.

    Attributes
    ----------
    times : float64 array (n_windows,)
        Seconds from sound onset: the end of each window.
    layers : dict of int to float32 array (n_windows, n_dims)
    """

    times: np.ndarray
    layers: dict[int, np.ndarray]


def sound_reader(
    backbone: Backbone,
    windows: Windows,
    config: WindowConfig,
    sound: Tensor = NO_SOUND,
    frontend: Sequence[Tensor] | None = None,
) -> SoundReader:
    """What reads a sound as the configuration says: window by window, or as a stream."""
    kind = StreamReader if config.mode == "stream" else WindowReader
    return kind(backbone, windows, config, sound, frontend)


def file_reader(
    backbone: Backbone,
    sound_path: str | Path,
    config: WindowConfig,
    channel: Channel,
    frontends: str | Path | None,
) -> SoundReader:
    """`sound_reader` of a whole file. With a folder of frontends nothing is decoded but what it lacks."""
    windows = cut_windows(sound_facts(sound_path, channel).n_samples, config, backbone.min_samples)
    if frontends is None:
        return sound_reader(backbone, windows, config, torch.from_numpy(load_sound(sound_path, channel)))
    reader = sound_reader(backbone, windows, config)
    return replace(reader, frontend=frontend_file(reader, sound_path, frontends, channel=channel))


def extract(
    backbone: Backbone,
    sound_path: str | Path,
    config: WindowConfig,
    channel: Channel = "mean",
    frontends: str | Path | None = None,
) -> StoryFeatures:
    """Features of a whole sound, all the backbone's layers in one pass, in eval mode.

    `channel` is as in `load_sound`; `frontends` a folder of `frontend_file`, to read the frozen frontend's output from
    and to add it to.
    """
    with backbone.evaluating():
        reader = file_reader(backbone, sound_path, config, channel, frontends)
        states = reader.read(range(len(reader.windows)))
    layers = {layer: state.float().cpu().numpy() for layer, state in states.items()}
    return StoryFeatures(reader.windows.times, layers)


def state_facts(
    backbone: Backbone, sound_path: str | Path, config: WindowConfig, channel: Channel
) -> dict[str, Any]:
    """All that hidden states of a sound depend on."""
    heard = heard_facts(backbone, sound_path, config, channel)
    return {"weights": backbone.weights_checksum(), "layers": list(backbone.layers), **heard}


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
    the sound is fed, the windows, the sound file's content and the layers. A file of all layers has those of some.

    Raises
    ------
    ConfigError, DatasetError
        As `kept_features`.
    """
    facts = {"format": _FORMAT, **state_facts(backbone, sound_path, config, channel)}
    of_all = features_path(folder, {**facts, "layers": list(range(backbone.n_blocks + 1))})
    if of_all.is_file():
        every = read_features(of_all)
        return StoryFeatures(every.times, {layer: every.layers[layer] for layer in backbone.layers})
    return kept_features(folder, facts, lambda: extract(backbone, sound_path, config, channel, frontends))


def extract_dataset(
    config: RunConfig, folder: str | Path, subject: str | None = None, progress: Progress | None = None
) -> dict[str, StoryFeatures]:
    """`cached` features of all layers, for each story of a data set, or each that a subject heard.

    Of the configuration are used dataset, backbone, windows and device.
    """
    dataset = load_dataset(config.dataset)
    names = sorted(dataset.stories if subject is None else dataset.subject(subject).recordings)
    backbone = load_backbone(config.backbone.name, "all").set_up(config)
    stories = {name: dataset.stories[name] for name in names}
    return {
        name: cached(backbone, stories[name].audio, config.windows, folder, stories[name].channel)
        for name in (progress or Progress()).over(names, "Reading stories")
    }


def write_features(path: Path, features: StoryFeatures, facts: dict) -> None:
    """Write a feature file whole or not at all, with the facts that features depend on as JSON."""
    tensors = {"times": features.times, **{f"layer.{k}": array for k, array in features.layers.items()}}
    metadata = {"facts": json.dumps(facts, sort_keys=True), "content": _content(tensors)}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)
        sync(temporary)


def features_path(folder: str | Path, facts: dict) -> Path:
    """Where features with these facts are kept."""
    return Path(folder) / f"{content_name(facts)}.safetensors"


def kept_features(folder: str | Path, facts: dict, make: Callable[[], StoryFeatures]) -> StoryFeatures:
    """The features with these facts: read from a folder, or made and written there.

    A file takes its name when it is whole, so processes may share a folder, and one that is killed leaves at most a
    hidden temporary file that is never read.

    Raises
    ------
    ConfigError
        They are not there, and the folder cannot be written to: told before they are made.
    DatasetError
        Their file is damaged.
    """
    path = features_path(folder, facts)
    if path.is_file():
        return read_features(path)
    require_writable(path.parent, "cache")
    features = make()
    write_features(path, features, facts)
    return features


def read_features(path: Path) -> StoryFeatures:
    """Read a feature file; a DatasetError names one that is damaged."""
    try:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            content = (file.metadata() or {}).get("content")
    except SafetensorError as error:
        raise _damaged(path, str(error)) from None
    if content != _content(tensors):
        raise _damaged(path, "its content does not match its checksum")
    times = tensors.pop("times")
    return StoryFeatures(times, {int(name.removeprefix("layer.")): array for name, array in tensors.items()})


def _content(tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(tensors.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _damaged(path: Path, found: str) -> DatasetError:
    return DatasetError(
        path,
        f"a damaged feature file: {found}.",
        "a whole file, as this program writes it.",
        "Delete it; the features are then computed again.",
    )
