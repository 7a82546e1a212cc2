"""Features on disk: safetensors with times, one array a layer, and a checksum of both."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from brainwavlm.errors import DatasetError
from brainwavlm.files import replacing, sync
from brainwavlm.runs.output_paths import require_writable


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


def content_name(facts: dict) -> str:
    """The name of a file whose content follows from these facts: their SHA-256."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


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
