import numpy as np
import pytest

from brainwavlm.evaluation.learning_curve import minutes_needed, minutes_to_reach, story_subset
from tests.encoding.test_training_subset import Heard, Named


def test_a_subset_takes_each_story_that_still_fits():
    long, short, middle = (Heard(Named("a"), n_trs) for n_trs in (300, 60, 150))  # 10, 2 and 5 minutes
    assert story_subset([long, short, middle], 10) == [long]
    assert story_subset([short, long, middle], 10) == [short, middle]
    assert story_subset([short, long, middle], 17) == [short, long, middle]
    assert story_subset([long, short, middle], 1.9) == []


@pytest.mark.parametrize(
    ("points", "level", "expected"),
    [
        ([(20, 0.3), (5, 0.1), (10, 0.2)], 0.15, 7.5),  # in any order
        ([(5, 0.1), (10, 0.2)], 0.1, 5.0),  # the first amount is enough; less was not tried
        ([(5, 0.1), (10, 0.05), (20, 0.2)], 0.2, 20.0),
        ([(5, 0.1), (10, 0.1), (20, 0.1)], 0.2, np.nan),
    ],
)
def test_minutes_to_reach_a_level(points, level, expected):
    np.testing.assert_allclose(minutes_to_reach(points, level), expected)


def test_needed_minutes_come_from_means_over_draws():
    about = {"run": "r", "tuned_on": "a", "scored_on": "b", "target": "cortex"}
    rows = [
        {**about, "asked": 5.0, "minutes": 4.0, "r_frozen": 0.0, "r_tuned": 0.1},
        {**about, "asked": 5.0, "minutes": 5.0, "r_frozen": 0.0, "r_tuned": 0.2},
        {**about, "asked": np.nan, "minutes": 20.5, "r_frozen": 0.2, "r_tuned": 0.25},
    ]
    (found,) = minutes_needed(rows)
    assert (found["full_minutes"], found["r_frozen"]) == (20.5, 0.2)
    assert found["minutes_needed"] == pytest.approx(4.5 + 16 * 0.5)
    assert minutes_needed([]) == []
