"""Vectors of stretches, phones and words: the mean over the frames of each, every frame heard in its context."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from brainwavlm.config import WindowConfig
from brainwavlm.datasets.responses import Story
from brainwavlm.speech.feature_cache import StoryFeatures, kept_features
from brainwavlm.speech.features import heard_facts
from brainwavlm.speech.frontend_cache import SharedFrontend, frontend_output, kept_frames, window_batches
from brainwavlm.speech.frontend_file import sound_and_frontend
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.stimulus.audio import SAMPLE_RATE, sound_facts
from brainwavlm.stimulus.features.units import Units
from brainwavlm.stimulus.windows import Windows, cut_windows

_FORMAT = "1"
Vectors = dict[int, dict[str, np.ndarray]]  # by hidden state and kind of unit, (n_units, n_dims)


def heard_frames(
    backbone: Backbone, windows: Windows, stride: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each window the frames whose centre lies in its last stride, of the first window all.

    A moment is so heard once, with the whole context before it and next to nothing after it.

    Returns
    -------
    window, place : int arrays (n_frames,)
        Of each frame, in the order of time.
    times : float64 array (n_frames,)
        Its centre, seconds from sound onset.
    """
    hop, first = backbone.frame_grid
    counts = kept_frames(backbone, windows, WindowConfig())
    window = np.repeat(np.arange(len(windows)), counts)
    place = np.arange(len(window)) - np.repeat(np.cumsum(counts) - counts, counts)
    times = (windows.starts[window] + hop * place + first / 2) / SAMPLE_RATE
    kept = np.flatnonzero((times > windows.times[window] - stride) | (window == 0))
    kept = kept[np.argsort(times[kept], kind="stable")]
    return window[kept], place[kept], times[kept]


def mean_weights(times: np.ndarray, units: Units) -> Any:
    """Weights that make means of units from frames, sparse (n_units, n_frames).

    w[u, t] = 1 / n[u] for the n[u] frames with starts[u] <= times[t] < ends[u]; a unit without one takes the nearest.
    """
    from scipy.sparse import csr_matrix

    first, last = (np.searchsorted(times, side) for side in (units.starts, units.ends))
    after = np.clip(np.searchsorted(times, units.middles), 1, len(times) - 1)
    nearest = after - (units.middles - times[after - 1] <= times[after] - units.middles)
    first = np.where(first == last, nearest, first)
    counts = np.maximum(last - first, 1)
    starts = np.concatenate([[0], np.cumsum(counts)])
    columns = np.arange(starts[-1]) - np.repeat(starts[:-1] - first, counts)
    return csr_matrix((np.repeat(1 / counts, counts), columns, starts), (len(units), len(times)))


def unit_vectors(
    backbone: Backbone,
    sound: Tensor,
    windows: Windows,
    config: WindowConfig,
    units: Mapping[str, Units],
    frontend: Sequence[Tensor] | None = None,
) -> Vectors:
    """Means over frames of all the backbone's hidden states, in one pass over the windows of a sound, in eval mode.

    Windows are those of the configuration, also where it would read a stream. No more than a batch's frames are kept.

    Parameters
    ----------
    backbone : Backbone
    sound : tensor (n_samples,)
        16 kHz.
    windows : Windows
    config : WindowConfig
        By which they were cut.
    units : mapping of str to Units
    frontend
        As in `read_windows`.

    Returns
    -------
    dict of layer to dict of the names of `units` to array (n_units, n_dims) float32
    """
    from scipy.sparse import vstack

    window, place, times = heard_frames(backbone, windows, config.stride)
    weights = vstack([mean_weights(times, some) for some in units.values()], format="csc")
    sums = {layer: np.zeros((weights.shape[0], backbone.n_dims), np.float32) for layer in backbone.layers}
    training = backbone.training
    backbone.eval()
    if config.frontend == "shared" and frontend is None:
        frontend = SharedFrontend(backbone, sound, windows)
    for chosen in window_batches(backbone, windows, np.arange(len(windows))):
        columns = np.flatnonzero(np.isin(window, chosen))
        part = weights[:, columns].tocsr()
        rows = np.flatnonzero(np.diff(part.indptr))
        at = np.searchsorted(chosen, window[columns]), place[columns]
        with torch.no_grad():
            states = backbone.trunk(frontend_output(backbone, sound, windows, chosen, frontend))
        for layer, state in states.items():
            sums[layer][rows] += part[rows] @ state[at].float().cpu().numpy()
    backbone.train(training)
    return _by_unit(sums, units)


def cached_unit_vectors(
    backbone: Backbone,
    story: Story,
    config: WindowConfig,
    units: Mapping[str, Units],
    folder: str | Path | None,
    frontends: str | Path | None = None,
) -> Vectors:
    """`unit_vectors` of a story, read from a folder when it is there and written there when it is not; None: neither.

    The file's name is the SHA-256 of all that the vectors depend on; see `features.cached`, also for `frontends`.
    """
    cut = config.model_copy(update={"mode": "windows"})

    def made() -> StoryFeatures:
        n_samples = sound_facts(story.audio, story.channel).n_samples
        windows = cut_windows(n_samples, cut, backbone.min_samples)
        sound, frontend = sound_and_frontend(backbone, story.audio, windows, cut, frontends, story.channel)
        vectors = unit_vectors(backbone, sound, windows, config, units, frontend)
        layers = {layer: np.concatenate(list(some.values())) for layer, some in vectors.items()}
        return StoryFeatures(np.concatenate([some.middles for some in units.values()]), layers)

    if folder is None:
        return _by_unit(made().layers, units)
    edges = np.concatenate([side for some in units.values() for side in (some.starts, some.ends)])
    facts = {
        "format": f"units {_FORMAT}",
        **heard_facts(backbone, story.audio, config, story.channel),
        "units": {name: len(some) for name, some in units.items()},
        "edges": hashlib.sha256(edges.tobytes()).hexdigest(),
    }
    return _by_unit(kept_features(folder, facts, made).layers, units)


def _by_unit(layers: Mapping[int, np.ndarray], units: Mapping[str, Units]) -> Vectors:
    ends = np.cumsum([len(some) for some in units.values()])
    return {
        layer: dict(zip(units, np.split(vectors, ends[:-1]), strict=True))
        for layer, vectors in layers.items()
    }
