"""Run folders: whole files only, one writer, nothing overwritten."""

import json
import multiprocessing

import numpy as np
import pytest
import torch

from brainwavlm.errors import DatasetError, RunError
from brainwavlm.runs import Checkpoint, open_run, summaries
from brainwavlm.writing import writing

VOXELS = np.array([True, False, True])
MANIFEST = {
    "config": {"subject": "anna", "seed": 1},
    "splits": {"train": ["a"]},
    "data": {"dataset": "d", "simulated": False, "n_voxels": 3},
    "backbone": {"checksum": "0"},
    "versions": {},
}


def checkpoint(epoch, best):
    tensors = {"x": torch.full((3,), float(epoch))}
    state = {"epoch": epoch, "step": epoch, "losses": [], "history": [], "best": best}
    return Checkpoint(tensors, tensors, state)


def test_a_new_run_holds_its_manifest_and_voxels(tmp_path):
    with writing(tmp_path / "run", MANIFEST, VOXELS, resume=False):
        pass
    run = open_run(tmp_path / "run")
    assert run.manifest["splits"] == MANIFEST["splits"]
    np.testing.assert_array_equal(run.voxels, VOXELS)
    assert run.config.subject == "anna"
    assert [row["state"] for row in summaries(tmp_path)] == ["unfinished"]


def test_a_run_is_never_overwritten(tmp_path):
    with writing(tmp_path, MANIFEST, VOXELS, resume=False):
        pass
    before = (tmp_path / "run.json").read_bytes()
    with (
        pytest.raises(RunError, match="unfinished run is here"),
        writing(tmp_path, MANIFEST, VOXELS, resume=False),
    ):
        pass
    assert (tmp_path / "run.json").read_bytes() == before


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="other files"), writing(tmp_path, MANIFEST, VOXELS, resume=False):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_resuming_nothing_is_an_error(tmp_path):
    with (
        pytest.raises(RunError, match="no run to resume"),
        writing(tmp_path / "x", MANIFEST, VOXELS, resume=True),
    ):
        pass
    assert not (tmp_path / "x").exists()


def test_resuming_with_another_configuration_names_the_difference(tmp_path):
    with writing(tmp_path, MANIFEST, VOXELS, resume=False):
        pass
    other = {**MANIFEST, "config": {"subject": "anna", "seed": 2}}
    with pytest.raises(RunError, match="seed is 1, asked 2"), writing(tmp_path, other, VOXELS, resume=True):
        pass


def _hold(folder, ready, go):
    with writing(folder, MANIFEST, VOXELS, resume=False):
        ready.set()
        go.wait(20)


def test_a_second_writer_is_refused_while_the_first_lives(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, go = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "run", ready, go))
    other.start()
    try:
        assert ready.wait(30)
        with (
            pytest.raises(RunError, match="another process"),
            writing(tmp_path / "run", MANIFEST, VOXELS, resume=True),
        ):
            pass
    finally:
        go.set()
        other.join()
    with writing(tmp_path / "run", MANIFEST, VOXELS, resume=True):
        pass


def test_the_last_and_the_best_checkpoint_stay_and_the_others_go(tmp_path):
    with writing(tmp_path, MANIFEST, VOXELS, resume=False) as writer:
        best = {"epoch": 1, "checkpoint": "00001-00000001"}
        for epoch in (1, 2, 3):
            writer.checkpoint(f"{epoch:05d}-{epoch:08d}", checkpoint(epoch, best))
    run = open_run(tmp_path)
    assert [path.name for path in run.checkpoints] == ["00001-00000001", "00003-00000003"]
    assert run.checkpoint("best").model["x"][0] == 1
    assert run.checkpoint("last").model["x"][0] == 3


def test_what_a_kill_left_half_written_is_removed_and_never_read(tmp_path):
    with writing(tmp_path, MANIFEST, VOXELS, resume=False) as writer:
        writer.log(event="step", step=1)
        writer.checkpoint("00001-00000001", checkpoint(1, None))
        writer.log(event="step", step=2)
    half = tmp_path / "checkpoints" / "00002-00000002.partial"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert len(open_run(tmp_path).checkpoints) == 1
    with writing(tmp_path, MANIFEST, VOXELS, resume=True) as writer:
        resumed = writer.resume()
        assert resumed is not None
        assert resumed.state["epoch"] == 1
    assert not half.exists()
    assert [event["step"] for event in open_run(tmp_path).log()] == [1]


def test_a_damaged_checkpoint_is_named(tmp_path):
    with writing(tmp_path, MANIFEST, VOXELS, resume=False) as writer:
        writer.checkpoint("00001-00000001", checkpoint(1, None))
    (tmp_path / "checkpoints" / "00001-00000001" / "model.safetensors").write_bytes(b"no")
    with pytest.raises(RunError, match="00001-00000001"):
        open_run(tmp_path).checkpoint("last")


@pytest.mark.parametrize("content", ["{", json.dumps({"format": 99})])
def test_a_manifest_that_is_damaged_or_of_another_format_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"run\.json"):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", "[]"),
        ("run.json", '{"format": 1}'),
        ("voxels.safetensors", "no"),
        ("result.json", "{}"),
        ("checkpoints/00001-00000001/state.json", "{}"),
    ],
)
def test_each_damaged_file_is_named(tmp_path, file, content):
    with writing(tmp_path, MANIFEST, VOXELS, resume=False) as writer:
        writer.checkpoint("00001-00000001", checkpoint(1, None))
    (tmp_path / file).write_text(content)

    def read_all():
        run = open_run(tmp_path)
        return run.manifest, run.config, run.voxels, run.result, run.checkpoint("last")

    with pytest.raises(RunError) as caught:
        read_all()
    assert caught.value.path == str(tmp_path / file)


def test_voxels_of_another_subject_are_refused(tmp_path):
    with (
        writing(tmp_path, MANIFEST, np.ones(7, bool), resume=False),
        pytest.raises(RunError, match="7 values"),
    ):
        _ = open_run(tmp_path).voxels


def test_a_damaged_run_does_not_hide_the_others(tmp_path):
    for name in ("a", "b"):
        with writing(tmp_path / name, MANIFEST, VOXELS, resume=False):
            pass
    (tmp_path / "a" / "run.json").write_text("{")
    states = {row["run"]: row["state"] for row in summaries(tmp_path)}
    assert states["b"] == "unfinished"
    assert states["a"].startswith("damaged")


def test_bad_input_found_after_the_start_leaves_no_run_behind(tmp_path):
    with pytest.raises(DatasetError), writing(tmp_path / "run", MANIFEST, VOXELS, resume=False):
        raise DatasetError("a.wav", "NaN.", "sound.", "Mend it.")
    assert not (tmp_path / "run").exists()
