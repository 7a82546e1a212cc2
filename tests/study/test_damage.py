"""Damaged files of a study: named, with a next step that works; the other cells are reported all the same."""

import errno
import json
import shutil

import pytest

from brainwavlm.errors import RunError
from brainwavlm.reporting.page.study import write_study_report
from brainwavlm.runs.checksums import Checksums
from brainwavlm.study import open_study, run, run_study
from brainwavlm.study.claims.table import claims_of
from brainwavlm.study.description import study_from
from brainwavlm.study.preparation import require_place
from brainwavlm.study.records import CellState, read_state, record_path
from brainwavlm.study.work import _is_done, steps_done
from tests.made_up_study import fake_study


@pytest.fixture
def folder(tmp_path):
    return fake_study(tmp_path / "study", {"one": {"grid": {"seed": [0, 1, 2]}}})


def test_cells_with_a_damaged_score_are_missing_and_the_others_are_reported(tmp_path):
    folder = fake_study(tmp_path / "study", {"one": {"grid": {"seed": [0, 1, 2, 3, 4]}}})
    whole, *damaged = open_study(folder).cells
    (damaged[0].path / "evaluation/summary.json").write_text("{")
    (damaged[1].path / "evaluation/replicates.npz").unlink()
    (damaged[2].path / "run.json").unlink()
    shutil.rmtree(damaged[3].path / "evaluation")
    shutil.copytree(whole.path / "evaluation", damaged[3].path / "evaluation")
    words = (
        "summary.json: not JSON",
        "replicates.npz: no such file",
        "run.json: no such file",
        "scores of the run 000-",
    )
    found = claims_of(open_study(folder))
    for record, row, said in zip(damaged, found.missing.to_dict("records"), words, strict=True):
        assert row["cell"] == record.cell.name
        assert said in row["error"]
    gains = found.table[found.table["kind"] == "gain"]
    assert set(gains["n_seeds"]) == {1}
    assert set(gains["n_missing"]) == {4}
    assert write_study_report(folder).is_file()


def test_a_damaged_step_is_not_done(folder):
    record = open_study(folder).cells[0]
    options = {"layers": None}
    done = CellState(folder=record.path.name, identity=record.identity, state="done")
    state = done.with_step("evaluate", options, 1.0)
    # The manifests of these cells are made up; what is asked here is the evaluation alone.
    assert _is_done(folder, state, "evaluate", options)
    assert not _is_done(folder, state, "evaluate", {"layers": "all"})
    (record.path / "evaluation/summary.json").write_text("{")
    assert not _is_done(folder, state, "evaluate", options)
    (record.path / "run.json").unlink()
    again = open_study(folder).cells[0]
    assert again.state == "waiting"
    assert "run.json" in again.error
    assert not steps_done(folder, done.with_step("tune", {}, 1.0), {})


def test_a_damaged_record_is_named_and_the_advice_helps(tmp_path):
    path = record_path(tmp_path, "x")
    path.parent.mkdir()
    for content in ('{"identity": "1", "state": "done", "steps": {"tune": 3}}', "{"):
        path.write_text(content)
        with pytest.raises(RunError, match=r"records/x\.json: (.|\n)*Remove it"):
            read_state(tmp_path, "x", "1")
    path.unlink()
    assert read_state(tmp_path, "x", "1").state == "waiting"


def test_a_damaged_description_is_named_and_the_advice_helps(folder):
    path = folder / "study.json"
    content = json.loads(path.read_text())
    outside = {**content["cells"][0], "folder": "../elsewhere"}
    cells = ([{"name": "x"}], [outside], [], 2 * content["cells"])
    for wrong in (*({"cells": some} for some in cells), {"study": "small"}):
        path.write_text(json.dumps(content | wrong))
        with pytest.raises(RunError, match=r"study\.json: (.|\n)*remove it and give the file"):
            open_study(folder)
    path.unlink()
    (folder / "study.yaml").write_text("name: made-up\n")
    require_place(folder, study_from(content["study"], "fake"))


@pytest.mark.parametrize("content", ["{", '{"PATH": {"a": 1}}'])
def test_damaged_checksums_are_made_again(tmp_path, content):
    file = tmp_path / "sound.wav"
    file.write_text("sound")
    known = Checksums().of(file)
    path = tmp_path / "checksums.json"
    path.write_text(content.replace("PATH", str(file)))
    checksums = Checksums(path)
    assert checksums.of(file) == known
    checksums.save()
    assert Checksums(path).of(file) == known


def test_what_a_kill_left_while_preparing_counts_as_new(tmp_path, folder):
    study = open_study(folder).study
    output = tmp_path / "out"
    output.mkdir()
    for name in ("lock", "checksums.json", ".study.yaml.abc123"):
        (output / name).write_text("half")
    require_place(output, study)
    (output / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="other files"):
        require_place(output, study)


def test_a_full_disk_leaves_no_folder(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "study.json")

    monkeypatch.setattr(run, "require_runnable", lambda study, cells: None)
    monkeypatch.setattr(run, "write_study", full)
    study = study_from({"format": 1, "name": "x", "preset": "demo", "experiments": {"a": {}}}, "x.yaml")
    with pytest.raises(OSError, match="No space"):
        run_study(study, tmp_path / "out")
    assert not (tmp_path / "out").exists()
