"""A study at work on this machine: what is done stays, what failed is said, and nothing is lost by a kill."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.files import read_json
from brainwavlm.runs.environment import code_version
from brainwavlm.runs.lock import locked
from brainwavlm.runs.object_store import copy_folder
from brainwavlm.runs.writer import Writer
from brainwavlm.study import open_study, run_study
from brainwavlm.study.engines import engine_options
from brainwavlm.study.engines.local import run_local
from brainwavlm.study.records import CellState, read_state, write_state
from brainwavlm.study.work import Task, run_cell


def contents(folder):
    """Bytes and times of all files below a folder."""
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def require_same_cells(one, other):
    """The cells of two studies are done and hold the same weights and scores, bit for bit."""
    left, right = open_study(one).cells, open_study(other).cells
    assert [record.path.name for record in left] == [record.path.name for record in right]
    for before, after in zip(left, right, strict=True):
        assert (before.state, after.state) == ("done", "done")
        assert before.run.result == after.run.result
        kept, new = before.run.checkpoint("last"), after.run.checkpoint("last")
        for old, now in ((kept.model, new.model), (kept.optimiser, new.optimiser)):
            assert old.keys() == now.keys()
            assert [key for key in old if not torch.equal(old[key], now[key])] == []
        for table in ("table.csv", "voxels.csv.gz"):
            assert (before.evaluation / table).read_bytes() == (after.evaluation / table).read_bytes()


def waited(condition, seconds=180.0):
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def at_work(folder, n_events):
    """The process that tunes the only cell of a study, once its log has so many events."""
    cell = folder / "cells"
    waited(lambda: any(log.read_bytes().count(b"\n") >= n_events for log in cell.glob("*/log.jsonl")))
    return read_json(next((folder / "records").glob("*.json")))["pid"]


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def here(in_this_process):
    with in_this_process():
        yield


@pytest.mark.usefixtures("here")
def test_done_cells_are_kept_and_failed_ones_tried_again_only_on_request(small_study, tmp_path):
    asked = {"transfer": {"subjects": ["ben"]}, "probe": {"features": ["phones"], "controls": []}}
    asked["grid"] = {"device": ["cpu", "mps"]}
    study = small_study(devices=asked)
    folder = tmp_path / "out"
    ended = []
    store = "memory://test-run/devices"
    first = run_study(study, folder, workers=2, finished=ended.append, upload=store)
    assert [state.state for state in first] == ["done", "failed"]
    assert sorted(state.folder for state in ended) == sorted(state.folder for state in first)
    assert "study.yaml: experiments.devices (device=mps): device: mps is not here" in first[1].error
    assert first[0].steps.keys() == {"tune", "evaluate", "transfer", "probe"}
    done, failed = open_study(folder).cells
    copied = copy_folder(store, tmp_path / "elsewhere")
    assert f"cells/{first[0].folder}/probes/probes.csv" in copied
    assert not any(first[1].folder in name and name.startswith("cells") for name in copied)
    assert open_study(tmp_path / "elsewhere").cells[0].run.result == done.run.result
    assert (done.evaluation / "voxels.csv.gz").is_file()
    assert (done.transfer / "matrix.csv").is_file()
    assert (done.probes / "probes.csv").is_file()
    assert done.run.config.target == "cortex"
    kept = [safe_open(file, "np").metadata()["facts"] for file in (folder / "features").iterdir()]
    # What the tuned model says is its cell's alone, and gigabytes: it is not kept.
    assert {json.loads(facts)["weights"] for facts in kept} == {done.run.manifest["backbone"]["checksum"]}
    assert (failed.state, failed.attempts, failed.evaluation) == ("failed", 1, None)

    before = contents(folder / "cells")
    again = run_study(study, folder)
    assert [state.attempts for state in again] == [1, 1]
    assert [state.state for state in again] == ["done", "failed"]
    third = run_study(study, folder, retry_failed=True)
    assert [state.attempts for state in third] == [1, 2]
    assert contents(folder / "cells") == before

    fourth = run_study(small_study(devices={**asked, "evaluate": {"layers": [1]}}), folder)
    assert [state.attempts for state in fourth] == [2, 2]
    after = contents(folder / "cells")
    assert any(path.name == "layers.csv" for path in after)
    of_evaluation = {path for path in after if path.parent.name == "evaluation"}
    assert {path: after[path] for path in after if path not in of_evaluation} == {
        path: before[path] for path in before if path not in of_evaluation
    }


@pytest.mark.usefixtures("here")
def test_a_cell_of_other_data_or_settings_gets_its_own_folder_and_the_old_one_is_named(small_study, tmp_path):
    folder = tmp_path / "out"
    (folder / "records").mkdir(parents=True)
    old = folder / "cells" / "anna-cortex-lora-seed0-0123456789"
    old.mkdir(parents=True)
    (folder / "study.json").write_text(
        json.dumps({"format": 1, "study": {"name": "small"}, "code": {}, "cells": []})
    )
    states = run_study(small_study(one={"set": {"device": "mps"}}), folder)
    assert [state.state for state in states] == ["failed"]
    assert open_study(folder).stale == [old]


@pytest.fixture
def broken(small_study, study_file, in_this_process, tmp_path):
    """A study of one cell, its file, and the folder in which it ran unbroken."""
    above = {"training": {"epochs": 3, "checkpoint_steps": 2, "block_rows": 5}, "adapter": {"dropout": 0.3}}
    study, file = small_study(above, one={}), study_file(above=above, one={})
    with in_this_process():
        assert [state.state for state in run_study(study, tmp_path / "whole")] == ["done"]
    return study, file, tmp_path / "whole"


def killed_and_finished(study, folder, whole, n_events, attempts):
    """Start the study, kill the process of its cell after so many events of the log; what it ends as is the whole one."""
    ended = []
    thread = threading.Thread(target=lambda: ended.extend(run_study(study, folder)))
    thread.start()
    waited(lambda: list((folder / "records").glob("*.json")))
    waited(lambda: read_json(next((folder / "records").glob("*.json")))["attempts"] == attempts)
    os.kill(at_work(folder, n_events), signal.SIGKILL)
    thread.join(300)
    assert [(state.state, state.attempts) for state in ended] == [("done", attempts + 1)]
    require_same_cells(folder, whole)


@pytest.mark.usefixtures("here")
def test_a_cell_that_was_broken_off_ends_bit_identical_to_an_unbroken_one(broken, tmp_path, monkeypatch):
    study, _, whole = broken
    write = Writer.checkpoint

    def broken_off(writer, name, checkpoint):
        write(writer, name, checkpoint)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "checkpoint", broken_off)
        with pytest.raises(KeyboardInterrupt):
            run_study(study, tmp_path / "broken")
    begun = next((tmp_path / "broken").glob("cells/*/log.jsonl")).read_bytes()
    assert [state.state for state in run_study(study, tmp_path / "broken")] == ["done"]
    require_same_cells(tmp_path / "broken", whole)
    assert next((tmp_path / "broken").glob("cells/*/log.jsonl")).read_bytes().startswith(begun)


@pytest.mark.slow
def test_a_cell_whose_process_is_killed_ends_bit_identical_to_an_unbroken_one(broken, tmp_path):
    study, _, whole = broken
    killed_and_finished(study, tmp_path / "broken", whole, n_events=4, attempts=1)


@pytest.mark.slow
def test_a_study_that_is_killed_goes_on_where_its_cells_stopped(broken, tmp_path):
    study, file, whole = broken
    folder = tmp_path / "broken"
    command = [sys.executable, "-m", "brainwavlm", "study", "run", str(file), "--output", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    worker = at_work(folder, 4)
    os.kill(worker, signal.SIGSTOP)  # what follows may take longer than all its steps
    assert [record.state for record in open_study(folder).cells] == ["running"]
    with pytest.raises(RunError, match="another `study run` is at work"):
        run_study(study, folder)
    process.kill()
    process.wait()
    os.kill(worker, signal.SIGCONT)
    waited(lambda: not alive(worker))
    assert [record.state for record in open_study(folder).cells] == ["waiting"]
    n_events = next(folder.glob("cells/*/log.jsonl")).read_bytes().count(b"\n")
    killed_and_finished(study, folder, whole, n_events + 4, attempts=2)


def test_a_study_that_is_stopped_ends_the_processes_of_its_cells(tmp_path, cells_do):
    tasks = [a_task(tmp_path, {}, folder=name) for name in ("works", "ends")]
    cells_do(
        "pid = pathlib.Path(task['study'], 'pid')\n"
        "if task['folder'] == 'works': pid.write_text(str(os.getpid())); time.sleep(600)\n"
        "while not pid.exists() or not pid.read_text(): time.sleep(0.01)"
    )

    def stop(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_local(tasks, workers=2, retries=2, finished=stop)
    waited(lambda: not alive(int((tmp_path / "pid").read_text())))


@pytest.mark.slow
def test_ctrl_c_stops_the_cells_and_leaves_them_waiting(study_file, tmp_path):
    file = study_file(above={"training": {"epochs": 1000, "block_rows": 5, "patience": None}}, one={})
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "brainwavlm", "study", "run", str(file), "--output", str(folder)]
    # A shell starts what runs in the background with SIGINT ignored; Ctrl-C is about the foreground.
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    worker = at_work(folder, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "goes on from the checkpoints" in errors
    assert "Traceback" not in errors
    assert not alive(worker)
    assert read_json(next((folder / "records").glob("*.json")))["state"] == "waiting"


def a_task(study, code, **more):
    (study / "records").mkdir(parents=True, exist_ok=True)
    (study / "study.json").write_text(json.dumps({"code": code}))
    known = {"folder": "x-0123456789", "identity": "0123456789", "config": {}, "steps": {}}
    return Task(str(study), **{**known, "cpus": 1, **more})


def test_a_machine_without_the_folder_or_with_other_code_says_so(tmp_path):
    task = a_task(tmp_path, {**code_version(), "source": "other"})
    state = run_cell(asdict(task))
    assert state["state"] == "failed"
    assert "one version of brainwavlm for all cells" in state["error"]
    (tmp_path / "study.json").unlink()
    assert "shared storage" in run_cell(asdict(task))["error"]
    assert list((tmp_path / "records").iterdir()) == []


def test_a_process_that_dies_again_and_again_fails_its_cell_and_no_other(tmp_path, cells_do):
    tasks = [a_task(tmp_path, {}, folder=name) for name in ("dies", "lives")]
    cells_do(
        "print('attempt', file=sys.stderr, flush=True)\nif task['folder'] == 'dies': os.kill(os.getpid(), 9)"
    )
    ended = []
    run_local(tasks, workers=2, retries=2, finished=ended.append)
    dead, alive = sorted(ended, key=lambda state: state.folder)
    assert (dead.state, alive.state) == ("failed", "done")
    assert "ended 3 times (signal 9)" in dead.error
    assert (tmp_path / "records" / "dies.log").read_text().count("attempt") == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "slurm"}, "'local' or 'ray'"),
        ({"workers": 0}, "workers: 0"),
        ({"retries": -1}, "retries: -1"),
        ({"gpus": 2}, "gpus: 2"),
        ({"memory_gb": 1}, "memory_gb: 1.\n.*engine ray"),
    ],
)
def test_what_no_engine_can_do_is_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        engine_options(**options)


def test_other_places_are_refused_and_left_alone(small_study, tmp_path, tree):
    study = small_study(one={})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "study.json").write_text(json.dumps({"study": {"name": "another"}}))
    for folder, words in (("full", "other files"), ("other", "holds the study another")):
        before = contents(tmp_path / folder)
        with pytest.raises(RunError, match=words):
            run_study(study, tmp_path / folder)
        assert contents(tmp_path / folder) == before
    with pytest.raises(ConfigError, match="in the data set"):
        run_study(study, tree / "responses" / "out")
    for name in ("derivative", "derivatives"):
        (tmp_path / name / "copy" / name / "preprocessed_data").mkdir(parents=True)
        with pytest.raises(ConfigError, match="in the data set"):
            run_study(study, tmp_path / name / "copy" / "out")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(ConfigError, match="in the run"):
        run_study(study, tmp_path / "run" / "deep" / "out")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):  # whose path the command line names
        run_study(study, tmp_path / "loop")
    assert (tmp_path / "loop").is_symlink()
    with pytest.raises(ConfigError, match="one of one"):
        run_study(study, tmp_path / "new", only=["two"])
    assert not (tmp_path / "new").exists()


def test_a_folder_in_use_is_refused(small_study, tmp_path):
    with (
        locked(tmp_path / "out" / "lock", "x", patience=0),
        pytest.raises(RunError, match="another `study run`"),
    ):
        run_study(small_study(one={}), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["lock"]


def test_the_record_of_another_cell_is_not_taken_for_this_one(tmp_path):
    write_state(tmp_path, CellState(folder="x", identity="1", state="done"))
    assert read_state(tmp_path, "x", "1").state == "done"
    with pytest.raises(RunError, match="another cell"):
        read_state(tmp_path, "x", "2")


@pytest.mark.usefixtures("here")
def test_cells_share_frontends_and_are_the_same_cells(small_study, tmp_path):
    study = small_study(one={})
    apart, shared = tmp_path / "apart", tmp_path / "shared"
    run_study(study, apart)
    run_study(study.model_copy(update={"share_frontends": True}), shared)
    (one,), (other,) = open_study(apart).cells, open_study(shared).cells
    assert one.run.path.name == other.run.path.name
    assert len(list((shared / "frontends").iterdir())) > 1
    assert not (apart / "frontends").exists()
    for cell, folder in ((one, None), (other, str(shared / "frontends"))):
        assert cell.run.config.training.frontend_folder == folder
    scores = [pd.read_csv(cell.evaluation / "voxels.csv.gz")["r_tuned"] for cell in (one, other)]
    np.testing.assert_allclose(*scores, atol=1e-4)
