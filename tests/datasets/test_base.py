import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Subject, split_recordings
from brainwavlm.datasets.hdf5 import open_hdf5
from brainwavlm.datasets.responses import SPLITS, Recording, Story
from brainwavlm.errors import ConfigError, DatasetError
from tests.damage import put
from tests.trees import N_VOXELS


def listener(splits):
    stories = {name: Story(name, f"{name}.wav", None, split) for name, split in splits.items()}
    return Subject(
        "anna", {name: Recording("anna", story, f"{name}.h5", 2.0) for name, story in stories.items()}
    )


NAMES = st.dictionaries(st.text(min_size=1, max_size=3), st.sampled_from(SPLITS), max_size=8)


@settings(max_examples=40)
@given(NAMES, st.data())
def test_every_story_is_in_the_split_that_names_it_and_in_no_other(splits, data):
    named = data.draw(
        st.dictionaries(st.sampled_from(sorted(splits)), st.sampled_from(SPLITS)) if splits else st.just({})
    )
    chosen = {split: [name for name in named if named[name] == split] for split in SPLITS}
    chosen = {split: names or None for split, names in chosen.items()}
    found = split_recordings(listener(splits), **chosen)
    names = {split: [recording.story.name for recording in found[split]] for split in SPLITS}
    for split in SPLITS:
        if chosen[split] is not None:
            assert names[split] == sorted(chosen[split])
        else:
            assert names[split] == sorted(
                name for name in splits if splits[name] == split and name not in named
            )


def test_a_story_of_two_splits_or_of_none_is_an_error():
    heard = listener({"dog": "train", "ferry": "test"})
    with pytest.raises(ConfigError, match="dog is in two splits"):
        split_recordings(heard, train=["dog"], test=["dog"])
    with pytest.raises(ConfigError, match=r"no recording of dgo(.|\n)*dog, ferry"):
        split_recordings(heard, train=["dgo"])


EMPTY, MARKET = h5py.Empty("f8"), "responses/anna/market.h5"


@pytest.fixture
def recording(native):
    return load_dataset(native).recordings("anna")["market"]


def test_chosen_columns_are_those_of_the_whole(native, recording):
    chosen = np.isin(np.arange(N_VOXELS), [1, 4, 29])
    assert_array_equal(recording.responses(columns=chosen), recording.responses()[:, chosen])
    assert_array_equal(recording.responses(slice(2, 5), slice(3, 9)), recording.responses()[2:5, 3:9])
    assert_array_equal(recording.repeats(chosen), recording.repeats()[..., chosen])
    put(MARKET, "individual_repeats", np.zeros((0, 12, 30)))(native)
    assert recording.repeats(chosen) is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tr_times", 4 + 2.0 * np.arange(11), r"shape \(11,\) beside 12 rows"),
        ("tr_times", np.r_[4.0, np.nan, 8 + 2.0 * np.arange(10)], "1 of 12 times are no numbers"),
        ("tr_times", 4 + 2j * np.arange(12), "type complex128"),
        ("tr_times", np.full(12, 4.0), "not increasing at row 1"),
        ("tr_times", EMPTY, "shape None beside 12 rows"),
        ("tr_times", h5py.SoftLink("/nowhere"), "tr_times cannot be opened"),
        ("data", np.zeros((12, 30), complex), "data of type complex128"),
        ("data", np.zeros((0, 30)), r"data of shape \(0, 30\)"),
        ("data", EMPTY, "data None"),
        ("data", h5py.SoftLink("/nowhere"), "data cannot be opened"),
        ("individual_repeats", np.zeros((12, 30)), r"shape \(12, 30\) beside data of shape \(12, 30\)"),
        ("individual_repeats", np.zeros((3, 11, 30)), r"shape \(3, 11, 30\)"),
        ("individual_repeats", np.zeros((3, 12, 30), complex), "type complex128"),
        ("individual_repeats", EMPTY, "shape None"),
        ("individual_repeats", h5py.SoftLink("/nowhere"), "individual_repeats cannot be opened"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_all_that_reads_them(native, recording, name, value, message):
    put(MARKET, name, value)(native)
    of_times, of_repeats = (lambda: recording.tr_times), (lambda: recording.repeats(slice(0, 1)))
    of_data = (recording.responses, lambda: recording.shape, of_times, of_repeats)
    for read in {"tr_times": (of_times,), "individual_repeats": (of_repeats,)}.get(name, of_data):
        with pytest.raises(DatasetError, match=message):
            read()


@pytest.mark.parametrize("start", [[1.0, 2.0], np.nan, np.inf, "two", 2j, True, EMPTY, 1e300], ids=str)
def test_a_start_that_is_not_one_finite_number_is_refused(native, recording, start):
    put(MARKET, "tr_times", None)(native)
    put(MARKET, "@start", start)(native)
    with pytest.raises(DatasetError, match=r"start = |not increasing"):
        recording.tr_times  # noqa: B018


def test_links_that_lead_somewhere_are_followed(recording):
    expected = recording.responses()
    with h5py.File(recording.path, "a") as file:
        file.move("data", "bold")
        file["data"] = h5py.SoftLink("/bold")
    assert_array_equal(recording.responses(), expected)


def test_a_name_that_is_too_long_is_refused(tmp_path):
    for read in (lambda path: open_hdf5(path).__enter__(), load_dataset):
        with pytest.raises(DatasetError, match="file name too long"):
            read(tmp_path / ("x" * 300))
