import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import brainwavlm.datasets
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import SPLITS, Recording, Story, Subject, heard_elsewhere, split_recordings
from brainwavlm.errors import ConfigError
from tests.trees import N_VOXELS


def listener(splits):
    stories = {name: Story(name, f"{name}.wav", None, split) for name, split in splits.items()}
    return Subject(
        "anna", {name: Recording("anna", story, f"{name}.h5", 2.0) for name, story in stories.items()}
    )


NAMES = st.dictionaries(st.text(min_size=1, max_size=3), st.sampled_from(SPLITS), max_size=8)


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


def test_a_story_named_for_two_splits_is_an_error():
    with pytest.raises(ConfigError, match="dog is in two splits"):
        split_recordings(listener({"dog": "train", "ferry": "test"}), train=["dog"], test=["dog"])


def test_a_story_that_was_not_heard_is_an_error_that_names_those_that_were():
    with pytest.raises(ConfigError, match=r"no recording of dgo(.|\n)*dog, ferry"):
        split_recordings(listener({"dog": "train", "ferry": "test"}), train=["dgo"])


def test_a_test_story_that_was_tuned_on_is_found_whoever_heard_it(native):
    assert heard_elsewhere(load_dataset(native), ["dog", "ferry", "market"], ["market", "garden"]) == [
        "market"
    ]


def test_chosen_columns_are_those_of_the_whole(native):
    recording = load_dataset(native).recordings("anna")["market"]
    chosen = np.isin(np.arange(N_VOXELS), [1, 4, 29])
    assert_array_equal(recording.responses(columns=chosen), recording.responses()[:, chosen])
    assert_array_equal(recording.responses(slice(2, 5), slice(3, 9)), recording.responses()[2:5, 3:9])
    assert_array_equal(recording.repeats(chosen), recording.repeats()[..., chosen])
    assert recording.responses().dtype == np.float32


def test_nan_stays_nan(native):
    recording = load_dataset(native).recordings("anna")["dog"]
    with h5py.File(recording.path, "a") as file:
        file["data"][3, 4] = np.nan
    assert np.isnan(recording.responses()[3, 4])


def test_without_times_the_start_attribute_counts(native):
    recording = load_dataset(native).recordings("anna")["dog"]
    with h5py.File(recording.path, "a") as file:
        del file["tr_times"]
        file.attrs["start"] = 6.0
    assert_array_equal(recording.tr_times, 6.0 + 2.0 * np.arange(12))


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, brainwavlm.datasets; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numpy", "h5py", "nibabel", "soundfile", "pydantic", "yaml"} & set(modules)


def test_every_public_name_is_there():
    for name in brainwavlm.datasets.__all__:
        assert getattr(brainwavlm.datasets, name).__name__ == name
