"""Run folders: whole files only, one writer, nothing overwritten."""

import errno
import json
from functools import partial

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from brainwavlm.config import RunConfig
from brainwavlm.errors import DatasetError, RunError
from brainwavlm.runs.checkpoint import Checkpoint
from brainwavlm.runs.listing import summaries
from brainwavlm.runs.run import open_run
from brainwavlm.runs.writer import writing

VOXELS = [np.array([True, False, True])]
DATA = {"dataset": "d", "subject": "anna", "simulated": False, "n_voxels": 3, "n_target": 2}
DATA["control"] = {"kind": "none", "n_targets": 2, "voxels": True}
MANIFEST = {"splits": {"train": ["a"]}, "data": DATA, "backbone": {"checksum": "0"}, "versions": {}}
MANIFEST["config"] = RunConfig(subject="anna", seed=1).model_dump(mode="json")


def checkpoint(epoch, best):
    tensors = {"x": torch.full((3,), float(epoch))}
    state = {"epoch": epoch, "step": epoch, "losses": [], "history": [], "best": best}
    return Checkpoint(tensors, tensors, state)


def begin(folder, manifest=MANIFEST, resume=False):
    """Open and close a run for writing."""
    with writing(folder, manifest, VOXELS, resume):
        pass


def test_a_new_run_holds_its_manifest_and_voxels_and_a_killed_one_all_that_it_logged(tmp_path):
    with writing(tmp_path / "run", MANIFEST, VOXELS, resume=False) as writer:
        for step in range(3):
            writer.log(event="step", step=step)
            # As the system has it at this moment, which a kill would not take away.
            lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
            assert [json.loads(line)["step"] for line in lines] == list(range(step + 1))
    run = open_run(tmp_path / "run")
    assert run.manifest["splits"] == MANIFEST["splits"]
    np.testing.assert_array_equal(run.voxels, VOXELS[0])
    assert run.config.subject == "anna"
    assert [row["state"] for row in summaries(tmp_path)] == ["unfinished"]


def test_a_run_is_never_overwritten_and_resumed_only_with_its_configuration(tmp_path):
    with pytest.raises(RunError, match="no run to resume"):
        begin(tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()
    begin(tmp_path / "run")
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(RunError, match="unfinished run is here"):
        begin(tmp_path / "run")
    other = {**MANIFEST, "config": {**MANIFEST["config"], "seed": 2}}
    with pytest.raises(RunError, match="seed is 1, asked 2"):
        begin(tmp_path / "run", other, resume=True)
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="other files"):
        begin(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_second_writer_is_refused_while_the_first_lives(tmp_path):
    """The lock belongs to an open file, not to a process: a second writer here stands for one in another."""
    with (
        writing(tmp_path, MANIFEST, VOXELS, resume=False),
        pytest.raises(RunError, match="another process"),
    ):
        begin(tmp_path, resume=True)
    begin(tmp_path, resume=True)


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
    again = partial(writing, manifest=MANIFEST, voxels=VOXELS, resume=True)
    with again(tmp_path) as writer:
        resumed = writer.resume()
        assert resumed is not None
        assert resumed.state["epoch"] == 1
    assert not half.exists()
    assert [event["step"] for event in open_run(tmp_path).log()] == [1]
    (tmp_path / "log.jsonl").write_bytes(b"{")
    with pytest.raises(RunError, match=r"log\.jsonl: 1 bytes: cut"), again(tmp_path) as writer:
        writer.resume()
    assert (tmp_path / "log.jsonl").read_bytes() == b"{"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", "{"),
        ("run.json", '{"format": 99}'),
        ("voxels.safetensors", "no"),
        ("result.json", "{}"),
        ("checkpoints/00001-00000001/state.json", "{}"),
        ("checkpoints/00001-00000001/model.safetensors", "no"),
    ],
)
def test_each_damaged_file_is_named(tmp_path, file, content):
    with writing(tmp_path, MANIFEST, VOXELS, resume=False) as writer:
        writer.checkpoint("00001-00000001", checkpoint(1, COURSE["best"]))
    (tmp_path / file).write_text(content)
    with pytest.raises(RunError) as caught:
        open_run(tmp_path).require_whole()
    assert caught.value.path in (str(tmp_path / file), str(tmp_path / "checkpoints" / "00001-00000001"))
    assert ("resume from the one before" in caught.value.remedy) == file.startswith("checkpoints")


def test_weights_and_voxels_that_cannot_be_those_of_the_run_are_refused(tmp_path):
    with writing(tmp_path, MANIFEST, [np.ones(7, bool)], resume=False) as writer:
        broken = checkpoint(1, None)
        broken.model["x"][:2] = torch.tensor([float("nan"), float("inf")])
        writer.checkpoint("00001-00000001", broken)
    run = open_run(tmp_path)
    with pytest.raises(RunError, match=r"in 1 of 1 weights: x\.") as caught:
        run.checkpoint("last")
    assert caught.value.path.endswith("model.safetensors")
    with pytest.raises(RunError, match="7 values"):
        _ = run.voxels


COURSE = {
    "best": {"epoch": 1, "validation_r": 0.2, "checkpoint": "00001-00000001"},
    "history": [{"epoch": 1, "loss": 0.1, "validation_r": 0.2}],
}
STATE = {**COURSE, "epoch": 1, "step": 3, "losses": [], "log_bytes": 0}


@pytest.mark.parametrize(
    ("file", "whole", "key", "value"),
    [
        ("run.json", MANIFEST, "splits", {"train": "a"}),
        ("run.json", MANIFEST, "listeners", []),
        ("run.json", MANIFEST["data"], "n_voxels", "3"),
        ("result.json", COURSE, "best", "00001-00000001"),
        ("checkpoints/00001-00000001/state.json", STATE, "best", {"epoch": 1}),
        ("checkpoints/00001-00000001/state.json", STATE, "log_bytes", -1),
    ],
)
def test_a_key_of_another_type_is_named_with_its_file(tmp_path, monkeypatch, file, whole, key, value):
    with writing(tmp_path, MANIFEST, VOXELS, resume=False) as writer:
        writer.checkpoint("00001-00000001", checkpoint(1, COURSE["best"]))
        writer.finish(COURSE)
    open_run(tmp_path).require_whole()
    monkeypatch.setitem(whole, key, value)
    content = {"run.json": {"format": 1, **MANIFEST}, "result.json": COURSE}.get(file, {**STATE, key: value})
    (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(RunError, match=key) as caught:
        open_run(tmp_path).require_whole()
    assert caught.value.path == str(tmp_path / file)
    if not file.startswith("checkpoints"):
        assert summaries(tmp_path)[0]["state"].startswith("damaged")


def test_what_to_do_without_a_checkpoint_depends_on_how_far_the_run_is(tmp_path):
    with writing(tmp_path, MANIFEST, VOXELS, resume=False) as writer:
        with pytest.raises(RunError, match=r"no epoch yet.*\n.*\n.*Resume it"):
            writer.run.checkpoint("best")
        writer.finish({"best": None, "history": []})
        with pytest.raises(RunError, match="no epoch was asked for"):
            writer.run.checkpoint("best")
        writer.finish(COURSE)
        with pytest.raises(RunError, match="although the run is finished") as caught:
            writer.run.checkpoint("best")
    assert caught.value.path == str(tmp_path / "checkpoints")
    assert "--resume" not in caught.value.remedy


@pytest.mark.parametrize(
    "error", [DatasetError("a.wav", "NaN.", "sound.", "Mend it."), OSError(errno.ENOSPC, "No space")]
)
def test_bad_input_or_a_full_disk_before_the_first_checkpoint_leaves_no_run_behind(tmp_path, error):
    with pytest.raises(type(error)), writing(tmp_path / "run", MANIFEST, VOXELS, resume=False):
        raise error
    assert not (tmp_path / "run").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(type(error)), writing(tmp_path / "empty", MANIFEST, VOXELS, resume=False):
        raise error
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("resume", [False, True])
def test_a_full_disk_after_the_first_checkpoint_or_while_resuming_keeps_the_run(tmp_path, resume):
    if resume:
        begin(tmp_path)

    def fill_the_disk():
        with writing(tmp_path, MANIFEST, VOXELS, resume=resume) as writer:
            if not resume:
                writer.checkpoint("00001-00000001", checkpoint(1, None))
            raise OSError(errno.ENOSPC, "No space")

    with pytest.raises(OSError, match="No space"):
        fill_the_disk()
    assert len(open_run(tmp_path).checkpoints) == (not resume)


def test_a_disk_without_room_for_the_first_file_leaves_nothing_and_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(OSError, match=r"voxels\.safetensors") as caught:
        begin(tmp_path / "run")
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "run").exists()
