"""Cross-validated ridge from sums of squares: each fold is decomposed once, for all voxels and penalties."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

# Squared singular values below this share of the largest (times the longer side) are rounding of float64.
_ROUNDING = float(np.finfo(np.float64).eps)
# Below this relative gap of two squares the mean of their terms is exact to 1e-12; above, partial fractions
# lose no more than 1e-10 to rounding.
_NEAR = 1e-6


@dataclass(frozen=True)
class Fold:
    """The fit without a fold, in the principal axes of the training rows, and the held-out rows there.

    Attributes
    ----------
    rows : int array (n_held_out,)
    design : tensor (n_held_out, rank), float32
    vectors : tensor (rank, k), float32
        Principal axes of the training rows.
    held_out : tensor (n_held_out, k), float32, or None
        The held-out rows minus their mean, along these axes; None where there are more rows than axes.
    shrunk : tensor (n_alphas, k), float64
        1 / (S2 + alpha), S2 the squared singular values of the training rows.
    apart : tensor (n_alphas, k), float64
        The same minus its value at the largest S2 of the whole design.
    far, near : tensor (k, k), float64
        See `_fold`; near is (k,), its diagonal, where no two values of S2 are near each other.
    """

    rows: np.ndarray
    design: torch.Tensor
    vectors: torch.Tensor
    held_out: torch.Tensor | None
    shrunk: torch.Tensor
    apart: torch.Tensor
    far: torch.Tensor
    near: torch.Tensor


class GramRidge:
    """weights(alpha) = V (S2 + alpha)^-1 (X V)^T y, with X^T X = V diag(S2) V^T; alpha by cross-validation.

    alpha[v] = argmax over alphas of the mean over folds of the correlation on the held-out rows; of equal ones the
    largest.

    The design is first turned to its principal axes, X V, which changes no prediction. There its columns
    range from large to small, so products in float32 keep their relative precision in each; what is
    singular drops out; and a wide design has no more columns than rows. Sums of squares and decompositions
    are float64, because the smallest penalty may be far below float32's rounding of the largest S2.

    Parameters
    ----------
    design : array (n_rows, n_columns), float32
    folds : sequence of int arrays
        Held-out rows; each row is in exactly one.
    alphas : array (n_alphas,)
        Penalties, positive and increasing.
    device : str
        cpu or cuda, a device of torch that knows float64.

    References
    ----------
    The solution of himalaya's `solve_ridge_cv_svd` (Dupre la Tour et al. 2022), the oracle of
    tests/encoding/test_ridge_himalaya.py, which forms a resolution matrix for each penalty, fold and call.
    """

    def __init__(
        self, design: np.ndarray, folds: Sequence[np.ndarray], alphas: np.ndarray, device: str = "cpu"
    ):
        self.device = device
        self.alphas = torch.tensor(alphas, dtype=torch.float64, device=device)
        self.squares, axes = self._principal_axes(design, folds)
        self.folds = [self._fold(design, rows, axes) for rows in folds]
        self.axes = axes.float()

    def solve(
        self, responses: np.ndarray, reused: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The penalty of each voxel, and the fit on all rows with it.

        Parameters
        ----------
        responses : array (n_rows, n_voxels)
            Of a few voxels: several tensors of this size are made. A voxel with a NaN has weights 0, cv_r NaN.
        reused : array (n_voxels,) or None
            Penalties of the grid that were chosen before, to fit with in place of the best.

        Returns
        -------
        best : int array (n_voxels,)
            Index of the penalty.
        weights : array (n_columns, n_voxels), float32
        cv_r : array (n_voxels,), float32
            Correlation of the chosen penalty, mean over folds.
        """
        means, centred, products = [], [], []
        for fold in self.folds:
            true = self.tensor(responses[fold.rows])
            means.append(true.mean(0))
            centred.append(true - means[-1])
            products.append(fold.design.T @ centred[-1])
        sums = [
            p + fold.design.sum(0)[:, None] * mean
            for fold, p, mean in zip(self.folds, products, means, strict=True)
        ]
        total = torch.stack(sums).sum(0)
        r = torch.zeros(len(self.alphas), responses.shape[1], dtype=torch.float64, device=self.device)
        for fold, y, product, own in zip(self.folds, centred, products, sums, strict=True):
            r += _held_out_r(fold, total - own, y, product) / len(self.folds)
        best = (r + 1e-10 * self.alphas.log()[:, None]).argmax(0) if reused is None else self.places(reused)
        cv_r = r.gather(0, best[None])[0].float()
        fitted = total / (self.squares[:, None] + self.alphas[best]).float()
        fitted[:, cv_r.isnan()] = 0.0
        return best.cpu().numpy(), (self.axes @ fitted).cpu().numpy(), cv_r.cpu().numpy()

    def places(self, alphas: np.ndarray) -> torch.Tensor:
        """Where some penalties (n,) stand in the grid."""
        wanted = torch.as_tensor(alphas, dtype=torch.float64, device=self.device)
        return (wanted.log()[:, None] - self.alphas.log()).abs().argmin(1)

    def products(self, responses: np.ndarray) -> list[torch.Tensor]:
        """X^T y of the rows of each fold, along the principal axes, (n_axes, n_voxels) float32; see `solve`."""
        return [fold.design.T @ self.tensor(responses[fold.rows]) for fold in self.folds]

    def tensor(self, values: np.ndarray) -> torch.Tensor:
        """Values as float32 where the solver computes."""
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(self.device)

    def _principal_axes(
        self, design: np.ndarray, folds: Sequence[np.ndarray]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared singular values (rank,) and right singular vectors (n_columns, rank) of a design, float64."""
        n_rows, n_columns = design.shape
        if n_rows < n_columns:
            wide = self.tensor(design).double()
            squares, vectors = torch.linalg.eigh(wide @ wide.T)
        else:
            gram = torch.zeros(n_columns, n_columns, dtype=torch.float64, device=self.device)
            for rows in folds:
                part = self.tensor(design[rows]).double()
                gram += part.T @ part
            squares, vectors = torch.linalg.eigh(gram)
        kept = squares > _ROUNDING * max(design.shape) * squares[-1]
        squares, vectors = squares[kept], vectors[:, kept]
        return squares, wide.T @ (vectors / squares.sqrt()) if n_rows < n_columns else vectors

    def _fold(self, design: np.ndarray, rows: np.ndarray, axes: torch.Tensor) -> Fold:
        """Decompose the fit without some rows, and prepare the length of every prediction of these rows.

        A prediction is held_out @ z with z[i] = c[i] d[i], d[i] = 1 / (S2[i] + alpha). Its squared length is
        sum_ij M[i, j] c[i] c[j] d[i] d[j] with M = held_out^T held_out, and by partial fractions
        d[i] d[j] = (d[i] - d[j]) / (S2[j] - S2[i]), so with far[i, j] = 2 M[i, j] / (S2[j] - S2[i])
        it is sum_i d[i] c[i] (far @ c)[i]: one product for all penalties. As far is antisymmetric, a constant
        may be taken from d (apart), which keeps its differences exact where alpha is far above S2.
        Where S2[i] and S2[j] are near, d[i] d[j] is the mean of d[i]^2 and d[j]^2 and near[i, j] = M[i, j].
        """
        part = self.tensor(design[rows]).double() @ axes
        inner = part.T @ part
        training = torch.diag(self.squares) - inner
        squares, vectors = torch.linalg.eigh(training)
        largest = float(self.squares.max()) if len(self.squares) else 0.0
        kept = squares > _ROUNDING * max(design.shape) * largest
        squares, vectors = squares[kept], vectors[:, kept]
        del training
        mean = part.mean(0)
        if len(rows) < len(self.squares):
            held_out = (part - mean) @ vectors
            inner, held_out = held_out.T @ held_out, held_out.float()
        else:
            held_out = None
            inner = vectors.T @ (inner - len(rows) * torch.outer(mean, mean)) @ vectors
        gap = squares[None] - squares[:, None]
        close = gap.abs() <= _NEAR * (squares[None] + squares[:, None] + 2 * self.alphas[0])
        far = (2 * inner / gap).masked_fill_(close, 0.0)
        alone = int(close.sum()) == len(squares)
        near = inner.diagonal().clone() if alone else inner.masked_fill_(~close, 0.0)
        shrunk = 1 / (squares + self.alphas[:, None])
        apart = shrunk * (largest - squares) / (largest + self.alphas[:, None])
        return Fold(rows, part.float(), vectors.float(), held_out, shrunk, apart, far, near)


def _held_out_r(
    fold: Fold, fitted: torch.Tensor, centred: torch.Tensor, product: torch.Tensor
) -> torch.Tensor:
    """Correlation on the held-out rows for each penalty (n_alphas, n_voxels).

    r = <held_out z, y> / (|held_out z| |y|), y minus its mean (centred); 0 where either does not vary.
    fitted is X^T y of the training rows, product that of the held-out rows, centred.
    """
    projected = (fold.vectors.T @ fitted).double()
    along = fold.vectors.T @ product if fold.held_out is None else fold.held_out.T @ centred
    inner = fold.shrunk @ (projected * along)
    near = fold.near[:, None] * projected if fold.near.ndim == 1 else fold.near @ projected
    squared = fold.apart @ (projected * (fold.far @ projected)) + fold.shrunk**2 @ (projected * near)
    length = squared.clamp_min(0).sqrt() * torch.linalg.vector_norm(centred, dim=0, dtype=torch.float64)
    return torch.where(length == 0, 0.0, inner / length).clamp(-1, 1)
