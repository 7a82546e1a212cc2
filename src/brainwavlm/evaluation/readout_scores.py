"""A run's own readout, without a fit: on its own voxels, and in a listener of a transfer on the same surface."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.joint import surface_places
from brainwavlm.encoding.run_data import run_data
from brainwavlm.encoding.run_model import tuned_model
from brainwavlm.evaluation.ridge_predictions import responses_of
from brainwavlm.evaluation.scores import correlation, mean_over
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


@dataclass(frozen=True)
class ReadoutPrediction:
    """What a run's readout predicts of a listener's test stories, (n_rows, n_predicted), and of which scored voxels."""

    kept: np.ndarray
    predicted: np.ndarray

    def means(
        self, true: np.ndarray, rows: np.ndarray, masks: Mapping[str, np.ndarray]
    ) -> dict[str, tuple[float, int]]:
        """Mean correlation over those voxels of each target that it predicts, and how many these are.

        Of responses (n_rows, n_kept), over the rows that count, (n_rows,), and targets, (n_kept,).
        """
        r = np.full(true.shape[1], np.nan)
        r[self.kept] = correlation(true[rows][:, self.kept], self.predicted[rows])
        return {name: (mean_over(r, mask), int((mask & ~np.isnan(r)).sum())) for name, mask in masks.items()}


def readout_prediction(cell: TransferCell, designs: Mapping[str, np.ndarray]) -> ReadoutPrediction | None:
    """The readout of a run in the listener of a cell; None where it says nothing of this listener's voxels.

    `designs` (n_trs, n_columns) are those of the run's speech model in this listener, by story.
    """
    run, scored = cell.run, cell.plan.columns
    if cell.plan.config.backbone.layer != run.config.backbone.layer or not run.config.control.has_voxels:
        return None
    own = next((one for one in run.sides if _same_listener(one, cell)), None)
    if own is not None:
        position = {column: number for number, column in enumerate(scored)}
        columns = np.flatnonzero(own.voxels)
        pairs = [(n, position[column]) for n, column in enumerate(columns) if column in position]
    else:
        pairs = _same_vertices(run, cell, scored)
    if not pairs:
        return None
    outputs, kept = (np.array(part) for part in zip(*pairs, strict=True))
    readout = tuned_model(own or run)[1]
    return ReadoutPrediction(kept, _read_out(readout, designs, cell.plan.held_out)[:, outputs])


def _same_listener(side: Run, cell: TransferCell) -> bool:
    return (side.config.dataset, side.config.subject) == (cell.plan.config.dataset, cell.plan.config.subject)


def _same_vertices(run: Run, cell: TransferCell, columns: np.ndarray) -> list[tuple[int, int]]:
    """Outputs of the run's one readout, and the listener's scored voxels, at the same vertices of one surface."""
    if run.config.joint and not run.config.readout.shared:
        return []  # several readouts, none of which is this listener's
    first = run_data(run.config)
    tuned, scored = first.subject, cell.plan.data.subject
    if tuned.surface != scored.surface or first.dataset.tr != cell.plan.data.dataset.tr:
        return []
    theirs, ours = surface_places(tuned, run.voxels), surface_places(scored, columns)
    if theirs is None or ours is None:
        return []
    output = {place: number for number, place in enumerate(theirs)}
    return [(output[place], number) for number, place in enumerate(ours) if place in output]
