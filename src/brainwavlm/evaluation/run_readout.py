"""A run's own readout, without a fit: its score, what it says in other listeners, and when after a sound it listens."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.joint import surface_places
from brainwavlm.encoding.run_data import run_data
from brainwavlm.encoding.run_model import tuned_readout
from brainwavlm.evaluation.ridge_predictions import responses_of
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.evaluation.transfer_cells import TransferCell
from brainwavlm.runs.run import Run
from brainwavlm.speech.features import StoryFeatures


def readout_r(
    run: Run, readout: torch.nn.Module, plan: ScoringPlan, features: Mapping[str, StoryFeatures]
) -> np.ndarray:
    """Test correlation of a run's own readout, (n_voxels,); NaN outside the run's voxels, or where it has none."""
    r = np.full(len(plan.data.voxels), np.nan)
    if run.config.control.has_voxels:
        columns = np.flatnonzero(run.voxels)
        designs = plan.designs(features, plan.held_out, run.config.quirks)
        predicted = _read_out(readout, designs, plan.held_out)
        r[columns] = correlation(responses_of(plan.held_out, columns), predicted)
    return r


def _read_out(
    readout: torch.nn.Module, designs: Mapping[str, np.ndarray], recordings: Sequence[Recording]
) -> np.ndarray:
    """What a readout predicts of some stories, (n_rows, n_outputs)."""
    readout.eval().cpu()
    with torch.no_grad():
        predicted = [readout(torch.from_numpy(designs[one.story.name])).numpy() for one in recordings]
    return np.concatenate(predicted)


def readout_prediction(cell: TransferCell, designs: Mapping[str, np.ndarray], n_dims: int) -> np.ndarray:
    """What the readout of a run predicts in the listener of a cell, (n_rows, n_kept); NaN where it says nothing.

    `designs` (n_trs, n_delays * n_dims) are those of the run's speech model in this listener, by story.
    """
    run, scored = cell.run, cell.plan.columns
    predicted = np.full((len(cell.plan.story_of_row), len(scored)), np.nan, np.float32)
    # Read at another layer than the run's there is nothing to read out.
    if cell.plan.config.backbone.layer != run.config.backbone.layer or not run.config.control.has_voxels:
        return predicted
    own = next((one for one in run.sides if _same_listener(one, cell)), None)
    if own is not None:
        _, outputs, kept = np.intersect1d(np.flatnonzero(own.voxels), scored, return_indices=True)
    else:
        outputs, kept = _same_vertices(run, cell, scored)
    if len(kept):
        readout = tuned_readout(own or run, n_dims)
        predicted[:, kept] = _read_out(readout, designs, cell.plan.held_out)[:, outputs]
    return predicted


def _same_listener(side: Run, cell: TransferCell) -> bool:
    return (side.config.dataset, side.config.subject) == (cell.plan.config.dataset, cell.plan.config.subject)


def _same_vertices(run: Run, cell: TransferCell, columns: np.ndarray) -> np.ndarray:
    """Outputs of the run's one readout, and the listener's scored voxels, at the same vertices of one surface."""
    none = np.empty((2, 0), int)
    if run.config.joint and not run.config.readout.shared:
        return none  # several readouts, none of which is this listener's
    first = run_data(run.config)
    tuned, scored = first.subject, cell.plan.data.subject
    if tuned.surface != scored.surface or first.dataset.tr != cell.plan.data.dataset.tr:
        return none
    theirs, ours = surface_places(tuned, run.voxels), surface_places(scored, columns)
    if theirs is None or ours is None:
        return none
    output = {place: number for number, place in enumerate(theirs)}
    pairs = [(output[place], number) for number, place in enumerate(ours) if place in output]
    return np.array(pairs).T if pairs else none


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
    about: Mapping[str, Any], run: Run, readout: torch.nn.Module, tr: float
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


def readout_weights(readout: torch.nn.Module) -> list[np.ndarray]:
    """A readout's linear maps from the design matrix on, (n_out, n_in) each."""
    state = {name: value.numpy() for name, value in readout.state_dict().items()}
    if "weights" in state:  # solved in closed form
        return [state["weights"].T]
    return [state[name] for name in ("compress.weight", "expand.weight") if name in state]
