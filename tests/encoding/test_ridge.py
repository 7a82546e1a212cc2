import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.config import RidgeConfig, gigabytes
from brainwavlm.encoding.ridge import Penalties, at_grid_edge, ridge_batches, solve_ridge, voxels_at_once
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.scores import correlation


def problem(n_rows, n_columns, n_voxels=24, noise=3.0):
    rng = np.random.default_rng(0)
    design = rng.standard_normal((n_rows, n_columns)).astype(np.float32)
    weights = rng.standard_normal((n_columns, n_voxels)) * np.geomspace(0.01, 1, n_voxels)
    responses = (design @ weights + noise * rng.standard_normal((n_rows, n_voxels))).astype(np.float32)
    return design, responses, np.repeat(np.arange(8), n_rows // 8)


@pytest.mark.parametrize("shape", [(80, 20), (40, 90)])
def test_solution_fulfils_the_normal_equations(shape):
    design, responses, _ = problem(*shape)
    design, responses = design.astype(np.float64), responses.astype(np.float64)
    alphas = np.geomspace(0.1, 1e4, 24)
    weights = solve_ridge(design, responses, alphas)
    assert weights.dtype == np.float64
    assert_allclose(design.T @ (design @ weights) + alphas * weights, design.T @ responses, atol=1e-8)


@pytest.mark.parametrize("shape", [(80, 20), (40, 90)])
def test_the_most_extreme_penalties_leave_every_voxel_a_prediction(shape):
    design, responses, story = problem(*shape)
    config = RidgeConfig(alphas=(1e-30, 1.0, 1e30), folds=3)
    (batch,) = ridge_batches(design, lambda columns: responses[:, columns], 24, story, config)
    assert not np.isnan(correlation(responses, design @ batch.weights)).any()


@pytest.mark.parametrize("shape", [(160, 30), (80, 200)])
def test_penalties_that_were_chosen_before_are_used_again(shape):
    design, responses, story = problem(*shape)
    config = RidgeConfig(alphas=tuple(10.0**k for k in range(5)), folds=4)
    alphas = np.resize([1.0, 100.0, 1e4], 24)
    reused = Penalties(alphas, (100.0, 3))
    (batch,) = ridge_batches(
        design, lambda columns: responses[:, columns], 24, story, config, shared=True, reused=reused
    )
    assert_array_equal(batch.alphas, alphas)
    assert_allclose(batch.weights, solve_ridge(design.astype(float), responses, alphas), atol=2e-4)
    assert (batch.reduced.alpha, batch.reduced.rank) == (100.0, 3)
    assert np.linalg.matrix_rank(batch.shared, tol=1e-4) == 3


@pytest.mark.parametrize("shape", [(160, 30), (80, 200)])
def test_batches_of_voxels_give_the_same_as_all_at_once(shape, monkeypatch):
    design, responses, story = problem(*shape)
    read: list[slice] = []

    def read_responses(columns):
        read.append(columns)
        return responses[:, columns]

    config = RidgeConfig(folds=3)
    (whole,) = ridge_batches(design, read_responses, 24, story, config)
    monkeypatch.setattr("brainwavlm.encoding.ridge.voxels_at_once", lambda shape, config: 10)
    parts = list(ridge_batches(design, read_responses, 24, story, config))
    assert read == [slice(0, 24), slice(0, 10), slice(10, 20), slice(20, 24)]
    assert [part.columns for part in parts] == read[1:]
    assert_array_equal(np.concatenate([part.alphas for part in parts]), whole.alphas)
    assert_allclose(np.concatenate([part.weights for part in parts], axis=1), whole.weights, atol=1e-5)


def test_memory_decides_the_batch():
    lebel = (27_797, 3_072)
    small, large = (voxels_at_once(lebel, RidgeConfig(memory_gb=gb)) for gb in (7.0, 9.0))
    assert 5_000 < small < large < 50_000
    assert voxels_at_once(lebel, RidgeConfig(memory_gb=0.1)) == 256


@pytest.mark.parametrize(
    ("text", "expected"), [("8", 8.0), ("8000MB", 8.0), ("0.5 gb", 0.5), ("1.5TB", 1500.0)]
)
def test_memory_is_read_in_the_usual_ways(text, expected):
    assert gigabytes(text, "--memory") == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "-8", "0GB", "8GiB", "8,5GB", "9" * 400])
def test_what_is_no_memory_is_refused(text):
    with pytest.raises(ConfigError, match=r"--memory: .*\n *Expected an amount of memory, e\.g\. 8GB"):
        gigabytes(text, "--memory")


def test_choices_at_the_edge_of_the_grid_are_counted():
    config = RidgeConfig(alphas=(1.0, 10.0, 100.0))
    assert at_grid_edge(np.array([1.0, 1.0, 10.0, 100.0]), config) == {"smallest": 2, "largest": 1}


@given(lengths=st.lists(st.integers(1, 60), min_size=2, max_size=30), n_folds=st.integers(2, 8))
def test_a_story_is_in_one_fold_and_every_row_in_exactly_one(lengths, n_folds):
    story = np.repeat([f"story{index}" for index in range(len(lengths))], lengths)
    folds, reason = story_folds(story, n_folds)
    assert_array_equal(np.sort(np.concatenate(folds)), np.arange(len(story)))
    for held_out in folds:
        assert len(held_out)
        assert not set(story[held_out]) & set(np.delete(story, held_out))
    assert len(folds) == min(n_folds, len(lengths))
    assert ("held out at a time" in reason) == (len(lengths) < n_folds)
    rows = [len(fold) for fold in folds]
    assert max(rows) - min(rows) <= max(lengths)


def test_folds_do_not_depend_on_the_order_of_rows():
    story = np.repeat(["a", "b", "c", "d", "e"], [9, 7, 5, 3, 2])
    order = np.random.default_rng(0).permutation(len(story))
    folds, _ = story_folds(story, 2)
    shuffled, _ = story_folds(story[order], 2)
    for fold, other in zip(folds, shuffled, strict=True):
        assert set(story[fold]) == set(story[order][other])


def test_one_story_is_cut_into_consecutive_blocks():
    folds, reason = story_folds(np.zeros(23), 5)
    assert reason == "5 consecutive blocks of the only training story"
    assert all((np.diff(fold) == 1).all() for fold in folds)
    with pytest.raises(ConfigError, match="5 folds of 3 rows"):
        story_folds(np.zeros(3), 5)
