"""Banded ridge: one regression from several feature spaces, with a penalty for each space and voxel.

    b = argmin |y - sum_i X_i b_i|^2 + sum_i alpha_i |b_i|^2

himalaya finds the penalties by random search: gammas on the simplex, one alpha for all of them from a grid, both chosen
for each voxel by the squared error on held-out folds. Spaces are brought to one size first, so that equal gammas mean
equal shares whatever their numbers of columns.

References: Nunez-Elizalde et al. 2019; Dupre la Tour et al. 2022 (himalaya).
"""

from collections.abc import Sequence

import numpy as np

from brainwavlm.config import RidgeConfig
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.errors import ConfigError

_BATCH_BYTES = 2.5e8  # of the predictions of one batch of voxels under all alphas
# With fewer rows threads wait for each other longer than they work: 539 rows took 2.1 s on one, 4.4 to 30 s on two of a
# busy machine; 1,500 rows took as long either way.
_ROWS_FOR_THREADS = 1500


def require_memory(n_rows: int, n_columns: Sequence[int], config: RidgeConfig) -> None:
    """ConfigError where spaces of so many columns do not fit into config.memory_gb."""
    total = sum(n_columns)
    squares = (len(n_columns) + 3) * n_rows**2 if n_rows < total else 3 * n_rows * total + 4 * total**2
    least = (4 * (squares + 2 * n_rows * total) + 4 * _BATCH_BYTES) / 1e9
    if least > config.memory_gb:
        raise ConfigError(
            "ridge.memory_gb",
            f"{config.memory_gb:g} GB for {n_rows:,} rows of {total:,} columns in {len(n_columns)} spaces.",
            f"at least {np.ceil(10 * least) / 10:g} GB.",
            "Raise it, or use fewer features or delays.",
        )


def banded_predictions(
    spaces: Sequence[np.ndarray],
    responses: np.ndarray,
    story_of_row: np.ndarray,
    others: Sequence[np.ndarray],
    config: RidgeConfig,
    n_candidates: int,
) -> np.ndarray:
    """What each space contributes to the prediction of other rows: y_i = X_i b_i.

    Parameters
    ----------
    spaces : sequence of arrays (n_rows, n_columns_i)
        Columns of mean 0.
    responses : array (n_rows, n_voxels)
    story_of_row : array (n_rows,)
        Folds are of whole stories.
    others : sequence of arrays (n_others, n_columns_i)
        The same spaces in rows that are to be predicted.
    config : RidgeConfig
        Its alphas and folds.
    n_candidates : int
        Gammas to try; with one space there is nothing to try.

    Returns
    -------
    array (n_spaces, n_others, n_voxels), float32
    """
    from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search
    from himalaya.ridge import solve_group_ridge_random_search
    from sklearn.model_selection import PredefinedSplit
    from threadpoolctl import threadpool_limits

    n_columns = np.array([space.shape[1] for space in spaces])
    scales = np.sqrt(n_columns.mean() / n_columns).astype(np.float32)
    scaled = [np.float32(scale) * space for scale, space in zip(scales, spaces, strict=True)]
    fold_of_row = np.empty(len(responses), dtype=int)
    for number, rows in enumerate(story_folds(story_of_row, config.folds)[0]):
        fold_of_row[rows] = number
    options = {
        "n_iter": n_candidates if len(spaces) > 1 else 1,
        "alphas": np.sort(np.asarray(config.alphas)),
        "cv": PredefinedSplit(fold_of_row),
        "random_state": 0,
        "n_targets_batch": max(int(_BATCH_BYTES / (4 * len(config.alphas) * len(responses))), 1),
        "progress_bar": False,
    }
    with threadpool_limits(1 if len(responses) < _ROWS_FOR_THREADS else None):
        if len(responses) < n_columns.sum():
            kernels = np.stack([space @ space.T for space in scaled])
            weights = solve_multiple_kernel_ridge_random_search(
                kernels, responses, return_weights="primal", Xs=scaled, **options
            )[1]
        else:
            weights = solve_group_ridge_random_search(scaled, responses, return_weights=True, **options)[1]
    parts = np.split(weights, np.cumsum(n_columns)[:-1])
    return np.stack(
        [scale * (other @ part) for scale, other, part in zip(scales, others, parts, strict=True)]
    ).astype(np.float32)
