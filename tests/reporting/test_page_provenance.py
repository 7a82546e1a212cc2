"""What the page says of where its runs come from."""

import base64
import json
import re
import shutil

from brainwavlm.reporting import write_report
from brainwavlm.reporting.page.provenance import NOT_RECORDED, origin_of, record_of, run_behind
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.runs.provenance import read_provenance
from brainwavlm.runs.run import open_run
from tests.made_up import fake_evaluation
from tests.reporting.pages import entries_of

MACHINE = {"cpu": "One", "cores": 2, "threads": 1, "memory_gb": 8.0, "accelerator": "none", "os": "Linux"}


def session(**changed):
    one = {"began": 0.0, "hours": 1.5, "ended": "done", "error": None, "command": "brainwavlm tune"}
    one |= {"code": {"version": "1", "source": "abc", "git": None}, "versions": {"torch": "2"}}
    return {**one, "machine": MACHINE, "data_changed": [], **changed}


def test_the_page_of_a_run_says_where_it_comes_from(real_evaluation, real_page):
    run = open_run(real_evaluation.parent / "run")
    provenance = read_provenance(run.path)
    first = provenance["sessions"][0]
    for fact in (
        *(first["machine"]["os"], first["code"]["source"], run.manifest["backbone"]["checksum"]),
        *("brainwavlm tune &#39;&lt;b&gt;&#39;", "seconds in 1 session, begun 20", "norm of the gradient"),
    ):
        assert fact in real_page
    address = 'download="run-files.txt" href="data:text/plain;charset=utf-8;base64,'
    listed = re.search(f'{address}([^"]+)"', real_page)
    lines = base64.b64decode(listed[1]).decode().splitlines()
    assert {line.split()[0] for line in lines} == {file["sha256"] for file in provenance["files"].values()}


def test_a_run_of_an_earlier_version_is_shown_and_says_that_nothing_was_recorded(
    real_evaluation, without_maps, tmp_path
):
    folder = shutil.copytree(real_evaluation.parent, tmp_path / "real")
    for path in (folder / "evaluation" / "summary.json", *folder.glob("*/result.json")):
        text = re.sub(r',\s*"gradient_norm": [^,}\s]+', "", path.read_text())
        path.write_text(text.replace(str(real_evaluation.parent), str(folder)))
    for path in folder.glob("*/provenance.json"):
        path.unlink()
    assert "gradient_norm" not in json.dumps(Evaluation.open(folder / "evaluation").summary)
    text = write_report(folder / "evaluation", tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count(NOT_RECORDED) == 2
    assert "gradient norm" not in text
    assert "Learning curves: training loss, validation r, by epoch" in text


def test_what_differs_between_sessions_is_said_of_each_and_a_sound_that_two_heard_is_counted_once():
    other = session(machine={**MACHINE, "cpu": "Two"}, hours=0.5, data_changed=["sound/dog"], ended=None)
    sound, responses = ({"bytes": 2_000_000, "changed": 1, "sha256": key * 64, "whole": True} for key in "fe")
    files = {"0 anna/sound/dog": sound, "1 ben/sound/dog": sound, "1 ben/responses/dog": responses}
    entries = entries_of(record_of({"files": files, "sessions": [session(), other]}))
    assert entries["Machine"].startswith("session 1: One, 2 cores")
    assert "session 2: Two" in entries["Machine"]
    assert entries["Versions"] == "torch 2"
    assert entries["Time"].startswith("2.00 hours in 2 sessions, begun 1970-01-01")
    assert "1 of them did not end by themselves" in entries["Time"]
    assert entries["Data read"].startswith("2 files, 4.0 MB")
    assert entries["Data read"].endswith("CHANGED between sessions: sound/dog")


def test_a_joint_run_has_one_learning_curve_and_one_record(tmp_path):
    folder = fake_evaluation(
        tmp_path, 40, surface=None, runs=(("both, ann", "cortex"), ("both, ben", "cortex"))
    )
    summary = json.loads((folder / "summary.json").read_text())
    for run in summary["runs"]:
        run |= {"path": "runs/both", "together_with": ["the other"]}
    (folder / "summary.json").write_text(json.dumps(summary))
    text = write_report(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count("at the star, 7") == 3  # of one model: loss, norm of the gradient, validation r
    assert text.count("<dt>Record</dt>") == 1
    assert text.count("All settings of run both") == 1
    assert "brainwavlm tune both.yaml --output both\nbrainwavlm evaluate both --layers" in text


def test_each_subject_of_a_joint_run_has_its_record(finished):
    run = finished(joint=[{"subject": "ben"}])
    entry = {"path": str(run.path), "frozen": {"tr": 2.0}}
    assert [run_behind(entry, side.config).listener for side in run.sides] == [0, 1]
    for side in run.sides:
        assert entries_of(origin_of(entry, side.config))["Time"]
