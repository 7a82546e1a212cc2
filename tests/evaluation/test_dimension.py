"""Intrinsic dimension of manifolds whose dimension is known."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from brainwavlm.evaluation.statistics.dimension import NEIGHBOURS, dimensions, gride, participation


def curved(n_points, n_dims, seed=0):
    """Points of a manifold of n_dims in 40 dimensions, bent."""
    random = np.random.default_rng(seed)
    flat = random.uniform(-1, 1, (n_points, n_dims)) @ np.linalg.qr(random.standard_normal((20, n_dims)))[0].T
    return np.concatenate([flat, 0.1 * flat**2], axis=1)


@pytest.mark.parametrize("n", NEIGHBOURS)
@pytest.mark.parametrize("n_dims", [1, 2, 5])
def test_a_manifold_of_known_dimension(n, n_dims):
    found = [gride(cdist(points, points), n) for points in (curved(2000, n_dims, seed) for seed in range(3))]
    # Edges of the manifold lower it, the more so of more dimensions.
    assert np.mean(found) == pytest.approx(n_dims, rel=0.03 * n_dims)


def test_two_neighbours_are_the_maximum_likelihood_of_two_nn():
    """Facco et al. 2017: n / sum log mu."""
    distances = cdist(*[curved(300, 3)] * 2)
    near, far = np.sort(distances, axis=1)[:, 1:3].T
    assert gride(distances, 2) == pytest.approx(300 / np.log(far / near).sum())


def test_the_likelihood_is_at_its_maximum():
    distances, n = cdist(*[curved(300, 3)] * 2), 8
    near, far = np.sort(distances, axis=1)[:, [n // 2, n]].T
    mu = far / near

    def likelihood(d):
        return (np.log(d) + (n // 2 - 1) * np.log(mu**d - 1) - ((n - 1) * d + 1) * np.log(mu)).sum()

    d = gride(distances, n)
    assert likelihood(d) > max(likelihood(0.99 * d), likelihood(1.01 * d))


def test_scale_and_repeated_points_change_nothing():
    points = curved(300, 2)
    distances = cdist(points, points)
    assert gride(1000 * distances, 8) == pytest.approx(gride(distances, 8))
    again = np.concatenate([points, points[:5]])
    assert gride(cdist(again, again), 2) == pytest.approx(gride(distances, 2), rel=0.05)
    assert np.isnan(gride(distances[:8, :8], 8))
    assert np.isnan(gride(np.zeros((9, 9)), 8))


@pytest.mark.parametrize("shape", [(500, 6), (6, 500)])
def test_participation_ratio_is_that_of_the_eigenvalues(shape):
    points = np.random.default_rng(0).standard_normal(shape) * np.linspace(1, 3, shape[1])
    variances = np.linalg.eigvalsh(np.cov(points.T))
    assert participation(points) == pytest.approx(variances.sum() ** 2 / (variances**2).sum())


def test_pieces_are_left_out_in_turn():
    points, piece = curved(200, 2), slice(50, 90)
    rest = np.delete(points, piece, axis=0)
    found = dimensions(points, [piece])
    assert found["gride-8"][1] == pytest.approx(gride(cdist(rest, rest), 8))
    assert found["participation"] == pytest.approx([participation(points), participation(rest)])
