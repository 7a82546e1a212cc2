"""himalaya's RidgeCV as the oracle of our own solver, and the memory that the solver promises."""

import json
import subprocess
import sys

import numpy as np
import pytest
from himalaya.ridge import solve_ridge_cv_svd
from himalaya.scoring import correlation_score
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.config import RidgeConfig
from brainwavlm.encoding.ridge import ridge_batches
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.errors import ConfigError

N_VOXELS = 60


def spectrum(n_rows, n_columns, decay=1.0):
    """Correlated columns, z-scored: singular values fall as their index to the power of -decay."""
    random = np.random.default_rng(1)
    mixed = random.standard_normal((n_columns, n_columns)) * np.arange(1.0, n_columns + 1)[:, None] ** -decay
    design = random.standard_normal((n_rows, n_columns)) @ mixed
    return ((design - design.mean(0)) / design.std(0)).astype(np.float32)


def listening_to(design, n_voxels=N_VOXELS):
    """Responses that depend on the design from hardly to well."""
    random = np.random.default_rng(2)
    signal = design @ random.standard_normal((design.shape[1], n_voxels))
    signal *= np.geomspace(0.02, 3, n_voxels) / np.maximum(signal.std(0), 1e-9)
    return (signal + random.standard_normal(signal.shape)).astype(np.float32)


def orthonormal():
    return np.linalg.qr(np.random.default_rng(3).standard_normal((240, 40)))[0].astype(np.float32) * 15


def one_hot():
    return np.eye(20, dtype=np.float32)[np.arange(240) % 20]


def with_column(design, value):
    return np.column_stack([design, np.full(len(design), value, np.float32)])


DESIGNS = {
    "tall": lambda: spectrum(320, 60),
    "wide": lambda: spectrum(160, 400),
    "square": lambda: spectrum(200, 200),
    "wide only in the folds": lambda: spectrum(240, 220),
    "columns twice": lambda: np.concatenate([spectrum(240, 50)] * 2, axis=1),
    "a column of ones": lambda: with_column(spectrum(240, 50), 1.0),
    "steep": lambda: spectrum(320, 80, decay=2.5),
    "means far from zero": lambda: spectrum(240, 50) + np.float32(2),
    "equal singular values": orthonormal,
    "equal singular values in each fold": one_hot,
    "small": lambda: spectrum(240, 50) * np.float32(1e-2),
}


def oracle(design, responses, story, config):
    folds, _ = story_folds(story, config.folds)
    rows = np.arange(len(design))
    options = {
        "alphas": np.sort(np.array(config.alphas)),
        "score_func": correlation_score,
        "cv": [(np.setdiff1d(rows, fold), fold) for fold in folds],
        "n_alphas_batch": 1,
    }
    design, responses = design.astype(np.float64), responses.astype(np.float64)
    alphas, weights, cv_r = solve_ridge_cv_svd(design, responses, warn=False, **options)
    return alphas, weights, cv_r[0], options


def ours(design, responses, story, config):
    (batch,) = ridge_batches(design, lambda columns: responses[:, columns], responses.shape[1], story, config)
    return batch


def assert_same(design, responses, story, config, rounding=1e-4):
    alphas, weights, cv_r, _ = oracle(design, responses, story, config)
    batch = ours(design, responses, story, config)
    assert_allclose(batch.alphas, alphas, rtol=1e-9)
    assert_allclose(batch.cv_r, cv_r, atol=1e-6)
    predicted = design.astype(np.float64) @ weights
    assert_allclose(design.astype(np.float64) @ batch.weights, predicted, atol=rounding * predicted.std())
    assert_allclose(batch.weights, weights, atol=0.2 * rounding * np.abs(weights).max())


@pytest.mark.parametrize("name", DESIGNS)
def test_penalties_weights_and_predictions_are_himalayas(name):
    design = DESIGNS[name]()
    config = RidgeConfig(folds=4)
    assert_same(design, listening_to(design), np.arange(len(design)) * 8 // len(design), config)


@pytest.mark.parametrize("name", ["tall", "wide", "columns twice", "wide only in the folds"])
def test_penalties_far_below_and_above_every_singular_value_are_himalayas(name):
    design = DESIGNS[name]()
    # Columns z-scored in float32 keep a mean of the size of rounding, which so small a penalty would fit.
    responses = listening_to(design)
    responses -= responses.mean(0)
    story = np.arange(len(design)) * 8 // len(design)
    for alphas in (10.0 ** np.arange(-6, 3), 10.0 ** np.arange(4, 16)):
        assert_same(design, responses, story, RidgeConfig(alphas=tuple(alphas), folds=4), 1e-3)


@pytest.mark.parametrize(
    "story",
    [np.zeros(240), np.repeat([0, 1], 120), np.repeat([0, 1, 2], [200, 35, 5]), np.arange(240) * 120 // 240],
    ids=["one story", "two stories", "very unequal stories", "stories of two rows"],
)
def test_folds_of_any_kind_are_himalayas(story):
    design = spectrum(240, 100)
    assert_same(design, listening_to(design), story, RidgeConfig())


def test_sums_over_thirty_thousand_rows_lose_nothing():
    design = spectrum(30_000, 16)
    responses, story, config = listening_to(design, 30), np.arange(30_000) // 335, RidgeConfig(folds=3)
    batch = ours(design, responses, story, config)
    exact, true = design.astype(np.float64), responses.astype(np.float64)
    r = np.zeros((len(config.alphas), 30))
    for fold in story_folds(story, 3)[0]:
        fit = np.delete(np.arange(30_000), fold)
        gram, product = exact[fit].T @ exact[fit], exact[fit].T @ true[fit]
        for row, alpha in zip(r, config.alphas, strict=True):
            predicted = exact[fold] @ np.linalg.solve(gram + alpha * np.eye(16), product)
            row += np.diagonal(np.corrcoef(true[fold].T, predicted.T)[:30, 30:]) / 3
    assert_array_equal(batch.alphas, np.array(config.alphas)[r.argmax(0)])
    assert_allclose(batch.cv_r, r.max(0), atol=1e-6)
    gram, product = exact.T @ exact, exact.T @ true
    for voxel, alpha in enumerate(batch.alphas):
        weights = np.linalg.solve(gram + alpha * np.eye(16), product[:, voxel])
        assert_allclose(batch.weights[:, voxel], weights, atol=1e-5 * np.abs(weights).max())


@pytest.mark.parametrize("name", ["tall", "wide"])
def test_voxels_that_do_not_vary_take_the_largest_penalty_as_with_himalaya(name):
    design = DESIGNS[name]()
    responses, story = listening_to(design, 4), np.arange(len(design)) * 8 // len(design)
    responses[:, 0], responses[:, 1], responses[:, 3] = 0.0, 2.0, responses[:, 3] * 1e-15
    config = RidgeConfig(folds=4)
    batch = ours(design, responses, story, config)
    assert_array_equal(batch.alphas[:2], max(config.alphas))
    assert_array_equal(batch.cv_r[:2], 0.0)
    assert_array_equal(batch.weights[:, 0], 0.0)
    assert batch.cv_r[3] > 0.8
    assert_allclose(batch.weights[:, :2], oracle(design, responses, story, config)[1][:, :2], atol=1e-6)


def test_a_nan_stays_with_its_voxel():
    design = spectrum(240, 50)
    responses, story = listening_to(design, 5), np.arange(240) // 30
    spoilt = responses.copy()
    spoilt[7, 2] = np.nan
    batch, whole = (ours(design, given, story, RidgeConfig()) for given in (spoilt, responses))
    others = [0, 1, 3, 4]
    assert np.isnan(batch.cv_r[2])
    assert_array_equal(batch.weights[:, 2], 0.0)
    assert_array_equal(batch.alphas[others], whole.alphas[others])
    assert_allclose(batch.weights[:, others], whole.weights[:, others], atol=1e-6)


def test_a_design_of_zeros_has_weights_zero():
    batch = ours(
        np.zeros((40, 6), np.float32), listening_to(spectrum(40, 6), 3), np.arange(40) // 5, RidgeConfig()
    )
    assert_array_equal(batch.weights, np.zeros((6, 3)))
    assert_array_equal(batch.cv_r, 0.0)


def test_the_order_of_penalties_does_not_matter():
    design = spectrum(240, 50)
    responses, story = listening_to(design), np.arange(240) // 30
    first = ours(design, responses, story, RidgeConfig(alphas=(100.0, 1.0, 10.0)))
    second = ours(design, responses, story, RidgeConfig(alphas=(1.0, 10.0, 100.0)))
    assert_array_equal(first.alphas, second.alphas)
    assert_array_equal(first.weights, second.weights)


def test_too_little_memory_is_refused_with_what_would_do():
    design, config = np.zeros((400, 300), np.float32), RidgeConfig(memory_gb=0.01)
    with pytest.raises(ConfigError, match=r"ridge.memory_gb: 0.01 GB for a design of 400 x 300") as caught:
        next(ridge_batches(design, lambda columns: design[:, columns], 5, np.arange(400) // 40, config))
    least = float(str(caught.value).split("at least ")[1].split(" GB")[0])
    enough = RidgeConfig(memory_gb=least)
    assert len(
        list(ridge_batches(design, lambda columns: design[:, columns], 5, np.arange(400) // 40, enough))
    )


MEASURE = """
import json, sys
import numpy as np
from brainwavlm.config import RidgeConfig
from brainwavlm.encoding.ridge import ridge_batches, voxels_at_once

def peak():
    status = open("/proc/self/status").read()  # ru_maxrss would count the process that started this one
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9

def solve(n_rows, n_columns, n_voxels, config):
    random = np.random.default_rng(0)
    design = random.standard_normal((n_rows, n_columns), dtype=np.float32)
    read = lambda columns: random.standard_normal((n_rows, columns.stop - columns.start), dtype=np.float32)
    story = np.arange(n_rows) * 20 // n_rows
    return sum(batch.weights.shape[1] for batch in ridge_batches(design, read, n_voxels, story, config))

n_rows, n_columns, memory_gb = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
solve(60, 20, 10, RidgeConfig())
before = peak()
config = RidgeConfig(memory_gb=memory_gb, alphas=(1.0, 100.0))
n_voxels = 2 * voxels_at_once((n_rows, n_columns), config)
print(json.dumps([before, solve(n_rows, n_columns, n_voxels, config) - n_voxels, peak()]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(("shape", "memory_gb"), [((2400, 800), 0.5), ((500, 1600), 0.25)])
def test_measured_memory_stays_below_the_budget_and_comes_near_it(shape, memory_gb):
    arguments = [sys.executable, "-c", MEASURE, *(str(size) for size in shape), str(memory_gb)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    before, n_missing, after = json.loads(done.stdout)
    assert n_missing == 0
    assert 0.3 * memory_gb < after - before < memory_gb
