import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.speech import features
from brainwavlm.speech.features import StoryFeatures, kept_features, read_features, write_features

FEATURES = StoryFeatures(np.arange(1, 51) / 4.0, {k: np.full((50, 32), k, np.float32) for k in (0, 3, 12)})


def assert_same(one, other):
    np.testing.assert_array_equal(one.times, other.times)
    assert one.times.dtype == other.times.dtype == np.float64
    assert one.layers.keys() == other.layers.keys()
    for layer, array in one.layers.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, other.layers[layer])


def write_half(path, half):
    """Write features, and wait where half of the bytes are there."""
    save = features.save_file

    def slow_save(tensors, path, metadata):
        save(tensors, path, metadata=metadata)
        content = Path(path).read_bytes()
        Path(path).write_bytes(content[: len(content) // 2])
        half.set()
        time.sleep(60)

    features.save_file = slow_save
    write_features(path, FEATURES, {})


# From Python 3.12 on a fork beside threads is warned of; this process uses none of the parent's.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_writer_killed_half_way_leaves_nothing_that_is_read(tmp_path):
    path, processes = tmp_path / "a.safetensors", multiprocessing.get_context("fork")
    half = processes.Event()
    writer = processes.Process(target=write_half, args=(path, half))
    writer.start()
    assert half.wait(60)
    writer.kill()
    writer.join()
    (left,) = tmp_path.iterdir()  # the half file, under a name that nobody looks for
    assert left.stat().st_size > 0
    assert left.suffix != ".safetensors"
    assert left.name.startswith(".")
    write_features(path, FEATURES, {})
    assert_same(read_features(path), FEATURES)


def test_writers_at_the_same_time_leave_one_whole_file(tmp_path):
    path = tmp_path / "new" / "a.safetensors"
    write_features(path, FEATURES, {})
    stop = time.monotonic() + 1.0

    def write(_):
        while time.monotonic() < stop:
            write_features(path, FEATURES, {})

    def read(_):
        count = 0
        while time.monotonic() < stop:
            assert_same(read_features(path), FEATURES)
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, n) for n in range(2)]
        readers = [pool.submit(read, n) for n in range(2)]
        assert all(reader.result() > 0 for reader in readers)
        assert all(writer.result() is None for writer in writers)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_file_is_named_with_its_remedy(tmp_path, damage):
    path = tmp_path / "a.safetensors"
    write_features(path, FEATURES, {})
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content[:-50] if damage == "cut" else content)
    with pytest.raises(DatasetError, match="Delete it") as caught:
        read_features(path)
    assert caught.value.path == str(path)


def test_a_folder_that_cannot_be_written_to_is_told_before_features_are_made():
    with pytest.raises(ConfigError, match=r"cache: /proc cannot be written to"):
        kept_features("/proc", {"audio": "abc"}, lambda: pytest.fail("made them"))
