"""Readouts that ridge solves in closed form, on the present features, in place of gradient steps."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.encoding.readout import FixedRidge
from brainwavlm.encoding.ridge import require_memory, ridge_batches
from brainwavlm.encoding.story_loader import StoryLoader
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.encoding.subjects import TunedSubject
from brainwavlm.speech.hidden_states import Backbone


def require_solvable(subjects: Sequence[TunedSubject], n_dims: int, config: RunConfig) -> None:
    """ConfigError where the rows of a readout that ridge solves make no folds, or do not fit into memory."""
    fitted = [lengths for _, lengths in _closed_form(subjects, config)]
    fitted += [subject.lengths for subject in subjects] if config.quirks.epoch_by_ridge else []
    for lengths in fitted:
        rows = np.repeat(list(lengths), list(lengths.values()))
        story_folds(rows, config.ridge.folds)
        require_memory((len(rows), n_dims * len(config.alignment.delays)), config.ridge)


def solve_readouts(
    subjects: Sequence[TunedSubject], backbone: Backbone, loader: StoryLoader, config: RunConfig
) -> None:
    """Put the ridge solution on the present features into closed-form readouts; others are left alone."""
    for readout, lengths in _closed_form(subjects, config):
        _solve(readout, backbone, loader, sorted(lengths), config)


def with_ridge(
    subject: TunedSubject, backbone: Backbone, loader: StoryLoader, config: RunConfig
) -> TunedSubject:
    """The subject as quirks.epoch_by_ridge scores them: ridge on the present features for a readout, all rows."""
    n_columns = backbone.n_dims * len(config.alignment.delays)
    readout = FixedRidge(n_columns, subject.targets.n_targets).to(loader.device)
    _solve(readout, backbone, loader, sorted(subject.lengths), config)
    quirks = subject.config.quirks.model_copy(update={"validation_rows": None})
    return replace(subject, readout=readout, config=subject.config.model_copy(update={"quirks": quirks}))


def _solve(
    readout: FixedRidge, backbone: Backbone, loader: StoryLoader, stories: Sequence[str], config: RunConfig
) -> None:
    backbone.eval()
    designs = [story.story_design(backbone, config).cpu().numpy() for story in loader.each(stories)]
    story_of_row = np.repeat(np.arange(len(stories)), [len(design) for design in designs])

    def read(columns: slice) -> np.ndarray:
        parts = [loader[story].responses[:, columns].float().cpu().numpy() for story in stories]
        return np.concatenate(parts)

    n_voxels, device = readout.weights.shape[1], str(loader.device)
    batches = ridge_batches(np.concatenate(designs), read, n_voxels, story_of_row, config.ridge, device)
    readout.refresh(np.concatenate([batch.weights for batch in batches], axis=1))


def _closed_form(
    subjects: Sequence[TunedSubject], config: RunConfig
) -> Iterator[tuple[FixedRidge, dict[str, int]]]:
    """Readouts that ridge solves, each with the lengths of the recordings that it is fitted on."""
    shared = config.readout.shared
    for subject in subjects[:1] if shared else subjects:
        if isinstance(subject.readout, FixedRidge):
            fitted = subjects if shared else [subject]
            yield subject.readout, {key: rows for one in fitted for key, rows in one.lengths.items()}
