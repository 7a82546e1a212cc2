"""The tests that a configuration asks for: a correlation against chance, several listeners."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.config import EvaluationConfig
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.scores import unit
from brainwavlm.evaluation.statistics.block_permutation import (
    FEWEST_LISTENERS,
    VOXELS_AT_ONCE,
    block_permutation_p,
    least_block_p,
    least_paired_p,
    listener_sign_flip_p,
)
from brainwavlm.evaluation.statistics.permutation_test import (
    PermutationTest,
    circular_shift_p,
    n_offsets,
    stories_of,
)

LEVEL = 0.05
TAUS_OF_A_BLOCK, LEAST_BLOCK_ROWS = 7, 5


def correlation_test(
    true: np.ndarray,
    predicted: np.ndarray,
    story_of_row: np.ndarray,
    config: EvaluationConfig,
    seed: int,
    targets: Mapping[str, np.ndarray] | None = None,
    block_rows: int | None = None,
) -> PermutationTest:
    """r[v] = correlation(true, predicted) against `config.null`: stories turned, or cut into blocks in another order.

    Arrays and targets are those of `circular_shift_p`; `block_rows` is the length of blocks where it is known, else it
    is configured, or measured.
    """
    if config.null == "blocks":
        block_rows = block_rows or config.block_rows or measured_block_rows(true, predicted, story_of_row)
        require_null(story_of_row, config, block_rows)
        return block_permutation_p(true, predicted, story_of_row, config.shifts, seed, block_rows, targets)
    return circular_shift_p(true, predicted, story_of_row, config.shifts, seed, targets)


def measured_block_rows(true: np.ndarray, predicted: np.ndarray, story_of_row: np.ndarray) -> int:
    """Length of blocks that keep what neighbouring rows share: 7 tau, at least 5 TRs.

    tau = 1 + 2 sum_k rho(k), rho(k) the autocorrelation at lag k of the rows' contributions to r, a[t] b[t] with both
    centred, mean over voxels; the sum ends before the first rho below .05. Arrays are (n_rows, n_voxels), rows of a
    story consecutive and in order.
    """
    stories = [rows for _, rows in stories_of(story_of_row)]
    longest = max(rows.stop - rows.start for rows in stories)
    sums = np.zeros(max(longest // 4, 1))
    for start in range(0, true.shape[1], VOXELS_AT_ONCE):
        columns = slice(start, start + VOXELS_AT_ONCE)
        terms = unit(true[:, columns]) * unit(predicted[:, columns])
        terms = terms[:, ~np.isnan(terms).any(0)]
        terms -= terms.mean(0)
        for rows in stories:
            for lag in range(min(len(sums), rows.stop - rows.start)):
                part = terms[rows]
                sums[lag] += (part[: len(part) - lag] * part[lag:]).sum()
    if sums[0] == 0:
        return LEAST_BLOCK_ROWS
    rho = sums[1:] / sums[0]
    below = np.flatnonzero(rho < 0.05)
    tau = 1 + 2 * rho[: below[0] if len(below) else None].sum()
    return max(math.ceil(TAUS_OF_A_BLOCK * tau), LEAST_BLOCK_ROWS)


def require_null(story_of_row: np.ndarray, config: EvaluationConfig, block_rows: int | None = None) -> None:
    """ConfigError where the null is one of blocks, and no story (of each row: (n_rows,)) has two of them.

    `block_rows` is their length where the configuration leaves it to the data; None: not measured yet.
    """
    block_rows = config.block_rows or block_rows or 1
    if config.null == "blocks" and least_block_p(story_of_row, block_rows) == 1:
        raise ConfigError(
            "evaluation.block_rows",
            f"{block_rows}, and no scored story holds two such blocks: there is no other order of them.",
            "at most half the longest scored story.",
            "Set evaluation.block_rows lower, or evaluation.null=shifts.",
        )


def described_null(
    story_of_row: np.ndarray, config: EvaluationConfig, block_rows: int, leave_one_out: bool
) -> dict[str, Any]:
    """What summary.json says of the nulls: how they were drawn, and the smallest p of a mean that the rows allow."""
    blocks = config.null == "blocks" and not leave_one_out
    drawn = 1 / (config.shifts + 1)
    how = "each story turned by a random offset, all offsets allowed"
    if blocks:
        how = f"blocks of at least {block_rows} TRs in another order within each story"
    elif leave_one_out:
        how = "responses to each story turned by a random offset, and everything fitted again"
    return {
        "kind": "blocks" if blocks else "shifts",
        "n": config.shifts,
        "how": how,
        "block_rows": block_rows,
        "least_p": max(
            least_block_p(story_of_row, block_rows) if blocks else 1 / n_offsets(story_of_row), drawn
        ),
        "least_p_difference": max(least_paired_p(story_of_row, block_rows), drawn),
    }


def listener_rows(
    kinds: Mapping[str, Sequence[str]], table: Sequence[Mapping[str, Any]], config: EvaluationConfig
) -> list[dict[str, Any]]:
    """Over listeners: mean of what tuning changed and its one-sided sign-flip p, a row for each kind and target.

    The runs of one listener (seeds) are averaged first. p_max is corrected over the targets of the kind. Kinds of fewer
    than 5 listeners have no row: the table shows each listener. `kinds` are names of runs by the name of the kind, rows
    of `table` have run, subject, target and difference.
    """
    rows, frame = [], pd.DataFrame(table)
    for kind, runs in kinds.items():
        own = frame[frame["run"].isin(runs)].groupby(["subject", "target"])["difference"]
        by_listener = own.agg(lambda some: some.mean(skipna=False)).unstack().dropna(axis=1)
        if len(by_listener) < FEWEST_LISTENERS or by_listener.empty:
            continue
        gains = by_listener[[target for target in frame["target"].unique() if target in by_listener]]
        test = listener_sign_flip_p(gains.to_numpy(), config.shifts, 0)
        for number, target in enumerate(gains):
            rows.append(
                {
                    "kind": kind,
                    "target": target,
                    "n_listeners": len(gains),
                    "difference": float(test.statistic[number]),
                    "n_gain": int((gains[target] > 0).sum()),
                    "p": float(test.p[number]),
                    "p_max": float(test.p_max[number]),
                    "listeners": list(gains.index),
                }
            )
    return rows
