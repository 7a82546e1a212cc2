"""A run's own readout, without a fit: on its own voxels, and in a listener of a transfer on the same surface."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.joint import surface_places
from brainwavlm.encoding.run_data import run_data
from brainwavlm.encoding.run_model import tuned_model
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


def readout_prediction(cell: TransferCell, designs: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the readout of a run predicts in the listener of a cell, (n_rows, n_kept); NaN where it says nothing.

    `designs` (n_trs, n_columns) are those of the run's speech model in this listener, by story.
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
        readout = tuned_model(own or run)[1]
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
