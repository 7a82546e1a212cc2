"""Reduced-rank ridge: a linear map whose directions all voxels share, as they share what tuning made of features.

    B = argmin |Y - X B|^2 + alpha |B|^2 over matrices B of rank k
      = L^-T U U^T L^-1 X^T Y,  with L L^T = X^T X + alpha I and U the first k left singular vectors of L^-1 X^T Y

One penalty and one rank serve all voxels: the two whose held-out correlation, mean over voxels and folds, is largest.
Only rows count that did not tune the features, where there are some: tuned features predict the others too well, and
would choose a penalty too small and a rank too large. U comes from the square matrix (L^-1 X^T Y) (L^-1 X^T Y)^T, a sum
over voxels, so responses may stay on disk and are read once. Directions are found from all voxels; which penalty and
rank predict best is asked of `MOST_ASKED` of them, evenly spread, where there are more.

References: Izenman 1975; Mukherjee and Zhu 2011.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from brainwavlm.encoding.gram_ridge import Fold, GramRidge

MOST_ASKED, VOXELS_OF_A_PRODUCT = 4096, 1024
# Up to this size eigenvectors are exact for each penalty of each fold; above it, where they decide between penalties
# alone, those of the penalty before are turned towards them.
_EXACT, _SWEEPS = 1024, 2


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
        return ((solver.axes @ self.directions) @ (self.directions.T @ products)).cpu().numpy()


def fit_reduced_rank(
    solver: GramRidge,
    batches: Iterable[np.ndarray],
    n_voxels: int,
    most: int,
    reused: tuple[float, int] | None = None,
    chosen_on: np.ndarray | None = None,
) -> ReducedRank:
    """Choose penalty and rank over the folds of a solver, and find the directions on all rows.

    Parameters
    ----------
    solver : GramRidge
        Of the design, its penalties and its folds.
    batches : iterable of arrays (n_rows, n_batch)
        Responses of all voxels, some at a time. Voxels without variance, or with a NaN, count for nothing.
    n_voxels : int
        Of all batches.
    most : int
        Largest rank to try.
    reused : tuple of float and int, or None
        A penalty of the grid and a rank that were chosen before, to fit with in place of the best.
    chosen_on : bool array (n_rows,) or None
        Rows whose held-out correlation chooses; None: all.
    """
    n_axes = len(solver.squares)
    counted = _counted_folds(solver, chosen_on)
    squares, whole = {place: _zeros(n_axes, solver) for place in counted}, _zeros(n_axes, solver)
    chosen = np.linspace(0, n_voxels - 1, min(n_voxels, MOST_ASKED)).round().astype(int)
    asked, first = [], 0
    for responses in batches:
        responses = _without_gaps(responses)
        products = solver.products(responses)
        total = torch.stack(products).sum(0)
        whole += _outer(total)
        for place, square in squares.items():
            square += _outer(total - products[place])
        last = first + responses.shape[1]
        asked.append(responses[:, chosen[(chosen >= first) & (chosen < last)] - first])
        first = last
    most = min(most, n_axes, *(fold.vectors.shape[1] for fold in counted.values()))
    tried = {place: list(_of_penalties(fold, squares[place], most)) for place, fold in counted.items()}
    r = torch.zeros(len(solver.alphas), most, dtype=torch.float64, device=solver.device)
    of_asked = np.concatenate(asked, axis=1)
    for start in range(0, len(chosen), VOXELS_OF_A_PRODUCT):
        responses = of_asked[:, start : start + VOXELS_OF_A_PRODUCT]
        products = solver.products(responses)
        total = torch.stack(products).sum(0)
        for place, fold in counted.items():
            true = solver.tensor(responses[fold.rows])
            centred = true - true.mean(0)
            length = torch.linalg.vector_norm(centred, dim=0, dtype=torch.float64)
            for row, some in zip(r, tried[place], strict=True):
                row += some.held_out_r(total - products[place], centred, length)
    r /= max(len(chosen), 1) * len(counted)
    best, rank = divmod(int(r.argmax()), most)
    if reused is not None:
        best, rank = int(solver.places(np.array(reused[:1]))), min(reused[1], most) - 1
    shrunk = (1 / (solver.squares + solver.alphas[best])).sqrt()
    directions = (shrunk[:, None] * _leading(_symmetric(whole), shrunk, rank + 1)).float()
    return ReducedRank(float(solver.alphas[best]), rank + 1, float(r[best, rank]), directions)


def _counted_folds(solver: GramRidge, chosen_on: np.ndarray | None) -> dict[int, Fold]:
    """Folds with rows that count, by their place among all, with these rows alone."""
    counted = {}
    for place, fold in enumerate(solver.folds):
        rows = slice(None) if chosen_on is None else np.flatnonzero(chosen_on[fold.rows])
        if len(fold.rows[rows]):
            counted[place] = replace(fold, rows=fold.rows[rows], design=fold.design[rows])
    return counted


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

    def held_out_r(self, products: torch.Tensor, true: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """Sum over voxels of the correlation on the held-out rows, for each rank, (most,) float64.

        products are X^T y (n_axes, n_voxels) of the training rows, true the held-out responses minus their mean, length
        that of each. Of the rank k the prediction is sum_{i <= k} p_i w_i, so its products with y and with itself are
        cumulative sums.
        """
        weights = self.directions.T @ products
        inner = (weights * (self.predicted.T @ true)).double().cumsum(0)
        cross = 2 * torch.tril(self.inner, -1) @ weights + self.inner.diagonal()[:, None] * weights
        both = (weights * cross).double().cumsum(0).clamp_min(0).sqrt() * length
        return torch.where(both == 0, 0.0, inner / both).clamp(-1, 1).sum(1)


def _of_penalties(fold: Fold, square: torch.Tensor, n: int) -> Iterator[_Directions]:
    """The first n directions of a fold for each penalty; square (n_axes, n_axes) sums `_outer` of its training rows."""
    vectors = fold.vectors.double()
    along, before = vectors.T @ _symmetric(square) @ vectors, None
    for shrunk in fold.shrunk.sqrt():
        if before is None or len(along) <= _EXACT:
            before = _leading(along, shrunk, n)
        else:
            before = _turned(along, shrunk, before)
        yield _Directions.of(fold, fold.vectors @ (shrunk[:, None] * before).float())


def _leading(square: torch.Tensor, shrunk: torch.Tensor, n: int) -> torch.Tensor:
    """U: the first n eigenvectors of L^-1 square L^-T along the axes in which L is diagonal, 1 / shrunk."""
    from scipy.linalg import eigh  # with threads of its own, which tuning does not need

    scaled = (shrunk[:, None] * square * shrunk).cpu().numpy()
    size = len(scaled)
    _, vectors = eigh(scaled, subset_by_index=[size - n, size - 1], overwrite_a=True, check_finite=False)
    return torch.from_numpy(vectors[:, ::-1].copy()).to(square.device)


def _turned(square: torch.Tensor, shrunk: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """The same by subspace iteration from vectors (n_axes, n) that are near."""
    scaled = shrunk[:, None] * square * shrunk
    basis = start
    for _ in range(_SWEEPS):
        basis = torch.linalg.qr(scaled @ basis)[0]
    _, within = torch.linalg.eigh(basis.T @ scaled @ basis)
    return basis @ within.flip(1)


def _outer(values: torch.Tensor) -> torch.Tensor:
    """Values @ values^T, float64 from float32; its upper triangle is enough, and on the CPU saves 40 % of the time."""
    if values.device.type != "cpu":
        return (values @ values.T).double()
    from scipy.linalg.blas import ssyrk

    return torch.from_numpy(ssyrk(1.0, values.numpy().T, trans=1)).double()


def _symmetric(square: torch.Tensor) -> torch.Tensor:
    return square.triu() + square.triu(1).T


def _zeros(size: int, solver: GramRidge) -> torch.Tensor:
    return torch.zeros(size, size, dtype=torch.float64, device=solver.device)


def _without_gaps(responses: np.ndarray) -> np.ndarray:
    gaps = np.isnan(responses.sum(0))  # sums: no array of this size is made where there is no gap
    return np.where(gaps, np.float32(0), responses) if gaps.any() else responses
