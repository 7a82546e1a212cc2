"""Pictures of one run beside its place in the brain: voxel by voxel, and how it learned."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.draw import Course, learning_curves
from brainwavlm.reporting.figures.draw_voxels import VoxelScores, difference_histogram, frozen_against_tuned
from brainwavlm.reporting.figures.style import Picture
from brainwavlm.results.evaluation import RunVoxels


def voxel_pictures(scores: RunVoxels, label: str, simulated: bool) -> list[Picture]:
    """A dot a voxel, frozen against tuned, and the histogram of the differences."""
    difference = scores.tuned - scores.frozen
    n, up, down = np.isfinite(difference).sum(), (difference > 0).sum(), (difference < 0).sum()
    return [
        (
            frozen_against_tuned(
                [VoxelScores(label, scores.frozen, scores.tuned, scores.groups())],
                capitalised(f"{label}: voxels"),
                simulated,
            ),
            f"Scatter plot, {label}: tuned against frozen test correlation of {n} voxels, {up} of them above "
            "the diagonal.",
        ),
        (
            difference_histogram(scores.frozen, scores.tuned, capitalised(f"{label}: change"), simulated),
            f"Histogram, {label}: difference in test correlation of {n} voxels, {up} up and {down} down.",
        ),
    ]


def learning_pictures(run: Mapping[str, Any], label: str) -> list[Picture]:
    """Loss and validation r by epoch; nothing for a run without epochs.

    Parameters
    ----------
    run : mapping
        An entry of `runs` in summary.json: `history`, `best`, `simulated`.
    label : str
    """
    if not run["history"]:
        return []
    best = run["best"]["epoch"] if run["best"] else None
    kept = f"; epoch {best} was kept" if best is not None else ""
    return [
        (
            learning_curves(
                [Course(label, run["history"], best)], capitalised(f"{label}: learning"), run["simulated"]
            ),
            f"Learning curves, {label}: training loss and validation correlation up to epoch "
            f"{run['history'][-1]['epoch']}{kept}.",
        )
    ]
