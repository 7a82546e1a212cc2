"""Reduced-rank ridge: a linear map whose directions all voxels share, as they share what tuning made of features.

    B = argmin |Y - X B|^2 + alpha |B|^2 over matrices B of rank k
      = L^-T U U^T L^-1 X^T Y,  with L L^T = X^T X + alpha I and U the first k left singular vectors of L^-1 X^T Y

One penalty and one rank serve all voxels: the two whose held-out correlation, mean over voxels and folds, is largest.
U comes from the square matrix (L^-1 X^T Y) (L^-1 X^T Y)^T, a sum over voxels, so responses may stay on disk.

References: Izenman 1975; Mukherjee and Zhu 2011.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from brainwavlm.encoding.gram_ridge import Fold, GramRidge


@dataclass(frozen=True)
class ReducedRank:
    """The shared part of the map, along the principal axes of the design.

    Attributes
    ----------
    alpha, rank : float, int
        Chosen by cross-validation.
    cv_r : float
        Held-out correlation of that choice, mean over voxels and folds: optimistic, for the choice only.
    directions : tensor (n_axes, rank), float32
        L^-T U.
    """

    alpha: float
    rank: int
    cv_r: float
    directions: torch.Tensor

    def weights(self, solver: GramRidge, responses: np.ndarray) -> np.ndarray:
        """B of some voxels, (n_columns, n_voxels) float32, from their responses (n_rows, n_voxels)."""
        products = torch.stack(solver.products(responses)).sum(0)
        return (solver.axes @ (self.directions @ (self.directions.T @ products))).cpu().numpy()


def fit_reduced_rank(
    solver: GramRidge, read_batches: Callable[[], Iterable[np.ndarray]], most: int
) -> ReducedRank:
    """Choose penalty and rank over the folds of a solver, and find the directions on all rows.

    Parameters
    ----------
    solver : GramRidge
        Of the design, its penalties and its folds.
    read_batches : function without arguments
        To the responses (n_rows, n_batch) of all voxels, some at a time; called twice. Voxels without variance, or
        with a NaN, count for nothing.
    most : int
        Largest rank to try.
    """
    n_axes = len(solver.squares)
    squares = [_zeros(fold.vectors.shape[1], solver) for fold in solver.folds]
    whole = _zeros(n_axes, solver)
    for responses in read_batches():
        products = solver.products(_without_gaps(responses))
        total = torch.stack(products).sum(0)
        whole += (total @ total.T).double()
        for fold, own, square in zip(solver.folds, products, squares, strict=True):
            along = fold.vectors.T @ (total - own)
            square += (along @ along.T).double()
    most = min(most, n_axes, *(len(square) for square in squares))
    tried = [
        [
            _Directions.of(fold, fold.vectors @ _directions(square, shrunk, most))
            for shrunk in fold.shrunk.sqrt()
        ]
        for fold, square in zip(solver.folds, squares, strict=True)
    ]
    r, n_voxels = torch.zeros(len(solver.alphas), most, dtype=torch.float64, device=solver.device), 0
    for responses in read_batches():
        responses = _without_gaps(responses)
        products = solver.products(responses)
        total = torch.stack(products).sum(0)
        for fold, own, of_alphas in zip(solver.folds, products, tried, strict=True):
            true = solver.tensor(responses[fold.rows])
            centred = true - true.mean(0)
            for row, some in zip(r, of_alphas, strict=True):
                row += some.held_out_r(total - own, centred)
        n_voxels += responses.shape[1]
    r /= max(n_voxels, 1) * len(solver.folds)
    best, rank = divmod(int(r.argmax()), most)
    shrunk = (1 / (solver.squares + solver.alphas[best])).sqrt()
    directions = _directions(whole, shrunk, rank + 1)
    return ReducedRank(float(solver.alphas[best]), rank + 1, float(r[best, rank]), directions)


@dataclass(frozen=True)
class _Directions:
    """Directions from all rows but a fold's, (n_axes, most), and what they make of the fold's rows.

    `predicted` (n_held_out, most) are these rows along the directions, minus their mean; `inner` their products.
    """

    directions: torch.Tensor
    predicted: torch.Tensor
    inner: torch.Tensor

    @classmethod
    def of(cls, fold: Fold, directions: torch.Tensor) -> "_Directions":
        predicted = fold.design @ directions
        predicted = predicted - predicted.mean(0)
        return cls(directions, predicted, predicted.T @ predicted)

    def held_out_r(self, products: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        """Sum over voxels of the correlation on the held-out rows, for each rank, (most,) float64.

        products are X^T y (n_axes, n_voxels) of the training rows, true the held-out responses minus their mean. Of the
        rank k the prediction is sum_{i <= k} p_i w_i, so its products with y and with itself are cumulative sums.
        """
        weights = self.directions.T @ products
        inner = (weights * (self.predicted.T @ true)).double().cumsum(0)
        cross = 2 * torch.tril(self.inner, -1) @ weights + self.inner.diagonal()[:, None] * weights
        length = (weights * cross).double().cumsum(0).clamp_min(0).sqrt()
        length = length * torch.linalg.vector_norm(true, dim=0, dtype=torch.float64)
        return torch.where(length == 0, 0.0, inner / length).clamp(-1, 1).sum(1)


def _directions(square: torch.Tensor, shrunk: torch.Tensor, n: int) -> torch.Tensor:
    """L^-T U along the axes in which L is diagonal, 1 / shrunk; U the first n eigenvectors of L^-1 square L^-T."""
    from scipy.linalg import eigh  # with threads of its own, which tuning does not need

    scaled = (shrunk[:, None] * square * shrunk).cpu().numpy()
    size = len(scaled)
    _, vectors = eigh(scaled, subset_by_index=[size - n, size - 1], overwrite_a=True, check_finite=False)
    first = torch.from_numpy(vectors[:, ::-1].copy()).to(square.device)
    return (shrunk[:, None] * first).float()


def _zeros(size: int, solver: GramRidge) -> torch.Tensor:
    return torch.zeros(size, size, dtype=torch.float64, device=solver.device)


def _without_gaps(responses: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(responses).any(0), np.float32(0), responses)
