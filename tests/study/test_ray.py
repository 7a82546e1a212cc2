"""The engine ray does what the engine local does, also when one of its workers is killed."""

import os
import signal
import sys
import threading

import pytest

from brainwavlm.errors import ConfigError
from brainwavlm.files import read_json
from brainwavlm.study import run_study
from tests.study.test_run import require_same_cells, waited


def test_without_ray_the_extra_is_named_and_nothing_is_written(brainwavlm, study_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    done = brainwavlm(
        "study", "run", study_file(one={}), "--output", tmp_path / "out", "--engine", "ray", code=2
    )
    assert "pip install 'brainwavlm[cluster]'" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["ray://127.0.0.1:1", "cluster", "127.0.0.1:99999999"])
def test_nobody_at_an_address_is_said_at_once_and_nothing_is_written(small_study, tmp_path, address):
    with pytest.raises(ConfigError, match=f"no Ray cluster at {address}"):
        run_study(small_study(one={}), tmp_path / "out", engine="ray", address=address)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_cell_on_ray_is_the_cell_that_the_local_engine_makes(small_study, tmp_path):
    study = small_study(one={"set": {"adapter.dropout": 0.3}})
    states = run_study(study, tmp_path / "ray", engine="ray", memory_gb=0.1)
    assert [state.state for state in states] == ["done"]
    run_study(study, tmp_path / "local")
    require_same_cells(tmp_path / "ray", tmp_path / "local")


@pytest.mark.slow
def test_a_cell_that_fails_on_ray_says_why_and_more_gpus_than_there_are_are_refused(small_study, tmp_path):
    study = small_study(bad={"set": {"device": "mps"}})
    states = run_study(study, tmp_path / "out", engine="ray", workers=2)
    assert [state.state for state in states] == ["failed"]
    assert "mps is not here" in states[0].error
    with pytest.raises(ConfigError, match="no machine of the cluster has that"):
        run_study(study, tmp_path / "out", engine="ray", gpus=1, retry_failed=True)


@pytest.mark.slow
def test_two_workers_of_ray_of_which_one_is_killed_give_what_the_local_engine_gives(small_study, tmp_path):
    above = {"training": {"epochs": 8, "checkpoint_steps": 2, "block_rows": 5}, "adapter": {"dropout": 0.3}}
    study = small_study(
        above,
        methods={"grid": {"adapter.method": ["lora", "full"], "seed": [0, 1]}},
        ac={"set": {"target": "AC"}},
    )
    assert {state.state for state in run_study(study, tmp_path / "local")} == {"done"}
    ended = []
    folder = tmp_path / "ray"
    thread = threading.Thread(target=lambda: ended.extend(run_study(study, folder, engine="ray", workers=2)))
    thread.start()
    logs = folder / "cells"
    waited(lambda: any(log.read_bytes().count(b"\n") > 6 for log in logs.glob("*/log.jsonl")))
    victim = next(log.parent for log in logs.glob("*/log.jsonl") if log.read_bytes().count(b"\n") > 6)
    os.kill(read_json(folder / "records" / f"{victim.name}.json")["pid"], signal.SIGKILL)
    thread.join(400)
    assert {state.state for state in ended} == {"done"}
    assert {state.folder: state.attempts for state in ended}[victim.name] == 2
    require_same_cells(tmp_path / "local", folder)
