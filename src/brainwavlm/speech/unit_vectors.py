"""Vectors of stretches, phones and words: the mean over the frames of each, every frame heard in its context."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from brainwavlm.config import WindowConfig
from brainwavlm.datasets.responses import Story
from brainwavlm.speech.features import StoryFeatures, file_reader, kept_features, state_facts
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.speech.sound_reader import WindowReader
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.features.units import Units

_FORMAT = "1"
Vectors = dict[int, dict[str, np.ndarray]]  # by hidden state and kind of unit, (n_units, n_dims)


def heard_frames(reader: WindowReader) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each window the frames whose centre lies in its last stride, of the first window all.

    A moment is so heard once, with the whole context before it and next to nothing after it.

    Returns
    -------
    window, place : int arrays (n_frames,)
        Of each frame, in the order of time.
    times : float64 array (n_frames,)
        Its centre, seconds from sound onset.
    """
    hop, first = reader.backbone.frame_grid
    windows, counts = reader.windows, reader.n_frames
    window = np.repeat(np.arange(len(windows)), counts)
    place = np.arange(len(window)) - np.repeat(np.cumsum(counts) - counts, counts)
    times = (windows.starts[window] + hop * place + first / 2) / SAMPLE_RATE
    kept = np.flatnonzero((times > windows.times[window] - reader.config.stride) | (window == 0))
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


def unit_vectors(reader: WindowReader, units: Mapping[str, Units]) -> Vectors:
    """Means over frames of all the backbone's hidden states, in one pass over the windows of a sound, in eval mode.

    No more than a batch's frames are kept.

    Returns
    -------
    dict of layer to dict of the names of `units` to array (n_units, n_dims) float32
    """
    from scipy.sparse import vstack

    backbone = reader.backbone
    window, place, times = heard_frames(reader)
    weights = vstack([mean_weights(times, some) for some in units.values()], format="csc")
    sums = {layer: np.zeros((weights.shape[0], backbone.n_dims), np.float32) for layer in backbone.layers}
    with backbone.evaluating():
        for chosen in reader.batches(np.arange(len(reader.windows))):
            columns = np.flatnonzero(np.isin(window, chosen))
            part = weights[:, columns].tocsr()
            rows = np.flatnonzero(np.diff(part.indptr))
            at = np.searchsorted(chosen, window[columns]), place[columns]
            for layer, state in backbone.trunk(reader.frontend_output(chosen)).items():
                sums[layer][rows] += part[rows] @ state[at].float().cpu().numpy()
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

    Windows are those of the configuration, also where it would read a stream. The file's name is the SHA-256 of all
    that the vectors depend on; see `features.cached`, also for `frontends`.
    """
    cut = config.model_copy(update={"mode": "windows"})

    def made() -> StoryFeatures:
        reader = file_reader(backbone, story.audio, cut, story.channel, frontends)
        assert isinstance(reader, WindowReader)
        vectors = unit_vectors(reader, units)
        layers = {layer: np.concatenate(list(some.values())) for layer, some in vectors.items()}
        return StoryFeatures(np.concatenate([some.middles for some in units.values()]), layers)

    if folder is None:
        return _by_unit(made().layers, units)
    edges = np.concatenate([side for some in units.values() for side in (some.starts, some.ends)])
    facts = {
        "format": f"units {_FORMAT}",
        **state_facts(backbone, story.audio, config, story.channel),
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
