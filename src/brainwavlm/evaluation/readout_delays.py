"""When after a sound a run's readout listens: the norm of its weights by delay."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from brainwavlm.runs.run import Run


def delay_norms(weights: Sequence[np.ndarray], n_delays: int) -> np.ndarray:
    """n[v, k] = | (W_m ... W_1)[v, columns of delay k] |: norm of a voxel's weights at a delay, (n_voxels, n_delays).

    The product of the maps is never formed: for W_2 W_1 the squared norm is w^T (C_k C_k^T) w, with w a row of W_2 and
    C_k the columns of W_1 that belong to delay k. `weights` are one or two maps from the design matrix on:
    (width, n_delays * n_dims) and (n_voxels, width), or one (n_voxels, n_columns); columns are delay-major.
    """
    first = np.asarray(weights[0], dtype=np.float64).reshape(len(weights[0]), n_delays, -1)
    if len(weights) == 1:
        return np.sqrt((first**2).sum(axis=2))
    last = np.asarray(weights[1], dtype=np.float64)
    squares = [
        np.einsum("vi,vi->v", last @ (first[:, k] @ first[:, k].T), last) for k in range(first.shape[1])
    ]
    return np.sqrt(np.maximum(np.stack(squares, axis=1), 0))


def delay_rows(
    about: Mapping[str, Any], run: Run, readout: nn.Module, tr: float
) -> tuple[list[dict[str, Any]], str]:
    """Rows of delays.csv for one run, a delay each: share of the readout's weights, median and quartiles over voxels.

    The norms of a voxel add up to 1 over its delays. `readout` is that of the best epoch, `tr` in seconds. Beside the
    rows why there is none, as part of a sentence; empty where there are some.
    """
    if run.config.readout.shared and run.listener:
        return [], f"its readout is that of {run.listeners[0]}"
    delays = run.config.alignment.delays
    norms = delay_norms(readout_weights(readout), len(delays))
    total = norms.sum(axis=1, keepdims=True)
    share = norms[total[:, 0] > 0] / total[total[:, 0] > 0]
    if not len(share):
        return [], "all its weights are zero"
    low, median, high = np.percentile(share, [25, 50, 75], axis=0)
    return [
        {**about, "seconds": delay * tr, "median": median[place], "low": low[place], "high": high[place]}
        for place, delay in enumerate(delays)
    ], ""


def readout_weights(readout: nn.Module) -> list[np.ndarray]:
    """A readout's linear maps from the design matrix on, (n_out, n_in) each."""
    state = {name: value.numpy() for name, value in readout.state_dict().items()}
    if "weights" in state:  # solved in closed form
        return [state["weights"].T]
    return [state[name] for name in ("compress.weight", "expand.weight") if name in state]
