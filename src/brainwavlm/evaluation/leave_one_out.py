"""p of scores that leave out each story in turn: ridge is fitted anew on responses that were turned in time.

With leave-one-out the responses to each story trained the predictions of the others. Turning finished predictions, as
is right for test stories, breaks that tie for the null alone, which comes out too narrow: 11 to 13 % of voxels without
signal reached p <= .05 (benchmarks/false_positives.py). Here each draw turns the responses of every story by an offset
of its own, and everything is fitted again, penalties too. The designs do not change, so each is decomposed once.
"""

import numpy as np

from brainwavlm.compute import device_of
from brainwavlm.encoding.alignment import zscored
from brainwavlm.encoding.gram_ridge import GramRidge
from brainwavlm.encoding.ridge import fixed_bytes, ridge_solver
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.ridge_predictions import stories_of_rows
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.scoring_plan import Designs, Fit, FitDesigns, ScoringPlan
from brainwavlm.evaluation.statistics.permutation_test import Null, PermutationTest, batches, stories_of
from brainwavlm.evaluation.statistics.tests import correlation_test
from brainwavlm.progress import Progress


def chance_test(
    plan: ScoringPlan,
    designs: FitDesigns,
    true: np.ndarray,
    predicted: np.ndarray,
    progress: Progress,
    block_rows: int | None = None,
) -> PermutationTest:
    """The test of r[v] = correlation(true, predicted) against chance, for responses z-scored within each story.

    With leave-one-out against the same after fitting to turned responses, all offsets allowed; else `correlation_test`.
    Arrays are (n_rows, n_kept), designs (n_trs, n_columns) by story, or a function from a Fit to such a mapping.
    ConfigError: leave-one-out, and the decompositions of all fits take more than ridge.memory_gb.
    """
    if not plan.leave_one_out:
        about = plan.story_of_row, plan.config.evaluation, plan.config.seed, plan.masks
        return correlation_test(true, predicted, *about, block_rows)
    config, n_draws = plan.config, plan.config.evaluation.shifts
    rows_of = dict(stories_of(plan.story_of_row))
    solvers = _solvers(plan, designs)
    generator = np.random.default_rng(config.seed)
    offsets = {
        name: generator.integers(0, rows.stop - rows.start, size=n_draws) for name, rows in rows_of.items()
    }
    unchanged = ~np.any(list(offsets.values()), axis=0)  # of more offsets than a tail needs
    null = Null(n_draws, true.shape[1], "greater", plan.masks, unchanged=unchanged)
    parts = list(batches(true.shape[1], 16 * n_draws * len(true)))
    for columns in progress.over(parts, "Fitting again to responses that are turned in time"):
        responses = np.concatenate(
            [turned(true[rows, columns], offsets[name]) for name, rows in rows_of.items()]
        )
        again = np.empty_like(responses)
        for fit, solver, held_out in solvers:
            fitted = np.concatenate([responses[rows_of[recording.story.name]] for recording in fit.fitted])
            _, weights, _ = solver.solve(fitted)
            for recording in fit.held_out:
                name = recording.story.name
                again[rows_of[name]] = zscored(held_out[name] @ weights)
        r = correlation(responses, again).reshape(n_draws, -1)
        null.add(columns, correlation(true[:, columns], predicted[:, columns]), r)
    return null.test()


def _solvers(plan: ScoringPlan, designs: FitDesigns) -> list[tuple[Fit, GramRidge, Designs]]:
    ridge, device = plan.config.ridge, device_of(plan.config).type
    needed = 0.0
    solvers: list[tuple[Fit, GramRidge, Designs]] = []
    for fit, of_fit in plan.with_designs(designs):
        design = np.concatenate([of_fit[recording.story.name] for recording in fit.fitted])
        needed += fixed_bytes(design.shape, ridge) / 1e9
        if needed > ridge.memory_gb:
            raise ConfigError(
                "ridge.memory_gb",
                f"{ridge.memory_gb:g} GB, for {len(plan.fits)} fits of {len(design):,} rows that are kept for p.",
                "room for all of them at once.",
                "Raise it, or score test stories instead of leaving out each story.",
            )
        held_out = {recording.story.name: of_fit[recording.story.name] for recording in fit.held_out}
        solvers.append((fit, ridge_solver(design, stories_of_rows(fit.fitted), ridge, device), held_out))
    return solvers


def turned(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """A story's responses (n_rows, n) turned by each offset, (n_rows, n_offsets * n), offset-major."""
    rows = (np.arange(len(values))[:, None] - offsets) % len(values)
    return values[rows].reshape(len(values), -1)
