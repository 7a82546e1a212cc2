import numpy as np
import pytest
from himalaya.ridge import GroupRidgeCV
from numpy.testing import assert_allclose

from brainwavlm.config import RidgeConfig
from brainwavlm.encoding.banded_ridge import banded_predictions, require_memory
from brainwavlm.encoding.ridge import solve_ridge
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.errors import ConfigError

CONFIG = RidgeConfig(alphas=tuple(10.0**k for k in range(-1, 5)), folds=3)


def spaces_and_responses(n_rows, sizes, n_voxels=12, seed=0):
    rng = np.random.default_rng(seed)
    spaces = [rng.standard_normal((n_rows, size)).astype(np.float32) for size in sizes]
    weights = [rng.standard_normal((size, n_voxels)) / size**0.5 for size in sizes]
    signal = sum(space @ some for space, some in zip(spaces, weights, strict=True))
    responses = (signal + 2 * rng.standard_normal(signal.shape)).astype(np.float32)
    return spaces, responses - responses.mean(0), np.arange(n_rows) // 20


@pytest.mark.parametrize("n_rows", [120, 40], ids=["tall", "wide"])
def test_predictions_are_those_of_himalayas_own_call(n_rows):
    spaces, responses, story = spaces_and_responses(n_rows, (16, 16, 16))
    others, *_ = spaces_and_responses(30, (16, 16, 16), seed=1)
    parts = banded_predictions(spaces, responses, story, others, CONFIG, 8)
    folds = story_folds(story, 3)[0]
    cv = [(np.setdiff1d(np.arange(n_rows), rows), rows) for rows in folds]
    own = GroupRidgeCV(
        groups="input",
        cv=cv,
        random_state=0,
        solver_params={"n_iter": 8, "alphas": np.array(CONFIG.alphas), "progress_bar": False, "warn": False},
    ).fit(spaces, responses)
    expected = own.predict(others, split=True)
    assert_allclose(parts, expected, atol=2e-3)


def test_one_space_is_ridge_with_the_best_penalty_of_each_voxel():
    (space,), responses, story = spaces_and_responses(120, (20,))
    (other,), *_ = spaces_and_responses(30, (20,), seed=1)
    (part,) = banded_predictions([space], responses, story, [other], CONFIG, 8)
    errors = []
    for alpha in CONFIG.alphas:
        error = 0
        for rows in story_folds(story, 3)[0]:
            fit = np.setdiff1d(np.arange(120), rows)
            weights = solve_ridge(space[fit].astype(float), responses[fit], alpha)
            error = error + ((space[rows] @ weights - responses[rows]) ** 2).mean(0)
        errors.append(error)
    best = np.array(CONFIG.alphas)[np.argmin(errors, axis=0)]
    assert len(set(best)) > 1
    assert_allclose(part, other @ solve_ridge(space.astype(float), responses, best), atol=1e-3)


def test_too_little_memory_is_told_beforehand():
    with pytest.raises(ConfigError, match="at least"):
        require_memory(30000, [320, 3072], RidgeConfig(memory_gb=1.0))
    require_memory(30000, [320, 3072], RidgeConfig(memory_gb=16.0))
