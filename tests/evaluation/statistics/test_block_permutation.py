from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.statistics import block_permutation as permutations
from brainwavlm.evaluation.statistics.block_permutation import (
    block_permutation_p,
    listener_sign_flip_p,
    paired_block_p,
)
from brainwavlm.evaluation.statistics.permutation_test import circular_shift_p
from tests.evaluation.statistics.test_circular_shift import autoregressive

LENGTHS = {"a": 97, "b": 61, "c": 141}


def stories():
    return np.repeat(list(LENGTHS), list(LENGTHS.values()))


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(0)
    return [autoregressive(rng, len(stories()), 1200, phi=0.5) for _ in range(3)]


def test_what_cannot_be_found_is_no_count_of_zero(noise):
    """Six blocks allow no p below 2 / 64: of 1,200 voxels 750 would have to reach it together."""
    true, first, second = (values[:60] for values in noise)
    story, everywhere = np.repeat("a", 60), np.ones(1200, bool)
    few = paired_block_p(true, first, second, story, 200, 0, block_rows=10)
    assert few.untestable(0.05) == {"least_p": 2 / 64, "n_voxels": 1200}
    assert np.isnan(few.n_below(0.05, everywhere))
    one = paired_block_p(true[:, :1], first[:, :1], second[:, :1], story, 200, 0, block_rows=10)
    assert one.n_below(0.05, everywhere[:1]) in (0, 1)
    all_better = paired_block_p(true, -true, true, story, 2000, 0, block_rows=10)
    assert all_better.n_below(0.05, everywhere) == 1200
    assert all_better.n_below(0.05, everywhere & (np.arange(1200) < 7)) == 7
    many = paired_block_p(true, first, second, story, 200, 0, block_rows=2)
    assert many.n_below(0.05, everywhere) == 0


# --- blocks in another order


def test_blocks_are_whole_long_enough_and_stay_in_their_story():
    order = permutations._block_order(stories(), 20, np.random.default_rng(2))
    assert_array_equal(np.sort(order), np.arange(len(order)))
    assert_array_equal(stories()[order], stories())
    assert not np.array_equal(order, np.sort(order))
    for blocks in permutations._blocks(stories(), 20):
        lengths = [block.stop - block.start for block in blocks]
        assert min(lengths) >= 20
        assert max(lengths) - min(lengths) <= 1
    edges = {block.start for story in permutations._blocks(stories(), 20) for block in story}
    torn = np.flatnonzero(np.diff(order) != 1) + 1
    assert set(order[torn]) <= edges  # rows follow each other but where a block starts


def test_p_of_blocks_equals_p_by_correlating_each_order():
    rng = np.random.default_rng(1)
    true, predicted = rng.standard_normal((2, len(stories()), 5))
    test = block_permutation_p(true, predicted, stories(), 60, 4, 20, {"two": np.arange(5) < 2})
    generator = np.random.default_rng(4)
    null = np.array(
        [correlation(true, predicted[permutations._block_order(stories(), 20, generator)]) for _ in range(60)]
    )
    r = correlation(true, predicted)
    assert_allclose(test.statistic, r, atol=1e-6)
    assert_array_equal(test.p, ((null >= r).sum(0) + 1) / 61)
    assert_array_equal(test.p_max, ((null.max(1)[:, None] >= r).sum(0) + 1) / 61)
    of_two = null[:, :2].mean(1)
    expected = (r[:2].mean(), ((of_two >= r[:2].mean()).sum() + 1) / 61, np.quantile(of_two, 0.95))
    assert_allclose(test.mean["two"], expected, atol=1e-6)


def test_blocks_keep_their_false_positives_on_autocorrelated_noise(noise):
    true, first, second = noise  # 1200 independent voxels: standard error .006
    alone = block_permutation_p(true, first, stories(), 300, seed=0, block_rows=20)
    assert 0.03 < (alone.p <= 0.05).mean() < 0.075
    # Both see the same part of the signal and have noise of their own.
    pair = paired_block_p(true, true + 2 * first, true + 2 * second, stories(), 400, seed=0, block_rows=20)
    assert 0.03 < (pair.p <= 0.05).mean() < 0.075


def test_a_voxel_without_variance_has_no_p_and_neither_it_nor_batches_change_the_others(noise, monkeypatch):
    true, predicted = noise[0][:, :50].copy(), noise[1][:, :50]
    whole = block_permutation_p(true[:, 1:], predicted[:, 1:], stories(), 40, seed=0, block_rows=20)
    true[:, 0] = 3.0
    monkeypatch.setattr(permutations, "VOXELS_AT_ONCE", 7)
    test = block_permutation_p(true, predicted, stories(), 40, seed=0, block_rows=20)
    assert np.isnan([test.statistic[0], test.p[0], test.p_max[0]]).all()
    assert_array_equal(test.p[1:], whole.p)
    assert_array_equal(test.p_max[1:], whole.p_max)


# --- the largest over voxels


def test_the_largest_over_voxels_keeps_the_chance_of_any_false_positive():
    any_found = any_found_uncorrected = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        true, predicted = (autoregressive(rng, len(stories()), 20, phi=0.5) for _ in range(2))
        test = circular_shift_p(true, predicted, stories(), 39, seed)
        any_found += test.p_max.min() <= 0.05
        any_found_uncorrected += test.p.min() <= 0.05
    assert any_found <= 14  # of 120; 6 expected, 14 once in 600
    assert any_found_uncorrected > 50


# --- tuned against frozen


def test_p_of_paired_blocks_equals_p_by_swapping_each():
    rng = np.random.default_rng(2)
    true, first, second = rng.standard_normal((3, 90, 6))
    second = 5 * second + 3  # neither scale nor offset of a prediction may matter
    story = np.repeat("a", 90)
    b1, b2 = ((v - v.mean(0)) / np.linalg.norm(v - v.mean(0), axis=0) for v in (first, second))
    blocks = permutations._blocks(story, 20)[0]
    every = []
    for swapped in product([False, True], repeat=len(blocks)):
        mixed, rest = b2.copy(), b1.copy()
        for block, swap in zip(blocks, swapped, strict=True):
            if swap:
                mixed[block], rest[block] = b1[block], b2[block]
        every.append(correlation(true, mixed) - correlation(true, rest))
    test = paired_block_p(true, first, second, story, 4000, 1, block_rows=20)
    assert_allclose(test.statistic, every[0], atol=1e-6)
    truth = (np.abs(every) >= np.abs(every[0]) - 1e-9).mean(0)
    assert_allclose(test.p, truth, atol=0.04)


# --- listeners


def test_five_listeners_who_all_gain_reach_one_in_thirty_two():
    test = listener_sign_flip_p(
        np.array([[0.01, 0.01], [0.02, 0.03], [0.01, -0.2], [0.05, 0], [0.01, 0.1]]), 10, 0
    )
    assert test.n_permutations == 31
    assert test.p[0] == 1 / 32
    assert test.p[1] > 0.1


def test_listeners_keep_their_false_positives_and_fewer_than_five_are_refused():
    rng = np.random.default_rng(0)
    for n_listeners in (8, 16):
        test = listener_sign_flip_p(rng.standard_normal((n_listeners, 4000)), 999, 0)
        assert 0.04 < (test.p <= 0.05).mean() < 0.06
    with pytest.raises(ConfigError, match=r"4 listeners\.\n.*5 listeners or more"):
        listener_sign_flip_p(np.ones((4, 10)), 100, 0)
