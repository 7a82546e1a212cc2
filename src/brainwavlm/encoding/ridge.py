"""Closed-form ridge, with a penalty for each voxel chosen by cross-validation over stories."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from brainwavlm.config import RidgeConfig
from brainwavlm.encoding.gram_ridge import GramRidge
from brainwavlm.encoding.reduced_rank import MOST_ASKED, VOXELS_OF_A_PRODUCT, ReducedRank, fit_reduced_rank
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.errors import ConfigError

_LEAST_BATCH = 256


class Penalties(NamedTuple):
    """What ridge chose before, to be used again: penalties (n_voxels,), and penalty and rank of the shared map."""

    alphas: np.ndarray
    shared: tuple[float, int]


@dataclass(frozen=True)
class RidgeBatch:
    """The solution for some voxels.

    Attributes
    ----------
    columns : slice
        Of the voxels.
    alphas : array (n_batch,)
        Chosen penalties.
    weights : array (n_columns, n_batch)
        Fitted on all rows with these penalties.
    cv_r : array (n_batch,)
        Of the chosen penalty, mean over folds: optimistic, for the choice only.
    shared, reduced : array (n_columns, n_batch) and ReducedRank, or None
        Weights of the map whose directions all voxels share, where it is asked for; its penalty and rank.
    """

    columns: slice
    alphas: np.ndarray
    weights: np.ndarray
    cv_r: np.ndarray
    shared: np.ndarray | None = None
    reduced: ReducedRank | None = None


def solve_ridge(design: np.ndarray, responses: np.ndarray, alphas: Any) -> np.ndarray:
    """Weights = V diag(S / (S^2 + alpha)) U^T responses, with design = U diag(S) V^T.

    That is argmin_w |design w - responses|^2 + alpha |w|^2, himalaya's and scikit-learn's convention; older
    scripts of the field penalise by a^2: alpha = a^2. There is no intercept: give centred columns.

    Parameters
    ----------
    design : array (n_rows, n_columns)
    responses : array (n_rows, n_voxels)
    alphas : float or array (n_voxels,)

    Returns
    -------
    array (n_columns, n_voxels), of the type of `design`

    References
    ----------
    Dupre la Tour et al. 2022 (himalaya); parity: tests/parity/test_reference_numbers.py.
    """
    alphas = np.asarray(alphas, dtype=design.dtype)
    if len(design) != len(responses) or (alphas.ndim and alphas.shape != responses.shape[1:]):
        raise ValueError(
            f"design {design.shape}, responses {responses.shape} and alphas {alphas.shape} disagree"
        )
    left, singular, right = np.linalg.svd(design, full_matrices=False)
    shrunk = singular[:, None] / (singular[:, None] ** 2 + alphas)
    return right.T @ (shrunk * (left.T @ responses))


def ridge_batches(
    design: np.ndarray,
    read_responses: Callable[[slice], np.ndarray],
    n_voxels: int,
    story_of_row: np.ndarray,
    config: RidgeConfig,
    device: str = "cpu",
    shared: bool = False,
    reused: Penalties | None = None,
    chosen_on: np.ndarray | None = None,
) -> Iterator[RidgeBatch]:
    """Ridge for every voxel, some at a time: alpha by cross-validation over stories, then a fit on all rows.

    alpha[v] = argmax over config.alphas of the mean over folds of the correlation on the held-out rows.

    With `shared` also the map of all voxels together: see `reduced_rank`.

    There is no intercept: rows of the design and responses are z-scored within each story before, so their
    columns have mean zero up to the delays at a story's edge. The decompositions are made once (`GramRidge`).

    Parameters
    ----------
    design : array (n_rows, n_columns), float32
    read_responses : callable
        Columns (a slice of the voxels) to array (n_rows, n_batch), without NaN. Called once a batch, twice with
        `shared`, so that responses may stay on disk.
    n_voxels : int
    story_of_row : array (n_rows,)
    config : RidgeConfig
    device : str
        cuda: computed there; anything else: on the CPU.
    shared : bool
    reused : Penalties or None
        None: chosen here.
    chosen_on : bool array (n_rows,) or None
        Rows on which penalty and rank of the shared map are chosen; None: all.

    Yields
    ------
    RidgeBatch, in the order of the voxels

    Raises
    ------
    ConfigError
        config.memory_gb is too small for the smallest batch.
    """
    require_memory(design.shape, config)
    solver = ridge_solver(design, story_of_row, config, device)
    alphas = solver.alphas.cpu().numpy()
    size = voxels_at_once(design.shape, config)
    batches = [slice(start, min(start + size, n_voxels)) for start in range(0, n_voxels, size)]

    def all_responses() -> Iterator[np.ndarray]:
        for columns in batches:
            responses = read_responses(columns)
            for part in _parts(responses.shape[1]):
                yield responses[:, part]

    reduced = None
    if shared:
        before = None if reused is None else reused.shared
        reduced = fit_reduced_rank(solver, all_responses(), n_voxels, config.max_rank, before, chosen_on)
    for columns in batches:
        responses = read_responses(columns)
        n_batch = responses.shape[1]
        best, cv_r = np.empty(n_batch, dtype=int), np.empty(n_batch, dtype=np.float32)
        weights = np.empty((design.shape[1], n_batch), dtype=np.float32)
        of_all = None if reduced is None else np.empty_like(weights)
        for part in _parts(n_batch):
            given = None if reused is None else reused.alphas[columns][part]
            best[part], weights[:, part], cv_r[part] = solver.solve(responses[:, part], given)
            if of_all is not None and reduced is not None:
                of_all[:, part] = reduced.weights(solver, responses[:, part])
        del responses
        yield RidgeBatch(columns, alphas[best], weights, cv_r, of_all, reduced)


def _parts(n_voxels: int) -> Iterator[slice]:
    return (slice(first, first + VOXELS_OF_A_PRODUCT) for first in range(0, n_voxels, VOXELS_OF_A_PRODUCT))


def ridge_solver(
    design: np.ndarray, story_of_row: np.ndarray, config: RidgeConfig, device: str = "cpu"
) -> GramRidge:
    """The decompositions of a design (n_rows, n_columns), whole and without each fold of stories."""
    folds, alphas = story_folds(story_of_row, config.folds)[0], np.sort(np.asarray(config.alphas))
    return GramRidge(design, folds, alphas, device if device.startswith("cuda") else "cpu")


def voxels_at_once(shape: tuple[int, int], config: RidgeConfig) -> int:
    """Voxels of one batch such that the estimated peak stays within config.memory_gb.

    Parameters
    ----------
    shape : (n_rows, n_columns) of the design matrix
    config : RidgeConfig

    Returns
    -------
    int, at least 256
    """
    free = config.memory_gb * 1e9 - fixed_bytes(shape, config)
    return max(int(free / _bytes_a_voxel(shape)), _LEAST_BATCH)


def at_grid_edge(alphas: np.ndarray, config: RidgeConfig) -> dict[str, int]:
    """How many voxels chose the smallest and the largest penalty: many of either ask for a wider grid."""
    ends = {"smallest": min(config.alphas), "largest": max(config.alphas)}
    return {name: int((alphas == end).sum()) for name, end in ends.items()}


def fixed_bytes(shape: tuple[int, int], config: RidgeConfig) -> float:
    """What ridge holds at its peak for a design (n_rows, n_columns) whatever the batch.

    Float32: the design, its copy along the principal axes and one along those of each fold, the axes; products
    of a few voxels. Float64: two matrices of rank x rank a fold (of the second, mostly the diagonal), and what is
    alive while the last fold is decomposed. The shared map: a square of rank x rank for the whole and each fold, and
    the directions of each penalty and fold.
    """
    n_rows, n_columns = shape
    rank = min(shape)
    fixed: float = 4 * (n_rows * n_columns + 2 * n_rows * rank + n_columns * rank)
    fixed += (20 * config.folds + 72) * rank**2 + 8 * n_columns * rank
    fixed += 8 * (n_rows if n_rows < n_columns else 2 * n_rows / config.folds) * n_columns
    fixed += (8 * n_rows + 8 * (config.folds + 10) * rank + 4 * n_columns) * VOXELS_OF_A_PRODUCT
    fixed += 8 * (config.folds + 5) * rank**2 + 4 * n_rows * MOST_ASKED
    fixed += 4 * len(config.alphas) * min(config.max_rank, rank) * (config.folds * rank + n_rows)
    return fixed


def _bytes_a_voxel(shape: tuple[int, int]) -> float:
    """Of a batch: its rows, with what reading a story takes, and weights, of the last batch too, and shared ones."""
    return 4 * (1.5 * shape[0] + 4 * shape[1])


def require_memory(shape: tuple[int, int], config: RidgeConfig) -> None:
    """ConfigError where config.memory_gb cannot hold a design (n_rows, n_columns) and the smallest batch."""
    least = (fixed_bytes(shape, config) + _LEAST_BATCH * _bytes_a_voxel(shape)) / 1e9
    if least > config.memory_gb:
        raise ConfigError(
            "ridge.memory_gb",
            f"{config.memory_gb:g} GB for a design of {shape[0]:,} x {shape[1]:,}.",
            f"at least {np.ceil(10 * least) / 10:g} GB.",
            "Raise it, or use fewer delays.",
        )
