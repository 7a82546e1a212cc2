import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from brainwavlm.encoding import reduced_rank
from brainwavlm.encoding.gram_ridge import GramRidge
from brainwavlm.encoding.reduced_rank import fit_reduced_rank

ALPHAS = np.logspace(0, 4, 5)


def data(n_rows, n_columns, n_voxels=40, rank=4, seed=0, noise=3.0):
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((n_rows, n_columns)).astype(np.float32)
    shared = (
        rng.standard_normal((n_columns, rank)) @ rng.standard_normal((rank, n_voxels)) / np.sqrt(n_columns)
    )
    responses = design @ shared + noise * rng.standard_normal((n_rows, n_voxels))
    return design, responses.astype(np.float32), shared


def direct(design, responses, alpha, rank):
    """As written in the module: any square root will do, here Cholesky's."""
    x, y = design.astype(np.float64), responses.astype(np.float64)
    root = np.linalg.cholesky(x.T @ x + alpha * np.eye(x.shape[1]))
    whitened = np.linalg.solve(root, x.T @ y)
    left = np.linalg.svd(whitened, full_matrices=False)[0][:, :rank]
    return np.linalg.solve(root.T, left @ (left.T @ whitened))


def direct_r(design, responses, folds, alpha, rank):
    r = []
    for rows in folds:
        fitted = np.setdiff1d(np.arange(len(design)), rows)
        predicted = design[rows] @ direct(design[fitted], responses[fitted], alpha, rank)
        r.append([np.corrcoef(p, y)[0, 1] for p, y in zip(predicted.T, responses[rows].T, strict=True)])
    return np.mean(r)


@pytest.mark.parametrize("shape", [(150, 30), (60, 90)], ids=["tall", "wide"])
def test_penalty_rank_and_weights_are_those_of_the_direct_solution(shape):
    design, responses, _ = data(*shape)
    folds = np.array_split(np.arange(len(design)), 3)
    solver = GramRidge(design, folds, ALPHAS)
    found = fit_reduced_rank(solver, np.array_split(responses, 3, axis=1), 40, 8)
    r = {(a, k): direct_r(design, responses, folds, a, k) for a in ALPHAS for k in range(1, 9)}
    assert (found.alpha, found.rank) == max(r, key=r.get)
    assert_allclose(found.cv_r, max(r.values()), rtol=1e-5)
    expected = direct(design, responses, found.alpha, found.rank)
    weights = found.weights(solver, responses)
    assert np.abs(weights - expected).max() <= 2e-6 * np.abs(expected).max()


def test_penalty_and_rank_are_chosen_on_the_rows_that_count():
    design, responses, _ = data(60, 90)
    n_rows = len(design)
    folds = np.array_split(np.arange(n_rows), 3)
    counted = np.zeros(n_rows, dtype=bool)
    counted[np.r_[folds[0][:10], folds[2][5:]]] = True
    responses[~counted] = responses[~counted] @ np.diag(
        np.where(np.arange(40) % 2, 1, -1)
    )  # other weights there
    found = fit_reduced_rank(GramRidge(design, folds, ALPHAS), [responses], 40, 8, chosen_on=counted)
    r = {}
    for alpha in ALPHAS:
        for rank in range(1, 9):
            of_folds = []
            for rows in (folds[0][:10], folds[2][5:]):
                fitted = np.setdiff1d(np.arange(n_rows), folds[0] if rows[0] in folds[0] else folds[2])
                predicted = design[rows] @ direct(design[fitted], responses[fitted], alpha, rank)
                pairs = zip(predicted.T, responses[rows].T, strict=True)
                of_folds.append(np.mean([np.corrcoef(p, y)[0, 1] for p, y in pairs]))
            r[alpha, rank] = np.mean(of_folds)
    assert (found.alpha, found.rank) == max(r, key=r.get)
    assert_allclose(found.cv_r, max(r.values()), rtol=1e-4)
    everything = fit_reduced_rank(GramRidge(design, folds, ALPHAS), [responses], 40, 8)
    assert abs(everything.cv_r - found.cv_r) > 0.01
    expected = direct(design, responses, found.alpha, found.rank)
    weights = found.weights(GramRidge(design, folds, ALPHAS), responses)
    assert np.abs(weights - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_voxel_with_a_gap_changes_nothing_for_the_others():
    design, responses, _ = data(90, 20, n_voxels=12)
    solver = GramRidge(design, np.array_split(np.arange(90), 3), ALPHAS)
    with_gap = np.concatenate([responses, responses[:, :1]], axis=1)
    with_gap[4, -1] = np.nan
    one, other = (fit_reduced_rank(solver, [y], y.shape[1], 6) for y in (responses, with_gap))
    assert (one.alpha, one.rank) == (other.alpha, other.rank)
    assert_allclose(torch.abs(one.directions), torch.abs(other.directions), rtol=1e-4, atol=1e-7)


def test_turned_vectors_and_a_sample_of_voxels_choose_as_exact_ones_of_all_voxels_do(monkeypatch):
    design, responses, _ = data(200, 60, n_voxels=300, rank=4, noise=4.0)
    solver = GramRidge(design, np.array_split(np.arange(200), 4), np.logspace(0, 4, 9))
    exact = fit_reduced_rank(solver, np.array_split(responses, 4, axis=1), 300, 12)
    monkeypatch.setattr(reduced_rank, "_EXACT", 10)
    turned = fit_reduced_rank(solver, np.array_split(responses, 4, axis=1), 300, 12)
    assert (turned.alpha, turned.rank) == (exact.alpha, exact.rank)
    assert_allclose(turned.cv_r, exact.cv_r, rtol=1e-3)
    monkeypatch.setattr(reduced_rank, "MOST_ASKED", 100)
    sampled = fit_reduced_rank(solver, np.array_split(responses, 4, axis=1), 300, 12)
    assert (sampled.alpha, sampled.rank) == (exact.alpha, exact.rank)
    assert_allclose(torch.abs(sampled.directions), torch.abs(exact.directions), rtol=1e-4, atol=1e-7)
