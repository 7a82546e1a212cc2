import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import split_recordings
from brainwavlm.datasets.labels import label_files
from tests.trees import N_VOXELS, ds003020_tree

TRUE_FILES = Path(__file__).parents[3] / "shared" / "reference" / "ds003020_files.json"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return ds003020_tree(tmp_path_factory.mktemp("published"))


@pytest.mark.parametrize("name", ["derivative", "derivatives"])
def test_both_spellings_of_the_derivatives_are_found(tmp_path, name):
    dataset = load_dataset(ds003020_tree(tmp_path, subjects=("UTS05",), derivative=name))
    assert dataset.name == "ds003020"
    assert dataset.subject_names == ("UTS05",)


def test_row_k_of_the_file_is_at_sound_time_10_plus_2k_and_only_the_test_story_has_repeats(tree):
    dataset = load_dataset(tree)
    recordings = dataset.subject("UTS03").recordings
    souls = recordings["souls"]
    assert_array_equal(souls.tr_times, 10.0 + 2.0 * np.arange(5))
    with h5py.File(tree / "derivative/preprocessed_data/UTS03/souls.hf5") as file:
        assert_array_equal(souls.responses(), file["data"][()].astype(np.float32))
    assert recordings["wheretheressmoke"].repeats().shape == (5, 5, N_VOXELS)
    assert souls.repeats() is None
    assert (dataset.expected_rows("souls"), dataset.expected_rows("unknown")) == (5, None)


def test_splits_are_those_of_the_authors_and_onapproachtopluto_is_stated_as_missing(tree):
    dataset = load_dataset(tree)
    splits = {
        name: {
            split: [r.story.name for r in own]
            for split, own in split_recordings(dataset.subject(name)).items()
        }
        for name in dataset.subject_names
    }
    assert splits["UTS03"] == {
        "train": ["alternateithicatom", "souls", "stagefright"],
        "validation": ["fromboyhoodtofatherhood"],
        "test": ["wheretheressmoke"],
    }
    assert splits["UTS09"] == {
        "train": ["alternateithicatom", "souls"],
        "validation": ["stagefright"],
        "test": ["wheretheressmoke"],
    }
    assert any("onapproachtopluto" in fact and "stagefright" in fact for fact in dataset.facts)


@pytest.mark.skipif(not TRUE_FILES.is_file(), reason="the list of the published files is not here")
def test_every_published_response_sound_and_transcript_is_found_under_its_true_name(tmp_path):
    published = json.loads(TRUE_FILES.read_text())
    for name in published:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(f"/nowhere/.git/annex/objects/{published[name]['md5']}")
    dataset = load_dataset(tmp_path)
    assert dataset.subject_names == tuple(f"UTS0{number}" for number in range(1, 10))
    counts = {name: len(dataset.recordings(name)) for name in dataset.subject_names}
    assert counts == dict.fromkeys(["UTS01", "UTS02", "UTS03"], 84) | {"UTS04": 26} | dict.fromkeys(
        ["UTS05", "UTS06", "UTS07", "UTS08"], 27
    ) | {"UTS09": 54}
    found = {str(story.audio.relative_to(tmp_path)) for story in dataset.stories.values()}
    found |= {str(story.transcript.relative_to(tmp_path)) for story in dataset.stories.values()}
    found |= {
        str(recording.path.relative_to(tmp_path))
        for name in dataset.subject_names
        for recording in dataset.recordings(name).values()
    }
    unread = {name for name in published if name.endswith((".hf5", ".wav", ".TextGrid"))} - found
    assert found <= set(published)
    assert unread <= {"stimuli/auditory_localizer.wav", "derivative/english1000sm.hf5"}
    for name in dataset.subject_names:
        splits = {recording.story.split for recording in dataset.recordings(name).values()}
        assert splits == {"train", "validation", "test"}
    assert dataset.voxel_mask("UTS03") is not None
    files = dataset.surface_files("UTS03")
    anatomy = [files.surface(kind, side) for kind in ("pia", "wm", "flat") for side in ("lh", "rh")]
    anatomy += [files.mask, files.transform / "matrices.xfm", files.folder / "overlays.svg"]
    labels = label_files(tmp_path / "derivative/freesurfer_subjdir/UTS03/label")
    assert list(labels) == ["aparc", "a2009s", "DKT", "BA", "BA.thresh"]
    anatomy += [file for pair in labels.values() for file in pair]
    assert {str(file.relative_to(tmp_path)) for file in anatomy} <= set(published)
