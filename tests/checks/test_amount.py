"""What little data cannot tell is said beforehand, by the numbers that the statistics will have."""

import numpy as np
import pytest
from scipy.signal import lfilter

from brainwavlm.checks import amount, check_dataset
from brainwavlm.checks.amount import amount_facts, rows_for, smallest_change
from brainwavlm.config import EvaluationConfig, RidgeConfig
from brainwavlm.encoding.plan import plan
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.statistics import jackknife, permutation_test, tests
from brainwavlm.evaluation.statistics.block_permutation import least_paired_p
from tests.trees import native_tree


def facts(fitted=(300,) * 10, tested=(300,) * 4, n_voxels=1000, **evaluation):
    return list(amount_facts(fitted, tested, n_voxels, RidgeConfig(), EvaluationConfig(**evaluation)))


def test_the_numbers_are_those_of_the_statistics():
    assert amount.FEWEST_STORIES == jackknife.FEWEST_STORIES
    assert amount.FEWEST_FOR_TAIL == permutation_test.FEWEST_FOR_TAIL
    assert amount.LEVEL == tests.LEVEL
    assert amount.BLOCK_AT_BEST == tests.TAUS_OF_A_BLOCK


def test_what_has_other_folds_intervals_or_tests_is_said_and_enough_data_needs_no_word():
    assert facts() == []
    [fact] = facts(fitted=(300,))
    assert "5 folds" in fact
    assert "consecutive blocks" in fact
    for n in (1, 2):
        of_few = [fact for fact in facts(tested=(900,) * n) if f"{n} test stor" in fact]
        assert any("over blocks of rows" in fact for fact in of_few)
        assert "of th" in jackknife.left_out_pieces(np.repeat(np.arange(n), 900))[1]
    assert any("no change can be tested" in fact for fact in facts(tested=(12,)))
    assert least_paired_p(np.zeros(12), 7) == 1


def test_the_smallest_p_is_held_against_the_number_of_voxels():
    """40 rows: 5 blocks of 7, no p below 1/16 whatever is drawn."""
    [fact] = [fact for fact in facts(tested=(40,)) if "a change in a voxel" in fact]
    assert least_paired_p(np.zeros(40), 7) == 1 / 16
    assert "no p below 0.062" in fact
    assert "cannot be reached in any of 1,000 voxels" in fact
    [fact] = [fact for fact in facts(tested=(42,)) if "a change in a voxel" in fact]
    assert "needs 625 of 1,000 voxels" in fact
    [fact] = [fact for fact in facts(tested=(42,)) if "a prediction in a voxel" in fact]
    assert "no p below 0.024" in fact
    assert not any("in a voxel gives" in fact for fact in facts(tested=(300,)))  # a normal tail goes lower


def test_a_change_that_is_too_small_for_the_rows_is_said_to_be_so():
    [fact] = [fact for fact in facts(tested=(291,) * 1) if "cannot be told" in fact]
    assert "from about 0.09 on" in fact
    assert f"needs some {rows_for(0.05):,} rows" in fact
    assert smallest_change(rows_for(0.05)) <= 0.05 < smallest_change(rows_for(0.05) - 1)


def test_the_spread_of_a_change_is_what_the_formula_says():
    """Two predictions that correlate .9 and are equally good: r_2 - r_1 over 4,000 voxels of AR(1) noise of .4."""
    n, random = 400, np.random.default_rng(0)

    def series():
        return lfilter([np.sqrt(0.84)], [1, -0.4], random.standard_normal((n + 50, 4000)), axis=0)[50:]

    shared, response = series(), series()
    first, second = (np.sqrt(0.9) * shared + np.sqrt(0.1) * series() for _ in range(2))
    spread = np.std(correlation(response, second) - correlation(response, first))
    assert spread == pytest.approx(smallest_change(n) / 2.8, rel=0.05)


def test_check_and_plan_say_the_same(settings, tmp_path):
    path = native_tree(tmp_path, n_trs=40, seconds=90.0, n_voxels=500).path
    said = plan(settings(dataset=str(path), evaluation__shifts=1000), calibration_steps=1).notes
    assert any(
        "The test of a change in a voxel gives no p below 0.062 on 40 test rows" in note for note in said
    )
    assert [fact for fact in check_dataset(path).facts if fact.startswith("anna")] == said
