"""When after a sound a readout listens: the norm of its weights by delay, from the run's own checkpoint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.errors import BrainwavlmError
from brainwavlm.reporting.page.provenance import run_behind
from brainwavlm.runs.run import Run

NOT_HERE = "the run's folder is not where the evaluation found it"


def delay_norms(weights: Sequence[np.ndarray], n_delays: int) -> np.ndarray:
    """n[v, k] = | (W_m ... W_1)[v, columns of delay k] |, the norm of a voxel's weights at each delay.

    The product of the maps is never formed: for W_2 W_1 the squared norm is w^T (C_k C_k^T) w, with w a row of W_2 and
    C_k the columns of W_1 that belong to delay k.

    Parameters
    ----------
    weights : sequence of one or two arrays
        From the design matrix on: (width, n_delays * n_dims) and (n_voxels, width), or one (n_voxels, n_columns).
        Columns are delay-major.
    n_delays : int

    Returns
    -------
    array (n_voxels, n_delays), float64
    """
    first = np.asarray(weights[0], dtype=np.float64).reshape(len(weights[0]), n_delays, -1)
    if len(weights) == 1:
        return np.sqrt((first**2).sum(axis=2))
    last = np.asarray(weights[1], dtype=np.float64)
    squares = [
        np.einsum("vi,vi->v", last @ (first[:, k] @ first[:, k].T), last) for k in range(first.shape[1])
    ]
    return np.sqrt(np.maximum(np.stack(squares, axis=1), 0))


def delay_profile(entry: Mapping[str, Any], config: RunConfig) -> tuple[dict[str, list[float]], str]:
    """Share of each delay in the readout's weights, and why there is none.

    Parameters
    ----------
    entry : mapping
        An entry of `runs` in summary.json.
    config : RunConfig

    Returns
    -------
    profile : dict
        seconds (n_delays,), and mean, low and high over voxels: median and quartiles of each voxel's norms, which
        add up to 1 a voxel. Empty where there is none.
    reason : str
        Part of a sentence; empty where there is a profile.
    """
    delays = config.alignment.delays
    if entry["best"] is None or "checkpoint" not in entry["best"]:
        return {}, "no epoch was kept"
    try:
        run = run_behind(entry, config)
        if run is None:
            return {}, "another run is in its folder now"
        if config.readout.shared and run.listener:
            return {}, f"its readout is that of {run.listeners[0]}"
        weights = _readout(run, entry["best"]["checkpoint"])
    except (BrainwavlmError, OSError):
        return {}, NOT_HERE
    if not weights or weights[0].shape[1] % len(delays):
        return {}, f"a readout of kind {config.readout.kind} is not kept as weights by delay"
    norms = delay_norms(weights, len(delays))
    total = norms.sum(axis=1, keepdims=True)
    share = norms[total[:, 0] > 0] / total[total[:, 0] > 0]
    if not len(share):
        return {}, "all its weights are zero"
    low, middle, high = np.percentile(share, [25, 50, 75], axis=0)
    seconds = [delay * float(entry["frozen"]["tr"]) for delay in delays]
    return {
        "seconds": seconds,
        "median": middle.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
    }, ""


def _readout(run: Run, checkpoint: str) -> list[np.ndarray]:
    """The listener's maps from the design matrix on; none where the readout is of another kind."""
    from safetensors import SafetensorError, safe_open

    path = run.path / "checkpoints" / Path(checkpoint).name / "model.safetensors"
    own = f"readout.{run.listener}" if run.config.joint and not run.config.readout.shared else "readout"
    try:
        with safe_open(path, "np") as file:
            there = set(file.keys())
            if f"{own}.weights" in there:
                return [file.get_tensor(f"{own}.weights").T]
            names = [f"{own}.{part}.weight" for part in ("compress", "expand")]
            return [file.get_tensor(name) for name in names if name in there]
    except SafetensorError as error:
        raise OSError(str(error)) from None
