import tracemalloc

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from brainwavlm.checks.report import Problems
from brainwavlm.checks.responses import check_responses
from brainwavlm.datasets import load_dataset, repeats
from brainwavlm.datasets import usable_voxels as voxels_module
from brainwavlm.datasets.responses import Recording, Story
from brainwavlm.datasets.usable_voxels import censored_rows, scan, usable_voxels
from brainwavlm.errors import DatasetError
from tests.damage import within
from tests.trees import responses

VALUES = st.sampled_from([0.0, 1.0, -2.5, np.nan, np.inf, -np.inf])


@given(
    arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 6)), elements=VALUES), st.integers(1, 9)
)
def test_pieces_of_rows_give_what_the_whole_gives(data, step):
    found = scan(data[first : first + step] for first in range(0, len(data), step))
    censored = (np.isnan(data) | (data == 0)).all(1)
    if not censored.all():
        assert_array_equal(found.censored, np.flatnonzero(censored))
        data = data[~censored]
    assert_array_equal(found.nan, np.isnan(data).any(0))
    assert_array_equal(found.infinite, np.isinf(data).any(0))
    finite = np.isfinite(data).all(0)
    assert_array_equal(found.constant, finite & (data == data[0]).all(0))


@pytest.mark.parametrize(
    ("row", "censored"),
    [
        (np.full(12, 100.0), True),
        (np.r_[np.full(10, -9999.0), np.nan, np.nan], True),  # voxels outside the brain
        (np.full(12, np.inf), False),
        (np.r_[np.full(11, 5.0), 5.1], False),
        (np.r_[np.full(11, 5.0), -1.0], False),
        (np.r_[np.zeros(11), np.nan], True),
    ],
)
def test_a_row_of_one_number_is_a_volume_that_was_taken_out(row, censored):
    data = responses(8, 12, seed=0)
    data[5] = row
    assert_array_equal(censored_rows(data), [False] * 5 + [censored, False, False])


@pytest.mark.parametrize(("level", "n_constant"), [(1e3, 0), (-1e6, 12)])
def test_what_is_lost_beside_a_large_level_is_constant(level, n_constant):  # z-scores took it for rounding
    assert (
        np.count_nonzero(scan([(level + responses(8, 12, seed=0)).astype(np.float32)]).constant) == n_constant
    )


def test_a_voxel_that_fails_in_one_story_is_left_out_of_all(native):
    recordings = load_dataset(native).recordings("anna")
    for story, column, value in (("dog", 3, np.nan), ("ferry", 4, 2.0), ("market", 5, -np.inf)):
        within(f"responses/anna/{story}.h5", "data", (slice(None), column), value)(native)
    kept, counts, _ = usable_voxels(recordings.values())
    assert list(np.flatnonzero(~kept)) == [3, 4, 5]
    assert counts == {"nan": 1, "infinite": 1, "constant": 1}


def test_stories_of_different_width_are_refused(native):
    recordings = load_dataset(native).recordings("anna")
    with h5py.File(recordings["ferry"].path, "w") as file:
        file["data"] = responses(5, 7, seed=0)
    with pytest.raises(DatasetError, match=r"7 voxels(.|\n)*30 voxels, as in dog\.h5"):
        usable_voxels(recordings.values())
    with pytest.raises(DatasetError, match="no recording"):
        usable_voxels([])


@pytest.mark.filterwarnings("error")
def test_numbers_too_large_for_float32_count_as_infinite(tmp_path):
    recording = large_recording(tmp_path, (4, 3), None)
    with h5py.File(recording.path, "a") as file:
        file["data"][...] = responses(4, 3, seed=0)
        file["data"][0, 1] = 1e300
    assert usable_voxels([recording])[1] == {"nan": 0, "infinite": 1, "constant": 0}


def test_memory_grows_neither_with_the_size_of_a_file_nor_with_the_number_of_stories(tmp_path, monkeypatch):
    monkeypatch.setattr(voxels_module, "_BYTES", 1 << 20)
    monkeypatch.setattr(repeats, "_BYTES_AT_ONCE", 1 << 20)
    recording = large_recording(tmp_path, (300, 2000), (6, 300, 2000))  # 5 MB and 29 MB, sparse
    tracemalloc.start()
    try:
        usable_voxels([recording] * 2)
        check_responses(Problems(), recording, seconds=None, expected_rows=None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6e6  # 43 MB where all is read at once


def large_recording(folder, shape, repeats):
    path = folder / "story.h5"
    with h5py.File(path, "w") as file:
        arrays = {"data": shape} | ({"individual_repeats": repeats} if repeats else {})
        for name, size in arrays.items():
            # Written, so that it is there, and not filled, so that the file has holes in place of gigabytes.
            file.create_dataset(name, size, dtype=np.float64, fill_time="never")[..., 0, 0] = 1.0
    return Recording("anna", Story("story", folder / "story.wav", None, "test"), path, tr=2.0)
