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


@pytest.mark.parametrize("n_dims", [1, 2, 5])
def test_a_manifold_of_known_dimension(n_dims):
    manifolds = [curved(2000, n_dims, seed) for seed in range(3)]
    distances = [cdist(points, points) for points in manifolds]
    for n in NEIGHBOURS:
        # Edges of the manifold lower it, the more so of more dimensions.
        estimate = np.mean([gride(some, n) for some in distances])
        assert estimate == pytest.approx(n_dims, rel=0.03 * n_dims)


def test_it_is_the_maximum_of_the_likelihood():
    distances = cdist(*[curved(300, 3)] * 2)
    near, middle, far = np.sort(distances, axis=1)[:, [1, 2, 8]].T
    # Facco et al. 2017, two neighbours: n / sum log mu.
    assert gride(distances, 2) == pytest.approx(300 / np.log(middle / near).sum())
    mu = far / np.sort(distances, axis=1)[:, 4]

    def likelihood(d):
        return (np.log(d) + 3 * np.log(mu**d - 1) - (7 * d + 1) * np.log(mu)).sum()

    d = gride(distances, 8)
    assert likelihood(d) > max(likelihood(0.99 * d), likelihood(1.01 * d))


def test_scale_and_repeated_points_change_nothing():
    points = curved(300, 2)
    distances = cdist(points, points)
    assert gride(1000 * distances, 8) == pytest.approx(gride(distances, 8))
    again = np.concatenate([points, points[:5]])
    assert gride(cdist(again, again), 2) == pytest.approx(gride(distances, 2), rel=0.05)
    assert np.isnan(gride(distances[:8, :8], 8))
    assert np.isnan(gride(np.zeros((9, 9)), 8))


def test_participation_ratio_is_that_of_the_eigenvalues_and_pieces_are_left_out_in_turn():
    wide = np.random.default_rng(0).standard_normal((6, 500)) * np.linspace(1, 3, 500)
    for points in (wide, curved(200, 2)):
        variances = np.linalg.eigvalsh(np.cov(points.T))
        assert participation(points) == pytest.approx(variances.sum() ** 2 / (variances**2).sum())
    rest = np.delete(points, slice(50, 90), axis=0)
    found = dimensions(points, [slice(50, 90)])
    assert found["gride-8"][1] == pytest.approx(gride(cdist(rest, rest), 8))
    assert found["participation"] == pytest.approx([participation(points), participation(rest)])
