"""Closed-form ridge, with a penalty for each voxel chosen by cross-validation over stories (himalaya)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from himalaya.backend import get_backend, set_backend
from himalaya.kernel_ridge import solve_kernel_ridge_cv_eigenvalues
from himalaya.ridge import solve_ridge_cv_svd
from himalaya.scoring import correlation_score

from brainwavlm.config import RidgeConfig
from brainwavlm.errors import ConfigError

_TARGETS_AT_ONCE = 1024  # voxels of one product inside himalaya
_LEAST_BATCH = 256


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
        Correlation of the chosen penalty, mean over folds: optimistic, for the choice only.
    """

    columns: slice
    alphas: np.ndarray
    weights: np.ndarray
    cv_r: np.ndarray


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


def story_folds(story_of_row: np.ndarray, n_folds: int) -> tuple[list[np.ndarray], str]:
    """Held-out rows of each fold: whole stories, so that no story is on both sides.

    Stories go, longest first, to the fold with the fewest rows so far: balanced and always the same.
    Fewer stories than folds: one story a fold. One story: consecutive blocks of it.

    Parameters
    ----------
    story_of_row : array (n_rows,)
        Name or number of the story of each row.
    n_folds : int

    Returns
    -------
    folds : list of int arrays
        Each row is in exactly one.
    reason : str
        How the folds were made, for reports.
    """
    names, story_of_row, lengths = np.unique(story_of_row, return_inverse=True, return_counts=True)
    n_rows = len(story_of_row)
    if len(names) == 1:
        if n_rows < n_folds:
            raise ConfigError(
                "ridge.folds",
                f"{n_folds} folds of {n_rows} rows.",
                "at least a row a fold.",
                "Lower ridge.folds.",
            )
        blocks = np.array_split(np.arange(n_rows), n_folds)
        return blocks, f"{n_folds} consecutive blocks of the only training story"
    n_used = min(n_folds, len(names))
    rows_in_fold = np.zeros(n_used, dtype=int)
    fold_of_story = np.empty(len(names), dtype=int)
    for story in np.argsort(-lengths, kind="stable"):
        fold_of_story[story] = np.argmin(rows_in_fold)
        rows_in_fold[fold_of_story[story]] += lengths[story]
    folds = [np.flatnonzero(fold_of_story[story_of_row] == fold) for fold in range(n_used)]
    if n_used < n_folds:
        return folds, f"one story held out at a time ({n_used} stories, fewer than {n_folds} folds)"
    return folds, f"{n_used} folds of whole stories"


def ridge_batches(
    design: np.ndarray,
    read_responses: Callable[[slice], np.ndarray],
    n_voxels: int,
    story_of_row: np.ndarray,
    config: RidgeConfig,
    device: str = "cpu",
) -> Iterator[RidgeBatch]:
    """Ridge for every voxel, some at a time: alpha by cross-validation over stories, then a fit on all rows.

    alpha[v] = argmax over config.alphas of the mean over folds of the correlation on the held-out rows.

    There is no intercept: rows of the design and responses are z-scored within each story before, so their
    columns have mean zero up to the delays at a story's edge. The primal form is solved where rows
    outnumber columns, the kernel form (in float64) otherwise; both give the same weights.

    Parameters
    ----------
    design : array (n_rows, n_columns), float32
    read_responses : callable
        Columns (a slice of the voxels) to array (n_rows, n_batch), without NaN. Called once a batch, so that
        responses may stay on disk.
    n_voxels : int
    story_of_row : array (n_rows,)
    config : RidgeConfig
    device : str
        cpu or cuda: where himalaya computes.

    Yields
    ------
    RidgeBatch, in the order of the voxels
    """
    folds, _ = story_folds(story_of_row, config.folds)
    n_rows = len(design)
    everything = np.arange(n_rows)
    splits = [(np.setdiff1d(everything, fold, assume_unique=True), fold) for fold in folds]
    size = voxels_at_once(design.shape, config)
    kernel = design.astype(np.float64) @ design.T.astype(np.float64) if n_rows < design.shape[1] else None
    for start in range(0, n_voxels, size):
        columns = slice(start, min(start + size, n_voxels))
        responses = read_responses(columns)
        with _computing_on(device):
            alphas, weights, cv_r = _solved(design, kernel, responses, splits, config)
        del responses
        yield RidgeBatch(columns, _snapped(alphas, config.alphas), weights, cv_r)


def voxels_at_once(shape: tuple[int, int], config: RidgeConfig) -> int:
    """Voxels of one batch such that the estimated peak stays within config.memory_gb.

    The estimate counts the copies that himalaya keeps of the design (7, with its decomposition and the
    resolution matrices), and for each voxel its rows, weights and scores.

    Parameters
    ----------
    shape : (n_rows, n_columns)
        Of the design matrix.
    config : RidgeConfig

    Returns
    -------
    int, at least 256
    """
    n_rows, n_columns = shape
    n_scores = 2 * config.folds * len(config.alphas)
    resolution = n_rows * n_rows // config.folds
    if n_rows < n_columns:
        fixed = 8 * (n_rows * n_columns + 6 * n_rows**2)
        a_voxel = 8 * (2.5 * n_rows + 2 * n_rows + n_scores) + 8 * 2 * n_columns
        inside = 8 * 4 * n_rows * _TARGETS_AT_ONCE
    else:
        fixed = 4 * (7 * n_rows * n_columns + resolution + 5 * n_columns**2)
        a_voxel = 4 * (1.5 * n_rows + 3 * n_columns + n_scores)
        inside = 4 * (2 * n_rows + 2 * n_columns) * _TARGETS_AT_ONCE
    return max(int((config.memory_gb * 1e9 - fixed - inside) / a_voxel), _LEAST_BATCH)


def at_grid_edge(alphas: np.ndarray, config: RidgeConfig) -> tuple[int, int]:
    """How many voxels chose the smallest and the largest penalty: many of either ask for a wider grid."""
    return int((alphas == min(config.alphas)).sum()), int((alphas == max(config.alphas)).sum())


def _solved(
    design: np.ndarray,
    kernel: np.ndarray | None,
    responses: np.ndarray,
    splits: list[tuple[np.ndarray, np.ndarray]],
    config: RidgeConfig,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    backend = get_backend()
    options = {
        "alphas": backend.asarray(sorted(config.alphas), dtype="float32" if kernel is None else "float64"),
        "score_func": correlation_score,
        "cv": splits,
        "n_targets_batch": _TARGETS_AT_ONCE,
        "n_alphas_batch": 1,
        "Y_in_cpu": True,
    }
    if kernel is None:
        # float32 holds the singular values well enough: the smallest penalty is 1, not 1e-7 of the largest S^2.
        solution = solve_ridge_cv_svd(
            backend.asarray(design, dtype="float32"), responses.astype(np.float32), **options
        )
        alphas, weights, cv_r = (backend.to_numpy(part) for part in solution)
        return alphas, weights, cv_r[0]
    solution = solve_kernel_ridge_cv_eigenvalues(
        backend.asarray(kernel), responses.astype(np.float64), **options
    )
    alphas, dual, cv_r = (backend.to_numpy(part) for part in solution)
    return alphas, design.T @ dual.astype(design.dtype), cv_r[0]


def _snapped(alphas: np.ndarray, grid: tuple[float, ...]) -> np.ndarray:
    # himalaya hands alphas back through a logarithm.
    grid_array = np.sort(np.asarray(grid, dtype=np.float64))
    nearest = np.abs(np.log(np.asarray(alphas, np.float64))[:, None] - np.log(grid_array)).argmin(1)
    return grid_array[nearest]


@contextmanager
def _computing_on(device: str) -> Iterator[None]:
    # himalaya's backend is global; leave it as it was found.
    before = get_backend().name
    set_backend("torch_cuda" if device.startswith("cuda") else "numpy")
    try:
        yield
    finally:
        set_backend(before)
