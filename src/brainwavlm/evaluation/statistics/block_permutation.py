"""Tests by permutation, voxel by voxel: blocks within stories, paired blocks, listeners; corrected over voxels.

All return one result: what was measured, its p a voxel, and its p against the largest value of all voxels. Rows are
exchanged in blocks, because neighbouring rows resemble each other; blocks have to be several times as long as that
resemblance (`tests.measured_block_rows`). Shares of p <= .05 where nothing is there: benchmarks/false_positives.py.
"""

import math
from collections.abc import Mapping
from itertools import pairwise, product

import numpy as np

from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.scores import unit
from brainwavlm.evaluation.statistics.permutation_test import Null, PermutationTest, stories_of

FEWEST_LISTENERS = 5
VOXELS_AT_ONCE = 512  # rows of a story times this stay in a core's cache
_MOST_EXACT = 12  # listeners: 4096 sign patterns, beyond that patterns are drawn


def block_permutation_p(
    true: np.ndarray,
    predicted: np.ndarray,
    story_of_row: np.ndarray,
    n_permutations: int,
    seed: int,
    block_rows: int,
    targets: Mapping[str, np.ndarray] | None = None,
) -> PermutationTest:
    """r_pi[v] = sum_t a[t, v] b[pi(t), v], a and b centred and of unit norm: correlation with blocks in another order.

    pi cuts each story's rows into blocks and puts them in a random order without replacement, within the story and
    the same for all voxels. One-sided: large r counts.

    true, predicted (n_rows, n_voxels); rows of a story are consecutive and in order. `block_rows` is the least length
    of a block in TRs; a story of fewer than two such blocks is one block, which cannot move. The mean correlation over
    each of `targets` (n_voxels,) is tested too.
    """
    generator = np.random.default_rng(seed)
    orders = np.stack(
        [_block_order(story_of_row, block_rows, generator) for _ in range(n_permutations)]
        or [np.empty(0, int)]
    )[:n_permutations]
    unchanged = (orders == np.arange(len(true))).all(1)
    least_p = least_block_p(story_of_row, block_rows)
    null = Null(n_permutations, true.shape[1], "greater", targets, unchanged=unchanged, least_p=least_p)
    for start in range(0, true.shape[1], VOXELS_AT_ONCE):
        columns = slice(start, start + VOXELS_AT_ONCE)
        a, b = (unit(values[:, columns]).astype(np.float32) for values in (true, predicted))
        values = np.empty((n_permutations, a.shape[1]), np.float32)
        for order, row in zip(orders, values, strict=True):
            np.einsum("tv,tv->v", a, b[order], out=row)
        null.add(columns, np.einsum("tv,tv->v", a, b), values)
    return null.test()


def paired_block_p(
    true: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    story_of_row: np.ndarray,
    n_permutations: int,
    seed: int,
    block_rows: int,
    targets: Mapping[str, np.ndarray] | None = None,
) -> PermutationTest:
    """T_s[v] = r(a, m_s) - r(a, m_s'), m_s: second's prediction, first's in the blocks that s swaps; m_s': the rest.

    Without swaps T = r_second - r_first; |T| counts. Both predictions are centred and of unit norm over all rows first.
    Where the models predict equally well, either could have made any block of either prediction; swaps are the same for
    all voxels. Correlations come from sums over blocks, so no rows are copied. Arrays, rows, blocks and targets are
    those of `block_permutation_p`.
    """
    blocks = [block for story in _blocks(story_of_row, block_rows) for block in story]
    kept = np.random.default_rng(seed).integers(0, 2, (n_permutations, len(blocks))).astype(np.float64)
    swapped = kept.sum(1)
    unchanged = (swapped == len(blocks)) | (swapped == 0)  # all blocks swapped: the same |T|
    least_p = least_paired_p(story_of_row, block_rows)
    null = Null(n_permutations, true.shape[1], "two-sided", targets, unchanged=unchanged, least_p=least_p)
    for start in range(0, true.shape[1], VOXELS_AT_ONCE):
        columns = slice(start, start + VOXELS_AT_ONCE)
        a, b1, b2 = (unit(values[:, columns]) for values in (true, first, second))
        sums = [
            np.stack([[of[rows].sum(0) for rows in blocks] for of in (a * b, b, b * b)]) for b in (b1, b2)
        ]
        mixed, rest = _swapped(sums, kept, len(true))
        null.add(columns, (a * b2).sum(0) - (a * b1).sum(0), mixed - rest)
    return null.test()


def listener_sign_flip_p(differences: np.ndarray, n_permutations: int, seed: int) -> PermutationTest:
    """T_s[v] = mean over listeners l of s_l x[l, v], s_l = +1 or -1; T with all signs +1. One-sided: large T counts.

    Listeners, not voxels or rows, are the sample: this says what to expect of further people. Up to 12 listeners all
    2^n sign patterns but the true one are the null, so that p is exact; its least value is 1 / 2^n, one-sided. For more
    `n_permutations` are drawn.

    x (n_listeners, n_values): what tuning changed, by listener and target, or vertex of a common surface. ConfigError
    below 5 listeners: p could not come below 1/16; show each listener instead.
    """
    x = np.asarray(differences, dtype=np.float64)
    if x.ndim != 2 or len(x) < FEWEST_LISTENERS:
        raise ConfigError(
            "listeners",
            f"an array {x.shape}: {len(x)} listeners.",
            f"{FEWEST_LISTENERS} listeners or more, (n_listeners, n_values).",
            "Show each listener by itself; signs of so few people cannot tell chance from effect.",
        )
    if len(x) <= _MOST_EXACT:
        signs = np.array(list(product([1.0, -1.0], repeat=len(x))))[1:]
    else:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], (n_permutations, len(x)))
    null = Null(len(signs), x.shape[1], "greater")
    for start in range(0, x.shape[1], VOXELS_AT_ONCE):
        columns = slice(start, start + VOXELS_AT_ONCE)
        null.add(columns, x[:, columns].mean(0), signs @ x[:, columns] / len(x))
    return null.test()


def _swapped(sums: list[np.ndarray], kept: np.ndarray, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of the mixture and of what it leaves, (n_permutations, n) each.

    sums: for both predictions (3, n_blocks, n) of a b, b and b squared; kept: 1 where the second stays.
    """
    changed = [kept @ (of_second - of_first) for of_first, of_second in zip(*sums, strict=True)]
    correlations = []
    for base, sign in ((sums[0], 1), (sums[1], -1)):
        covariance, mean, power = (
            of.sum(0) + sign * change for of, change in zip(base, changed, strict=True)
        )
        variance = power - mean**2 / n_rows
        correlations.append(covariance / np.sqrt(np.where(variance > 1e-12, variance, np.nan)))
    return correlations[0], correlations[1]


def least_paired_p(story_of_row: np.ndarray, block_rows: int) -> float:
    """The smallest two-sided p that swaps of blocks can give: 2 / 2^n_blocks, as |T| is that of the opposite swaps."""
    return 2.0 ** (1 - sum(len(blocks) for blocks in _blocks(story_of_row, block_rows)))


def least_block_p(story_of_row: np.ndarray, block_rows: int) -> float:
    """The smallest p that orders of blocks can give: one over the number of orders."""
    orders = sum(math.lgamma(len(blocks) + 1) for blocks in _blocks(story_of_row, block_rows))
    return math.exp(-orders)


def _block_order(story_of_row: np.ndarray, block_rows: int, generator: np.random.Generator) -> np.ndarray:
    """Row numbers with the blocks of each story in a random order, (n_rows,)."""
    order = []
    for blocks in _blocks(story_of_row, block_rows):
        for number in generator.permutation(len(blocks)):
            order.append(np.arange(blocks[number].start, blocks[number].stop))
    return np.concatenate(order)


def _blocks(story_of_row: np.ndarray, block_rows: int) -> list[list[slice]]:
    """The blocks of each story: as many of at least block_rows as it holds, of lengths that differ by one at most."""
    blocks = []
    for _, rows in stories_of(story_of_row):
        n_blocks = max((rows.stop - rows.start) // block_rows, 1)
        edges = np.linspace(rows.start, rows.stop, n_blocks + 1).round().astype(int)
        blocks.append([slice(int(start), int(stop)) for start, stop in pairwise(edges)])
    return blocks
