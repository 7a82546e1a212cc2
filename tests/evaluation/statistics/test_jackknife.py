import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from brainwavlm.evaluation.contrasts import contrast
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.statistics import permutation_test
from brainwavlm.evaluation.statistics.jackknife import jackknife_of_means, left_out_pieces


def models(n_stories, gain, seed=0, n_rows=40, n_voxels=60):
    rng = np.random.default_rng(seed)
    story = np.repeat(np.arange(n_stories), n_rows)
    signal, error = rng.standard_normal((2, len(story), n_voxels))
    true = signal + rng.standard_normal(signal.shape)
    first = 0.5 * signal + error
    return true, first, first + gain * signal, story


def jackknife(true, first, second, story, masks):
    return jackknife_of_means(true, {"frozen": first, "tuned": second}, story, masks)


@pytest.mark.parametrize("n_stories", [2, 8])
def test_a_replicate_is_the_score_of_the_other_rows_and_the_interval_is_that_of_the_jackknife(n_stories):
    true, first, second, story = models(n_stories, 0.3)
    masks = {"all": np.ones(60, bool), "some": np.arange(60) < 9}
    both = jackknife(true, first, second, story, masks)
    pieces, _ = left_out_pieces(story)
    assert len(pieces) == 8  # two stories of 40 rows are left out in blocks
    for name, mask in masks.items():
        without = [
            [
                correlation(*(np.delete(values, piece, 0) for values in (true, p)))[mask].mean()
                for piece in pieces
            ]
            for p in (first, second)
        ]
        for model, values in zip(("frozen", "tuned"), without, strict=True):
            assert_allclose(both.means[name][model][1:], values, atol=1e-10)
        changes = np.subtract(without[1], without[0])
        row = contrast(both, name)
        r = [correlation(true, p)[mask].mean() for p in (first, second)]
        assert_allclose([row["r_frozen"], row["r_tuned"], row["difference"]], [*r, r[1] - r[0]], atol=1e-10)
        half = stats.t.ppf(0.975, 7) * np.sqrt(7 / 8 * ((changes - changes.mean()) ** 2).sum())
        assert_allclose([row["low"], row["high"]], [r[1] - r[0] - half, r[1] - r[0] + half], atol=1e-9)
        assert both.n_voxels[name] == mask.sum()


@pytest.mark.parametrize(
    ("lengths", "unit", "n_pieces"),
    [
        ([15], "1 block of at least 10 TRs of this test story", 1),
        ([45, 45], "8 blocks of at least 10 TRs of these 2 test stories", 8),
        ([45, 45, 45], "3 test stories", 3),
    ],
)
def test_below_three_stories_blocks_are_left_out_and_it_is_said(lengths, unit, n_pieces):
    story = np.repeat(range(len(lengths)), lengths)
    pieces, said = left_out_pieces(story)
    assert (said, len(pieces)) == (unit, n_pieces)
    assert min(piece.stop - piece.start for piece in pieces) >= 10
    assert_array_equal(
        np.concatenate([np.arange(len(story))[piece] for piece in pieces]), np.arange(len(story))
    )
    true, first, second = np.random.default_rng(0).standard_normal((3, len(story), 4))
    row = contrast(jackknife(true, first, second, story, {"all": np.ones(4, bool)}), "all")
    assert np.isfinite(row["difference"])
    assert np.isnan([row["low"], row["high"]]).all() == (n_pieces == 1)


def test_the_interval_covers_what_is_true_also_where_stories_differ():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        story = np.repeat(np.arange(4), 60)
        signal, noise, one, other = rng.standard_normal((4, 240, 5))
        # Each model is better in some stories: over all stories that there might be the difference is 0.
        quality = 1 + 0.5 * rng.standard_normal((2, 4))[:, story, None]
        first, second = quality[0] * signal + one, quality[1] * signal + other
        row = contrast(jackknife(signal + noise, first, second, story, {"v": np.ones(5, bool)}), "v")
        covered += row["low"] <= 0 <= row["high"]
    assert 182 <= covered <= 198  # .95 of 200, three standard errors either way


def test_voxels_without_variance_are_left_out_and_batches_change_nothing(monkeypatch):
    true, first, second, story = models(6, 0.2)
    first[:, 3] = 0.0
    masks = {"all": np.ones(60, bool), "none": np.arange(60) == 3}
    whole = jackknife(true, first, second, story, masks)
    assert whole.n_voxels == {"all": 59, "none": 0}
    assert np.isnan(contrast(whole, "none")["difference"])
    monkeypatch.setattr(permutation_test, "_BYTES_AT_ONCE", 1e4)
    parts = jackknife(true, first, second, story, masks)
    assert_allclose(contrast(parts, "all")["high"], contrast(whole, "all")["high"])
