"""Each listener's side of the tuning loop: their readout, what trains it and what scores it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from brainwavlm.config import RunConfig
from brainwavlm.encoding.losses import require_finite, temporal, without_gaps
from brainwavlm.encoding.prepared_stories import planned_clock
from brainwavlm.encoding.readout import FixedRidge
from brainwavlm.encoding.ridge import require_memory, story_folds
from brainwavlm.encoding.run_model import configured_readouts, predict, require_rows, solve_readout
from brainwavlm.encoding.story_loader import StoryLoader
from brainwavlm.encoding.subjects import Listener
from brainwavlm.speech.backbones import Backbone


@dataclass(frozen=True)
class Side:
    """One listener in the loop.

    Attributes
    ----------
    listener : Listener
    readout : Module
        That of this listener, or the one that all share.
    weights : tensor (n_voxels,) or None
        Of the voxels in the loss.
    lengths : dict of str to int
        TRs of the training recordings, by their name in the run.
    validated : list of str
        Validation recordings.
    """

    listener: Listener
    readout: torch.nn.Module
    weights: torch.Tensor | None
    lengths: dict[str, int]
    validated: list[str]

    def validation_r(
        self, backbone: Backbone, loader: StoryLoader, config: RunConfig, where: tuple[str, Path]
    ) -> float | None:
        """Mean over voxels of the correlation over all rows of the validation stories; None without any."""
        true, predicted = [], []
        for prepared in loader.each(self.validated):
            rows = _scored_rows(len(prepared.responses), config.quirks.validation_rows)
            true.append(prepared.responses[rows])
            predicted.append(predict(backbone, self.readout, prepared, config)[rows])
            require_finite(predicted[-1], *where)
        return -float(temporal(torch.cat(predicted), without_gaps(torch.cat(true)))) if true else None


def tuned_subjects(
    listeners: Sequence[Listener], backbone: Backbone, config: RunConfig, device: torch.device
) -> list[Side]:
    """The listeners with their untrained readouts, drawn from torch's generator.

    Raises
    ------
    ConfigError, DatasetError, AlignmentError
        A recording does not fit its sound, or the delays; a closed-form readout cannot be solved as configured.
    """
    readouts = configured_readouts(config, backbone, [one.targets.n_targets for one in listeners])
    sides = []
    for listener, readout in zip(listeners, readouts, strict=True):
        require_rows(config, listener.data.splits["train"])
        for recording in listener.data.recordings.values():
            planned_clock(recording, config, backbone.min_samples)  # raises what does not fit
        weights = listener.data.voxel_weights(config.loss, device)
        lengths = {key: recording.shape[0] for key, recording in listener.keys("train").items()}
        validated = list(listener.keys("validation"))
        sides.append(Side(listener, readout.to(device), weights, lengths, validated))
    for readout, lengths in _closed_form(sides, config):
        rows = np.repeat(list(lengths), list(lengths.values()))
        story_folds(rows, config.ridge.folds)
        require_memory((len(rows), len(readout.weights)), config.ridge)
    return sides


def solve_readouts(sides: Sequence[Side], backbone: Backbone, loader: StoryLoader, config: RunConfig) -> None:
    """Put the ridge solution on the present features into closed-form readouts; others are left alone."""
    for readout, lengths in _closed_form(sides, config):
        solve_readout(readout, backbone, loader, sorted(lengths), config)


def _closed_form(sides: Sequence[Side], config: RunConfig) -> Iterator[tuple[FixedRidge, dict[str, int]]]:
    """Readouts that ridge solves, each with the lengths of the recordings that it is fitted on."""
    shared = config.readout.shared
    for side in sides[:1] if shared else sides:
        if isinstance(side.readout, FixedRidge):
            fitted = sides if shared else [side]
            yield side.readout, {key: rows for one in fitted for key, rows in one.lengths.items()}


def _scored_rows(n_trs: int, first_of_500: int | None) -> np.ndarray:
    rows = np.arange(n_trs)
    return rows if first_of_500 is None else rows[rows % 500 < first_of_500]
