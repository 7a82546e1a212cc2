"""What a run records of where it comes from, over all its sessions."""

import getpass
import hashlib
import json
import platform
import subprocess

import h5py
import pytest
import torch

from brainwavlm.encoding.tuning import tune
from brainwavlm.errors import RunError, TuningError
from brainwavlm.runs import checksums, environment
from brainwavlm.runs.checksums import data_files
from brainwavlm.runs.environment import git_revision, machine_facts
from brainwavlm.runs.provenance import hours_of, read_provenance
from tests.encoding.loops import KillAt, Killed


def test_a_run_says_on_what_it_ran_and_on_which_files(settings, tmp_path):
    run = tune(settings(training__epochs=1), tmp_path / "run", command="brainwavlm tune 'my run'")
    found = read_provenance(run.path)
    (session,) = found["sessions"]
    assert session["ended"] == "done"
    assert session["command"] == "brainwavlm tune 'my run'"
    assert session["versions"]["torch"] == torch.__version__
    assert session["code"]["git"] == git_revision()
    assert session["machine"]["accelerator"] == "none"
    span = run.log()[-1]["time"] - run.log()[0]["time"]
    assert span / 3600 <= session["hours"] + 1e-4 < 1
    assert set(found["files"]) == {
        *(
            f"{kind}/{story}"
            for kind in ("responses", "sound")
            for split in run.manifest["splits"].values()
            for story in split
        ),
        "anatomy",
    }
    sound = found["files"]["sound/dog"]
    assert sound["whole"]
    assert len(sound["sha256"]) == 64


def test_checksums_are_of_the_content_and_beyond_the_limit_of_its_beginning(settings, own_tree, monkeypatch):
    config = settings(dataset=str(own_tree))
    paths = {"sound/dog": "stimuli/dog.wav", "responses/dog": "responses/anna/dog.h5"}
    files = data_files(config, {})
    for name, path in paths.items():
        content = (own_tree / path).read_bytes()
        assert files[name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert files[name]["bytes"] == len(content)
    sizes = sorted(file["bytes"] for file in files.values())
    monkeypatch.setattr(checksums, "WHOLE_BYTES", sum(sizes[:-2]))
    monkeypatch.setattr(checksums, "HEAD_BYTES", 1000)
    files = data_files(config, {})
    heads = [name for name, file in files.items() if not file["whole"]]
    assert sorted(files[name]["bytes"] for name in heads) == sizes[-2:]
    path = own_tree / "stimuli" / f"{heads[0].partition('/')[2]}.wav"
    assert files[heads[0]]["sha256"] == hashlib.sha256(path.read_bytes()[:1000]).hexdigest()


def test_each_session_of_a_resumed_run_is_kept(settings, own_tree, tmp_path, monkeypatch):
    config = settings(dataset=str(own_tree), training__epochs=1, training__checkpoint_steps=1)
    with pytest.raises(Killed):
        tune(config, tmp_path / "run", progress=KillAt(3), command="first")
    killed = read_provenance(tmp_path / "run")
    assert killed["sessions"][0]["ended"] is None
    assert killed["sessions"][0]["hours"] > 0

    # It counts up to its last step.
    log = tmp_path / "run" / "log.jsonl"
    whole, later = log.read_bytes(), killed["sessions"][0]["began"] + 7200.0
    log.write_bytes(whole + json.dumps({"time": later, "event": "step"}).encode() + b"\n")
    assert hours_of(read_provenance(tmp_path / "run")) == pytest.approx(2.0, abs=1e-3)
    log.write_bytes(whole)

    monkeypatch.setattr(environment, "_cpu_name", lambda: "another processor")
    with h5py.File(own_tree / "responses" / "anna" / "dog.h5", "r+") as file:
        file["data"][0, 0] += 1
    resumed = tune(config, tmp_path / "run", resume=True, command="second")
    first, second = read_provenance(tmp_path / "run")["sessions"]
    assert [session["command"] for session in (first, second)] == ["first", "second"]
    assert first["machine"]["cpu"] != second["machine"]["cpu"] == "another processor"
    assert (first["ended"], second["ended"]) == (None, "done")
    assert (first["data_changed"], second["data_changed"]) == ([], ["responses/dog"])
    assert first["hours"] == pytest.approx(killed["sessions"][0]["hours"])
    assert hours_of(read_provenance(tmp_path / "run")) == pytest.approx(first["hours"] + second["hours"])
    assert resumed.result is not None
    before = (tmp_path / "run" / "provenance.json").read_bytes()
    tune(config, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "provenance.json").read_bytes() == before  # finished: no session


def test_how_a_session_ended_is_told(settings, tmp_path):
    class Stop(KillAt):
        def step(self, loss):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(settings(), tmp_path / "stopped", progress=Stop(1))
    assert read_provenance(tmp_path / "stopped")["sessions"][0]["ended"] == "stopped"
    with pytest.raises(TuningError):
        tune(settings(loss__mse=1e39), tmp_path / "failed")
    session = read_provenance(tmp_path / "failed")["sessions"][0]
    assert session["ended"] == "failed"
    assert "step" in session["error"]


def test_nobody_is_named(finished):
    run = finished()
    text = (run.path / "provenance.json").read_text()
    assert f'"{platform.node()}"' not in text
    assert getpass.getuser() not in json.dumps(machine_facts(torch.device("cpu"))).replace("generic", "")
    assert str(run.path) not in text


def test_a_run_of_before_has_no_record_and_a_damaged_record_is_named(tmp_path):
    assert read_provenance(tmp_path) is None
    (tmp_path / "provenance.json").write_text("{}")
    with pytest.raises(RunError, match=r"files is missing") as caught:
        read_provenance(tmp_path)
    assert "Restore it; or remove it" in caught.value.remedy


def test_git_is_asked_only_where_the_package_is_a_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "PACKAGE", tmp_path)
    assert git_revision() is None
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "__init__.py").write_text("")
    assert git_revision() is None  # in somebody else's repository, and not part of it
