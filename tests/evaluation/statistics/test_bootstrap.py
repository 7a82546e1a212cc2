import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.evaluation.contrasts import contrast
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.statistics import bootstrap, permutation_test
from brainwavlm.evaluation.statistics.bootstrap import resampled_means


def models(n_stories, gain, seed=0, n_rows=40, n_voxels=60):
    rng = np.random.default_rng(seed)
    story = np.repeat(np.arange(n_stories), n_rows)
    signal, error = rng.standard_normal((2, len(story), n_voxels))
    true = signal + rng.standard_normal(signal.shape)
    first = 0.5 * signal + error
    return true, first, first + gain * signal, story


def resampled(true, first, second, story, masks, n_resamples, seed):
    return resampled_means(true, {"frozen": first, "tuned": second}, story, masks, n_resamples, seed)


@pytest.mark.parametrize("n_stories", [2, 8])
def test_a_resample_is_a_resample_of_rows(n_stories):
    true, _, second, story = models(n_stories, 0.3)
    pieces, counts, _ = bootstrap.drawn_pieces(story, 20, 3)
    rows = np.concatenate(
        [np.tile(np.arange(len(story))[piece], n) for piece, n in zip(pieces, counts[4], strict=True)]
    )
    expected = correlation(true[rows], second[rows])
    assert_allclose(bootstrap._resampled(true, second, pieces, counts)[4], expected, atol=1e-10)


@pytest.mark.parametrize("n_stories", [2, 8])
def test_the_measured_difference_is_that_of_all_rows(n_stories):
    true, first, second, story = models(n_stories, 0.3)
    masks = {"all": np.ones(60, bool), "some": np.arange(60) < 9}
    both = resampled(true, first, second, story, masks, 200, 0)
    for name, mask in masks.items():
        row = contrast(both, name)
        r = [correlation(true, p)[mask].mean() for p in (first, second)]
        assert_allclose([row["r_frozen"], row["r_tuned"], row["difference"]], [*r, r[1] - r[0]], atol=1e-10)
        assert 0 < row["low"] < row["difference"] < row["high"]
        assert both.n_voxels[name] == mask.sum()


def test_few_stories_are_resampled_in_blocks_and_it_is_said():
    *arrays, story = models(2, 0.3, n_rows=45)
    drawn = resampled(*arrays, story, {"all": np.ones(60, bool)}, 100, 0).drawn
    assert drawn == "8 blocks of at least 10 TRs within 2 test stories"
    pieces, counts, _ = bootstrap.drawn_pieces(story, 100, 0)
    assert min(piece.stop - piece.start for piece in pieces) >= 10
    assert_array_equal(counts[:, :4].sum(1), 4)
    *arrays, story = models(5, 0.3)
    drawn = resampled(*arrays, story, {"all": np.ones(60, bool)}, 100, 0).drawn
    assert drawn == "5 test stories"


def test_one_block_a_story_gives_no_interval():
    rng = np.random.default_rng(0)
    true, first, second = rng.standard_normal((3, 15, 4))
    both = resampled(true, first, second, np.repeat("a", 15), {"all": np.ones(4, bool)}, 200, 0)
    assert both.drawn == "1 block of at least 10 TRs within 1 test story"
    row = contrast(both, "all")
    assert np.isfinite(row["difference"])
    assert np.isnan([row["low"], row["high"]]).all()


def test_the_interval_holds_zero_where_models_are_equally_good():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(60):
        story = np.repeat(np.arange(10), 40)
        signal = rng.standard_normal((400, 1))
        true = signal + rng.standard_normal((400, 1))
        first, second = (signal + rng.standard_normal((400, 1)) for _ in range(2))
        row = contrast(resampled(true, first, second, story, {"v": np.ones(1, bool)}, 300, 1), "v")
        covered += row["low"] <= 0 <= row["high"]
    assert covered >= 48  # about 92 % expected of a percentile interval over 10 stories


def test_bootstrap_leaves_voxels_without_variance_out_and_batches_change_nothing(monkeypatch):
    true, first, second, story = models(6, 0.2)
    first[:, 3] = 0.0
    masks = {"all": np.ones(60, bool), "none": np.arange(60) == 3}
    whole = resampled(true, first, second, story, masks, 100, 0)
    assert whole.n_voxels == {"all": 59, "none": 0}
    assert np.isnan(contrast(whole, "none")["difference"])
    monkeypatch.setattr(permutation_test, "_BYTES_AT_ONCE", 1e5)
    parts = resampled(true, first, second, story, masks, 100, 0)
    assert_allclose(contrast(parts, "all")["high"], contrast(whole, "all")["high"])


def test_each_mean_has_an_interval_of_its_own_and_all_models_share_the_draws():
    true, first, second, story = models(6, 0.3)
    masks = {"all": np.ones(60, bool)}
    two = resampled(true, first, second, story, masks, 300, 4)
    for values in two.means["all"].values():
        low, high = two.interval(values)
        assert low < values[0] < high
    row = contrast(two, "all")
    many = resampled_means(true, {"a": first, "b": second, "c": first}, story, masks, 300, 4)
    assert_array_equal(many.means["all"]["a"], many.means["all"]["c"])
    change = many.means["all"]["b"] - many.means["all"]["a"]
    assert_allclose(many.interval(change), (row["low"], row["high"]), atol=1e-12)
    # Paired: what both models share of a resample's luck does not widen the interval of their difference.
    assert change[1:].std() < 0.7 * np.hypot(many.means["all"]["a"].std(), many.means["all"]["b"].std())
