"""What a score needs: which stories are fitted and predicted, their clocks, the voxels and the targets.

A plan is made from headers of files alone, before any story goes through a speech model, which may take hours: what is
known to go wrong goes wrong there. The same object then turns features into predictions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from brainwavlm.compute import device_of
from brainwavlm.config import QuirksConfig, RunConfig
from brainwavlm.datasets.responses import Recording, Split
from brainwavlm.encoding.alignment import zscored
from brainwavlm.encoding.clock import StoryClock
from brainwavlm.encoding.prepared_stories import planned_windows, recording_clock
from brainwavlm.encoding.ridge import Penalties, RidgeBatch, require_memory, ridge_batches
from brainwavlm.encoding.run_data import RunData
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.encoding.targets import masks_within, target_masks
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.ridge_predictions import RidgePredictions, responses_of, stories_of_rows
from brainwavlm.evaluation.statistics.permutation_test import stories_of
from brainwavlm.evaluation.statistics.tests import require_null
from brainwavlm.speech.features import StoryFeatures
from brainwavlm.speech.hidden_states import Backbone

Designs = Mapping[str, np.ndarray]


class ModelSize(NamedTuple):
    """What is asked of a speech model before it reads: dimensions of a state, shortest window in samples, blocks."""

    n_dims: int
    min_samples: int
    n_blocks: int = 0


class Fit(NamedTuple):
    """Stories that ridge is fitted on, and stories that it then predicts."""

    fitted: Sequence[Recording]
    held_out: Sequence[Recording]


# By story (n_trs, n_columns), the same for all fits or made for each.
FitDesigns = Designs | Callable[[Fit], Designs]


@dataclass(frozen=True)
class ScoringPlan:
    """Everything of a score that is known before features are read; `of` raises what can go wrong.

    Clocks are made again where features are: their matrices, some 8 MB a story, would stay in memory.

    Attributes
    ----------
    data : RunData
    config : RunConfig
    fits : tuple of Fit
        One for all test stories, or one for each story that is left out.
    leave_one_out : bool
        Each story is predicted from all others, and predictions are z-scored within it: for data sets too small for a
        test split.
    reused : Penalties or None
        Penalties to use again at the configured state; None: chosen for the features at hand.
    """

    data: RunData
    config: RunConfig
    fits: tuple[Fit, ...]
    leave_one_out: bool = False
    reused: Penalties | None = None

    @classmethod
    def of(
        cls,
        data: RunData,
        config: RunConfig,
        model: ModelSize | Backbone,
        leave_one_out: bool = False,
        tested: bool = True,
    ) -> "ScoringPlan":
        """The plan of a configuration on its data.

        Parameters
        ----------
        data : RunData
            Its voxels are those to score.
        config : RunConfig
            Its alignment, windows, ridge and evaluation.
        model : Backbone or ModelSize
        leave_one_out : bool
        tested : bool
            Whether correlations will be tested against chance, so that the null has to exist.

        Raises
        ------
        AlignmentError
            A TR without a window within reach.
        ConfigError
            No held-out story, or none to fit; too few rows for the folds or the null; too little memory.
        """
        plan = cls(data, config, _fits(data.splits, leave_one_out), leave_one_out)
        for recording in data.recordings.values():
            plan.clock(recording, planned_windows(recording, config, model.min_samples).times)
        for fit in plan.fits:
            story_of_row = stories_of_rows(fit.fitted)
            story_folds(story_of_row, config.ridge.folds)
            require_memory((len(story_of_row), model.n_dims * len(config.alignment.delays)), config.ridge)
        if tested:
            require_null(plan.story_of_row, config.evaluation)
        return plan

    def fitted_on(self, stories: Sequence[Recording]) -> "ScoringPlan":
        """The plan with ridge fitted on some stories; the test stories stay."""
        return replace(self, fits=(Fit(stories, self.held_out),))

    @property
    def held_out(self) -> list[Recording]:
        """Stories that are predicted, in the order of the rows."""
        return [recording for fit in self.fits for recording in fit.held_out]

    @cached_property
    def story_of_row(self) -> np.ndarray:
        """Story of each predicted row, (n_rows,)."""
        return stories_of_rows(self.held_out)

    @cached_property
    def columns(self) -> np.ndarray:
        """Voxels that are scored, int (n_kept,)."""
        return np.flatnonzero(self.data.voxels)

    @cached_property
    def targets(self) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """Targets of the tables among the scored voxels, masks (n_kept,), and why others are missing.

        Those configured, the run's own, and the signal voxels where a ceiling is known; see `masks_within`.
        """
        evaluation, ceiling, whole = self.config.evaluation, self.data.ceiling, self.config.target
        signal = [f"ceiling>{evaluation.ceiling_floor:g}"] if ceiling is not None else []
        names = dict.fromkeys([*evaluation.targets, whole, *signal])
        masks, missing = target_masks(list(names), self.data.subject, ceiling)
        return masks_within(masks, whole, self.columns), missing

    @property
    def masks(self) -> dict[str, np.ndarray]:
        """Targets of the tables."""
        return self.targets[0]

    def clock(
        self, recording: Recording, window_times: np.ndarray, quirks: QuirksConfig | None = None
    ) -> StoryClock:
        """How windows of a story become rows of its design; with the quirks of tuning where they are given."""
        return recording_clock(recording, window_times, self.config.alignment, quirks)

    def designs(
        self,
        features: Mapping[str, StoryFeatures],
        recordings: Sequence[Recording] | None = None,
        quirks: QuirksConfig | None = None,
    ) -> dict[str, np.ndarray]:
        """Design matrix of every story, or of some, (n_trs, n_delays * n_dims), from the layer that is configured."""
        designs, layer = {}, self.config.backbone.layer
        for recording in self.data.recordings.values() if recordings is None else recordings:
            story = features[recording.story.name]
            designs[recording.story.name] = self.clock(recording, story.times, quirks).design(
                story.layers[layer]
            )
        return designs

    def ridge(self, designs: FitDesigns, shared: bool = True) -> RidgePredictions:
        """Fit ridge on some stories and predict others, from design matrices (n_trs, n_columns) by story.

        Without `shared` by ridge for each voxel alone.
        """
        rows_of = dict(stories_of(self.story_of_row))
        predicted = np.empty((len(self.story_of_row), len(self.columns)), np.float32)
        of_shared = np.empty_like(predicted) if shared else predicted[:, :0]
        alphas, reduced = np.empty((len(self.fits), len(self.columns))), []
        for number, (fit, some) in enumerate(self.with_designs(designs)):
            for batch in self.batches(fit, some, shared):
                alphas[number, batch.columns] = batch.alphas
                for name in (one.story.name for one in fit.held_out):
                    predicted[rows_of[name], batch.columns] = some[name] @ batch.weights
                    if batch.shared is not None:
                        of_shared[rows_of[name], batch.columns] = some[name] @ batch.shared
            reduced += [batch.reduced] if batch.reduced is not None else []
        for values in ([predicted, of_shared] if shared else [predicted]) if self.leave_one_out else []:
            for rows in rows_of.values():
                values[rows] = zscored(values[rows])
        return RidgePredictions(predicted, of_shared, alphas, tuple(reduced))

    def batches(self, fit: Fit, designs: Designs, shared: bool = False) -> Iterator[RidgeBatch]:
        """Ridge on the stories of a fit, some voxels at a time.

        Penalty and rank of the shared map are chosen on validation stories where some are fitted, as tuning fitted its
        features to the training stories; with leave-one-out on all, as each story has its own others.
        """
        fitted, columns = fit.fitted, self.columns
        story_of_row = stories_of_rows(fitted)
        validation = [] if self.leave_one_out else [one.story.name for one in self.data.splits["validation"]]
        untuned = np.isin(story_of_row, validation)
        return ridge_batches(
            np.concatenate([designs[one.story.name] for one in fitted]),
            lambda some: responses_of(fitted, columns[some]),
            len(columns),
            story_of_row,
            self.config.ridge,
            device_of(self.config).type,
            shared,
            self.reused,
            untuned if untuned.any() else None,
        )

    def true(self) -> np.ndarray:
        """Responses to the held-out stories, z-scored within each, (n_rows, n_kept)."""
        return responses_of(self.held_out, self.columns)

    def with_designs(self, designs: FitDesigns) -> Iterator[tuple[Fit, Designs]]:
        """Each fit with its designs, those of one fit at a time."""
        return ((fit, designs(fit) if callable(designs) else designs) for fit in self.fits)


def _fits(splits: Mapping[Split, Sequence[Recording]], leave_one_out: bool) -> tuple[Fit, ...]:
    """What is fitted and what is then predicted: once for the test stories, or once for each story.

    Training and validation stories are fitted together: tuning chose its epoch on the validation stories, so they are
    no test for tuned features, and frozen features get the same rows. Test stories are touched once, to score.
    """
    everything = [recording for split in ("train", "validation", "test") for recording in splits[split]]
    if leave_one_out:
        fits = tuple(Fit([other for other in everything if other is not one], [one]) for one in everything)
    else:
        fits = (Fit([*splits["train"], *splits["validation"]], splits["test"]),)
    n_held = sum(len(fit.held_out) for fit in fits)
    if not n_held or not fits[0].fitted:
        raise ConfigError(
            "splits",
            f"{n_held} stories to score, {len(fits[0].fitted) if fits else 0} to fit.",
            "at least one of each.",
            "Set test and train, or leave one out of two stories or more.",
        )
    return fits
