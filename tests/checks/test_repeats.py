"""Single presentations that no ceiling can be measured on are named by check, with story and repeat, and refused."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

from brainwavlm.checks import check_dataset
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.noise_ceiling import cc_max, ceiling
from brainwavlm.errors import DatasetError
from tests.damage import edited, put
from tests.trees import N_VOXELS, native_tree

MARKET = "responses/anna/market.h5"
N_ROWS = 60


def presentations(n=4, seed=0):
    """Signal and noise of equal power."""
    random = np.random.default_rng(seed)
    signal = random.standard_normal((N_ROWS, N_VOXELS))
    return signal + random.standard_normal((n, N_ROWS, N_VOXELS))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """One subject without a ceiling of its own."""
    folder = native_tree(tmp_path_factory.mktemp("tree"), ("anna",), n_trs=N_ROWS, seconds=130.0).path
    edited("dataset.yaml", "    anatomy: subjects/anna.h5\n", "")(folder)
    return folder


@pytest.fixture
def problems(tree):
    """A function from repeats, and data, to what check says of them."""

    def told(repeats, data=None):
        put(MARKET, "individual_repeats", repeats)(tree)
        put(MARKET, "data", repeats.mean(0) if data is None else data)(tree)
        return [one for one in check_dataset(tree).problems if one.kind == "repeats"]

    return told


def measured(tree):
    return ceiling(load_dataset(tree).recordings("anna").values(), N_VOXELS)[0]


def test_repeats_as_they_should_be_are_no_problem(problems, tree):
    assert problems(presentations()) == []
    assert abs(np.nanmean(measured(tree)) - np.sqrt(0.8)) < 0.05
    z = presentations()
    z = (z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True)
    assert (
        problems(presentations() * np.array([1, 5, 1, 1])[:, None, None], z.mean(0) * 3) == []
    )  # "up to scale"
    assert problems(presentations(2)) == []


@pytest.mark.parametrize(
    "copy",
    [
        lambda repeats: 3 * repeats[0] + 10,  # another unit
        lambda repeats: repeats[0] + 0.05 * presentations(1, seed=5)[0],  # smoothed or resampled once more
    ],
    ids=["rescaled", "nearly"],
)
def test_a_repeat_that_is_there_twice_is_named_and_refused(problems, tree, copy):
    """nsddatapaper#1 and kin: a copy's noise passes for signal."""
    repeats = presentations()
    doubled = np.concatenate([repeats, copy(repeats)[None]])
    [problem] = problems(doubled)
    assert problem.severity == "error"
    assert "individual_repeats of market: repeats 0 and 4 are the same recording" in problem.found
    with pytest.raises(DatasetError, match="repeats 0 and 4 are the same recording"):
        measured(tree)
    with pytest.raises(ValueError, match="repeats 0 and 4"):
        cc_max(doubled)


def test_a_constant_repeat_is_named_and_refused(problems, tree):
    repeats = presentations()
    repeats[2] = 7.0
    [problem] = [one for one in problems(repeats) if one.severity == "error"]
    assert "repeat 2 does not vary" in problem.found
    with pytest.raises(DatasetError, match="repeat 2 does not vary"):
        measured(tree)


@pytest.mark.parametrize(
    "other",
    [
        lambda repeats: presentations(1, seed=9)[0],  # of another story
        lambda repeats: np.roll(repeats[1], 7, axis=0),  # begins elsewhere
    ],
    ids=["another story", "shifted"],
)
def test_a_repeat_that_has_nothing_in_common_with_the_others_is_named(problems, tree, other):
    repeats = presentations()
    repeats[1] = other(repeats)
    [problem] = problems(repeats)
    assert problem.severity == "warning"
    assert "repeat 1 of market" in problem.found
    assert "than chance" in problem.found
    assert measured(tree) is not None


def test_data_that_are_not_the_mean_of_the_repeats_are_named(problems):
    repeats = presentations()
    [problem] = problems(repeats, presentations(seed=3).mean(0))
    assert "the mean of individual_repeats of market is not data" in problem.found
    [problem] = problems(repeats, repeats[1])
    assert "data are repeat 1 alone" in problem.found
    [problem] = problems(repeats, np.roll(repeats.mean(0), 1, axis=0))
    assert problem.severity == "warning"


def test_a_ceiling_of_the_subjects_own_needs_no_repeats(tmp_path):
    folder = native_tree(tmp_path, ("anna",)).path
    with h5py.File(folder / MARKET, "a") as file:
        file["individual_repeats"][1] = file["individual_repeats"][0]
    report = check_dataset(folder)
    assert report.usable
    assert any("are the same recording" in one.found for one in report.warnings)


def test_a_volume_censored_in_one_repeat_costs_that_row_and_not_the_ceiling(problems, tree):
    repeats = presentations()
    repeats[1, 5] = np.nan
    repeats[3, 9] = 0.0
    assert [one.severity for one in problems(repeats, np.nan_to_num(repeats).mean(0))] == []
    kept = np.delete(repeats, [5, 9], axis=1).astype(np.float32)
    assert_allclose(measured(tree), cc_max(kept), rtol=1e-5)
