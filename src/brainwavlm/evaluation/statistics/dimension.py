"""Intrinsic dimension of points: how many numbers say where each lies.

gride-n        of n nearest neighbours, d that maximises the likelihood of mu = r[n] / r[n / 2], r[k] the distance of a
               point to its k-th nearest neighbour:
               f(mu) = d (mu^d - 1)^(n / 2 - 1) / (mu^((n - 1) d + 1) B(n / 2, n / 2))
participation  (sum_i l[i])^2 / sum_i l[i]^2, l the variances of the principal components

Noise adds dimensions at the scale of few neighbours, curvature at that of many.

References
----------
Denti, Doimo, Laio and Mira 2022, Scientific Reports 12, 20005. Recanatesi et al. 2022, Patterns 3, 100555.
"""

from collections.abc import Mapping, Sequence

import numpy as np

NEIGHBOURS = (8, 2, 32)
PARTICIPATION = "participation"
_RANGE = (1e-3, 1e4)  # of d


def gride(distances: np.ndarray, n: int) -> float:
    """Dimension at the scale of n neighbours, an even number, from distances (n_points, n_points); NaN of too few."""
    from scipy.optimize import brentq

    if len(distances) <= n:
        return np.nan
    # The nearest is the point itself.
    near, far = np.partition(distances, (n // 2, n), axis=1)[:, [n // 2, n]].T
    some = (near > 0) & (far > near)
    x = np.log(far[some] / near[some])

    def slope(d: float) -> float:
        return len(x) / d - (n // 2 - 1) * (x / np.expm1(-d * x)).sum() - (n - 1) * x.sum()

    return float(brentq(slope, *_RANGE)) if len(x) and slope(_RANGE[0]) > 0 > slope(_RANGE[1]) else np.nan


def participation(points: np.ndarray) -> float:
    """The participation ratio of points (n_points, n_dims)."""
    centred = points - points.mean(0)
    small = centred if centred.shape[0] <= centred.shape[1] else centred.T  # the smaller of both products
    product = small @ small.T
    return float(np.trace(product) ** 2 / (product**2).sum()) if product.any() else np.nan


def dimensions(points: np.ndarray, pieces: Sequence[slice]) -> Mapping[str, np.ndarray]:
    """All of them of points (n_points, n_dims), measured and without each piece, (n_pieces + 1,) by name."""
    from scipy.spatial.distance import cdist

    points = np.asarray(points, dtype=np.float64)
    distances = cdist(points, points)
    everything = np.arange(len(points))
    kept = [everything, *(np.delete(everything, piece) for piece in pieces)]
    by_scale = {
        f"gride-{n}": np.array([gride(distances[np.ix_(some, some)], n) for some in kept]) for n in NEIGHBOURS
    }
    return by_scale | {PARTICIPATION: np.array([participation(points[some]) for some in kept])}
