"""What so little data can and cannot tell, from numbers of stories, rows and voxels alone: said before anything is
tuned.

The smallest change of r that a test of n rows tells in a voxel (two-sided .05, with a chance of .8):

    D = 2.8 sqrt(2 (1 - rho) tau / n)        rho = .9 between the two predictions, tau = 1.4 TRs: rows like AR(1) of .4

Both predictions are unit vectors, so what differs between them has length sqrt(2 (1 - rho)), and its correlation with a
recording of n / tau independent rows spreads by that over sqrt(n / tau). docs/explanation/statistics.md.
"""

import math
from collections.abc import Iterator, Sequence

from brainwavlm.config import EvaluationConfig, RidgeConfig

CHANGE = 0.05
Z, SAME, TAU = 2.8, 0.9, 1.4
# Of evaluation.statistics, which asks for features first; a test holds both to the same.
LEVEL, FEWEST_STORIES, FEWEST_FOR_TAIL, BLOCK_AT_BEST = 0.05, 3, 100, 7


def smallest_change(n_rows: int) -> float:
    """D above."""
    return Z * math.sqrt(2 * (1 - SAME) * TAU / n_rows)


def rows_for(change: float) -> int:
    """Rows of the test with which D is that change."""
    return math.ceil(2 * (1 - SAME) * TAU * (Z / change) ** 2)


def amount_facts(
    fitted: Sequence[int],
    tested: Sequence[int],
    n_voxels: int,
    ridge: RidgeConfig,
    evaluation: EvaluationConfig,
) -> Iterator[str]:
    """What the numbers say of folds, intervals and tests; nothing where there is enough.

    Parameters
    ----------
    fitted, tested : sequences of int
        Rows of each story that ridge is fitted on (training and validation), and of each test story.
    n_voxels : int
        That are scored.
    ridge : RidgeConfig
    evaluation : EvaluationConfig
    """
    if len(fitted) == 1:
        yield (
            f"One story to fit on ({fitted[0]} rows): the {ridge.folds} folds that choose ridge's "
            "penalties are consecutive blocks of it, and what holds in other stories is not asked."
        )
    if not tested:
        return
    n_rows = sum(tested)
    if len(tested) < FEWEST_STORIES:
        yield (
            f"{len(tested)} test stor{'y' if len(tested) == 1 else 'ies'}, fewer than {FEWEST_STORIES}: "
            "intervals are over blocks of rows, and hold for these stories, not for others."
        )
    block = evaluation.block_rows or BLOCK_AT_BEST
    n_blocks = sum(max(rows // block, 1) for rows in tested)
    if n_blocks == 1:
        yield f"{n_rows} test rows are one block of {block}: no change can be tested, and it has no interval."
    shifts = math.prod(float(rows) for rows in tested)
    if evaluation.null == "blocks":
        shifts = math.prod(float(math.factorial(min(max(rows // block, 1), 20))) for rows in tested)
    for what, least in (("a prediction", 1 / shifts), ("a change", 2.0 ** (1 - n_blocks))):
        least_p = max(least, 1 / (evaluation.shifts + 1))
        needed = math.ceil(least_p * n_voxels / LEVEL)
        if least <= 1 / FEWEST_FOR_TAIL or needed <= 1 or n_blocks == 1:
            continue
        answer = (
            f"q < {LEVEL:g} needs {needed:,} of {n_voxels:,} voxels to have it"
            if needed <= n_voxels
            else (f"q < {LEVEL:g} cannot be reached in any of {n_voxels:,} voxels")
        )
        yield f"The test of {what} in a voxel gives no p below {least_p:.2g} on {n_rows} test rows: {answer}."
    if smallest_change(n_rows) > CHANGE:
        yield (
            f"{n_rows} test rows tell a change of r from about {smallest_change(n_rows):.2f} on in a voxel; one of "
            f"{CHANGE:g} cannot be told from this much data, and needs some {rows_for(CHANGE):,} rows."
        )
