"""What HDF5 cannot read is told as the input's fault, with a step that helps."""

import subprocess
import sys
import types
from pathlib import Path

import h5py
import numpy as np
import pytest

from brainwavlm.checks import check_dataset
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.anatomy import anatomy_problems
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.word_vectors import read_embeddings
from tests.trees import N_VOXELS, responses


def compress(path, name, code, shape=(12, N_VOXELS)):
    """Write an array whose chunk only the filter of that number can undo, which is not installed here."""
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        pipeline = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        pipeline.set_chunk(shape)
        pipeline.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (2, 2, 8))
        space = h5py.h5s.create_simple(shape)
        array = h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F64LE, space, pipeline)
        array.write_direct_chunk((0,) * len(shape), b"\x02\x01\x13" * 40)


@pytest.mark.parametrize(  # as files in the wild have them: h5py#2294 and #611
    ("code", "name", "remedy"),
    [(32001, "Blosc", "Install it:  pip install hdf5plugin"), (32999, "unknown", "h5repack")],
)
def test_a_filter_that_is_not_installed_is_named_with_what_brings_it(native, code, name, remedy):
    path = native / "responses/anna/dog.h5"
    compress(path, "data", code)
    problem = next(one for one in check_dataset(native).problems if one.path == "responses/anna/dog.h5")
    assert f"{name} ({code})" in problem.found
    assert remedy in problem.remedy
    with pytest.raises(DatasetError, match=str(code)):
        load_dataset(native).recordings("anna")["dog"].responses()


def test_an_installed_plugin_is_asked_for_its_filters(native, monkeypatch):
    """Installing hdf5plugin is not enough for h5py: something has to import it."""
    compress(native / "responses/anna/dog.h5", "data", 32001)
    asked = []
    available = h5py.h5z.filter_avail
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: bool(asked) or available(code))
    monkeypatch.setitem(sys.modules, "hdf5plugin", types.ModuleType("hdf5plugin"))
    monkeypatch.setattr(
        "brainwavlm.datasets.hdf5.import_module", lambda name: asked.append(name) or sys.modules[name]
    )
    assert load_dataset(native).recordings("anna")["dog"].shape == (12, N_VOXELS)
    assert asked == ["hdf5plugin"]


@pytest.mark.parametrize("name", ["tr_times", "individual_repeats"])
def test_every_array_is_asked_for_its_filter(native, name):
    story = "market"
    shape = (12,) if name == "tr_times" else (3, 12, N_VOXELS)
    compress(native / f"responses/anna/{story}.h5", name, 32001, shape)
    told = [str(one) for one in check_dataset(native).errors]
    assert [name in one and "Blosc" in one for one in told] == [True]


def test_other_hdf5_inputs_say_so_too(native, tmp_path):
    compress(native / "subjects/anna.h5", "ceiling", 32001, (N_VOXELS,))
    assert "Blosc" in str(anatomy_problems(native / "subjects/anna.h5", N_VOXELS)[0])
    vectors = tmp_path / "vectors.hf5"
    with h5py.File(vectors, "w") as file:
        file["vocab"] = [b"dog"]
    compress(vectors, "data", 32001, (5, 1))
    with pytest.raises(DatasetError, match="Blosc"):
        read_embeddings(vectors, {"dog"})


def test_a_damaged_piece_is_the_files_fault(native):
    """One byte of a compressed piece is wrong: the file opens, and fails while it is read."""
    path = native / "responses/anna/dog.h5"
    with h5py.File(path, "a") as file:
        del file["data"]
        chunks = {"compression": "gzip", "chunks": (4, N_VOXELS)}
        array = file.create_dataset("data", data=responses(12, N_VOXELS, 0), **chunks)
        offset = array.id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 40] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="cannot be read to its end") as caught:
        load_dataset(native).recordings("anna")["dog"].responses()
    assert caught.value.path == str(path)


def test_a_file_that_another_program_writes_to_is_not_called_damaged(native):
    path = native / "responses/anna/dog.h5"
    with h5py.File(path, "a"):
        code = (
            "import sys; from brainwavlm.datasets.hdf5 import open_hdf5; from pathlib import Path\n"
            "with open_hdf5(Path(sys.argv[1])): pass"
        )
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert "is open for writing" in done.stderr
    assert "Download it again" not in done.stderr


def in_part(file, values):
    """Half of the rows in all columns, and all rows in half of the columns: three pieces of four."""
    array = file.create_dataset("data", values.shape, "f4", chunks=(6, N_VOXELS // 2), compression="gzip")
    array[:6] = values[:6]
    array[:, : N_VOXELS // 2] = values[:, : N_VOXELS // 2]


def grown(file, values):
    file.create_dataset("data", (12, N_VOXELS), "f4", maxshape=(None, N_VOXELS), chunks=(4, N_VOXELS))[:8] = (
        values[:8]
    )


def outside(file, values):
    raw = Path(file.filename).with_suffix(".raw")
    raw.write_bytes(values[:6].tobytes())
    file.create_dataset("data", values.shape, values.dtype, external=[(str(raw), 0, values.nbytes)])


def view(file, values, name="data", columns=N_VOXELS):
    with h5py.File(Path(file.filename).parent / "source.hdf", "w") as source:
        source["data"] = values
    layout = h5py.VirtualLayout(values.shape, "f4")
    layout[:, :columns] = h5py.VirtualSource("source.hdf", name, values.shape)[:, :columns]
    file.create_virtual_dataset("data", layout)


def without_source(file, values):
    view(file, values)
    (Path(file.filename).parent / "source.hdf").unlink()


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (in_part, "data was never written in 1 of its 4 pieces"),
        (grown, "data was never written in 1 of its 3 pieces"),
        (outside, "data was never written in 1 of its 1 pieces"),
        (without_source, "data is a view of source.hdf, which is not there"),
        (lambda file, values: view(file, values, "other"), "other in source.hdf, which holds no such array"),
        (lambda file, values: view(file, values, columns=N_VOXELS // 2), "leaves 180 of 360 numbers open"),
    ],
)
def test_what_was_never_written_is_not_read_as_zeros(native, write, told):
    """What a killed conversion leaves (h5py #455): HDF5 gives its fill value, and the rest looks like responses."""
    with h5py.File(native / "responses/anna/dog.h5", "a") as file:
        values = file["data"][()]
        del file["data"]
        write(file, values)
    with pytest.raises(DatasetError, match=told):
        load_dataset(native).recordings("anna")["dog"].responses()
    assert told in " ".join(problem.found for problem in check_dataset(native).problems)


def test_what_was_written_in_pieces_or_is_seen_through_a_view_is_read(native):
    for write in (view, lambda file, values: file.create_dataset("data", data=values, chunks=(5, 7))):
        with h5py.File(native / "responses/anna/dog.h5", "a") as file:
            values = file["data"][()]
            del file["data"]
            write(file, values)
        np.testing.assert_array_equal(load_dataset(native).recordings("anna")["dog"].responses(), values)
