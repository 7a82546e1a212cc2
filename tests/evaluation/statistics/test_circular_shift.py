import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.statistics import permutation_test
from brainwavlm.evaluation.statistics.permutation_test import PermutationTest, circular_shift_p

LENGTHS = {"a": 90, "b": 61, "c": 75}


def stories(lengths=LENGTHS):
    return np.repeat(list(lengths), list(lengths.values()))


def autoregressive(rng, n_rows, n_voxels, phi=0.8):
    noise = rng.standard_normal((n_rows + 50, n_voxels))
    for row in range(1, len(noise)):
        noise[row] += phi * noise[row - 1]
    return noise[50:]


@pytest.fixture
def noise():
    rng = np.random.default_rng(0)
    n_rows = len(stories())
    return autoregressive(rng, n_rows, 1500), autoregressive(rng, n_rows, 1500)


def test_shifts_keep_their_false_positives_on_autocorrelated_noise_and_pearson_does_not(noise):
    test = circular_shift_p(*noise, stories(), n_shifts=400, seed=0)
    # 1500 independent voxels: the standard error is .006.
    assert 0.035 < (test.p <= 0.05).mean() < 0.07
    pearson = stats.pearsonr(*noise, axis=0, alternative="greater").pvalue
    assert (pearson < 0.05).mean() > 0.15


def test_the_mean_over_voxels_keeps_its_false_positives_too():
    rng = np.random.default_rng(3)
    story = stories()
    shared = autoregressive(rng, len(story), 600) + 0.0
    found = 0
    for start in range(0, 600, 3):  # voxels that share most of their noise
        common = shared[:, start : start + 1]
        true = common + 0.3 * shared[:, start : start + 3]
        predicted = autoregressive(rng, len(story), 1) + 0.3 * rng.standard_normal((len(story), 3))
        test = circular_shift_p(true, predicted, story, 39, start, {"all": np.ones(3, bool)})
        found += test.mean["all"][1] <= 0.05
    assert 2 <= found <= 20  # of 200; 10 expected


def test_p_by_transform_equals_p_by_rolling():
    rng = np.random.default_rng(1)
    story = stories()
    true, predicted = rng.standard_normal((2, len(story), 5))
    generator = np.random.default_rng(7)
    drawn = [generator.integers(0, n, 50) for n in LENGTHS.values()]
    null = np.empty((50, 5))
    for shift in range(50):
        turned = np.concatenate(
            [
                np.roll(predicted[story == name], offsets[shift], axis=0)
                for name, offsets in zip(LENGTHS, drawn, strict=True)
            ]
        )
        null[shift] = correlation(true, turned)
    r = correlation(true, predicted)
    test = circular_shift_p(true, predicted, story, 50, 7, {"all": np.ones(5, bool)})
    assert_allclose(test.statistic, r, atol=1e-12)
    assert_allclose(test.p, ((null >= r - 1e-12).sum(0) + 1) / 51)
    assert_allclose(test.p_max, ((null.max(1)[:, None] >= r - 1e-12).sum(0) + 1) / 51)
    mean, p, null95 = test.mean["all"]
    assert_allclose(mean, r.mean())
    assert_allclose(p, ((null.mean(1) >= r.mean() - 1e-12).sum() + 1) / 51)
    assert_allclose(null95, np.quantile(null.mean(1), 0.95))


def test_p_is_never_zero_and_small_batches_change_nothing(noise, monkeypatch):
    true = noise[0][:, :40]
    whole = circular_shift_p(true, true, stories(), 99, 0, {"x": np.arange(40) < 7})
    assert (whole.p > 0).all()
    assert (whole.p <= 0.01).all()
    assert_array_equal(whole.p_max, 0.01)
    monkeypatch.setattr(permutation_test, "_BYTES_AT_ONCE", 5e4)
    parts = circular_shift_p(true, true, stories(), 99, 0, {"x": np.arange(40) < 7})
    assert_allclose(parts.p, whole.p)
    assert_allclose(parts.mean["x"], whole.mean["x"])


def test_voxels_without_variance_have_no_p_and_leave_the_mean_alone(noise):
    true, predicted = (values[:, :6].copy() for values in noise)
    masks = {"five": np.arange(6) > 0, "six": np.arange(6) >= 0}
    predicted[:, 0] = 1.0
    test = circular_shift_p(true, predicted, stories(), 50, 0, masks)
    assert np.isnan(test.p[0])
    assert not np.isnan(test.p[1:]).any()
    assert test.mean["five"] == test.mean["six"]


def test_rows_of_a_story_must_be_together():
    with pytest.raises(ValueError, match="not consecutive"):
        circular_shift_p(np.ones((12, 1)), np.ones((12, 1)), np.array(["a", "b"] * 6), 20, 0)


def test_q_skips_voxels_without_p():
    p = np.random.default_rng(0).uniform(size=50) ** 3
    with_gap = np.insert(p, 7, np.nan)
    q = PermutationTest(with_gap, with_gap, with_gap, 99).q
    assert_allclose(q, np.insert(stats.false_discovery_control(p), 7, np.nan), rtol=1e-12)
