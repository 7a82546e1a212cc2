"""`runs` and `show`: what matters is seen in 80 columns, in a terminal and in a pipe, whatever runs are called."""

import fcntl
import json
import os
import pty
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from brainwavlm.cli import console
from brainwavlm.cli.show_runs import show_run, show_runs
from brainwavlm.errors import RunError, printable
from brainwavlm.files import write_json
from brainwavlm.runs.listing import run_state, scores_of, summaries
from brainwavlm.runs.run import open_run
from brainwavlm.runs.writer import writing
from tests.made_up import small_evaluation
from tests.runs.test_run import COURSE, MANIFEST, VOXELS, checkpoint
from tests.test_progress import read_to_its_end

HOSTILE = (
    "[red]x[/]",
    "two\nlines",
    "\x1b[31mred\x1b[0m",
    "\u202egnirts\u202c",
    "שלום",
    "🧠 brain 👩‍🔬",
    "a name of three hundred characters " + "x" * 190,
)
SESSION = {"began": 1.0, "hours": 0.5, "ended": "done", "error": None, "command": "brainwavlm tune"}
SESSION |= {"code": {"version": "1", "source": "abc", "git": None}, "versions": {}}
SESSION |= {"machine": {"cpu": "One", "cores": 2, "accelerator": "none"}, "data_changed": []}


def scores(run, subject, r_tuned, difference, low, high):
    """A row of the table of scores."""
    interval = {"difference": difference, "low": low, "high": high}
    about = {"run": run, "subject": subject, "target": "cortex", "n_voxels": 2}
    return about | {"r_frozen": 0.3, "r_tuned": r_tuned} | interval


def made(folder, result=True, table=None, sessions=None):
    """A run folder: done, with its own table of scores."""
    with writing(folder, MANIFEST, VOXELS, resume=False) as writer:
        writer.log(event="step", step=1)
        if result:
            writer.finish(COURSE)
    if table is not None:
        small_evaluation(table).save(folder / "evaluation")
    if sessions is not None:
        write_json(folder / "provenance.json", {"files": {}, "sessions": sessions})
    return open_run(folder)


@pytest.fixture
def hostile(tmp_path):
    """Runs with names that a file system allows and a terminal might not."""
    folder = tmp_path / "runs"
    for name in HOSTILE:
        made(folder / name, table=[scores(name, "anna", 0.3512, 0.0512, 0.01, 0.09)])
    return folder


@pytest.mark.parametrize("width", [80, 200])
def test_name_state_age_and_scores_are_there_in_any_width(printed, hostile, width):
    out = printed(show_runs, summaries(hostile), hostile, width=width)
    # Signs that move a terminal are shown as escapes, markup as it is.
    for shown in (
        "[red]x[/]",
        r"two\nlines",
        r"\x1b[31mred\x1b[0m",
        r"\u202egnirts\u202c",
        "שלום",
        "🧠 brain",
    ):
        assert shown in out
    lines = out.splitlines()
    assert max(map(cell_len, lines)) <= width
    rows = [line for line in lines if " done " in line]
    assert len(rows) == len(HOSTILE)
    for line in rows:
        assert all(words in line for words in (" 0.2000 ", " 0.3512 ", "+0.0512", " s "))
    assert all(line.isprintable() for line in lines)
    if width == 200:
        assert all(name in lines[0] for name in ("target", "subject", "method", "seed"))


@pytest.mark.parametrize("name", ["x" * 200, "study/cells/" + "שלום" * 20])
def test_a_name_is_never_cut(printed, tmp_path, name):
    made(tmp_path / name)
    lines = printed(show_runs, summaries(tmp_path), tmp_path).splitlines()
    first = next(number for number, line in enumerate(lines) if " done " in line)
    folded = [lines[first].partition("  ")[0], *lines[first + 1 :]]
    assert "".join(line.strip() for line in folded).startswith(name)


def test_a_control_is_told_apart_in_any_width(printed, tmp_path):
    control = {"kind": "block-permuted"}
    manifest = {**MANIFEST, "config": {**MANIFEST["config"], "control": control}}
    with writing(tmp_path / "a twin with a long name of its own", manifest, VOXELS, resume=False) as writer:
        writer.finish(COURSE)
    lines = printed(show_runs, summaries(tmp_path), tmp_path).splitlines()
    assert "control" in lines[0]
    assert "block-permuted" in lines[1]
    assert max(map(len, lines)) <= 80


def test_the_state_is_what_the_lock_and_the_last_session_tell(tmp_path):
    states = {"done": made(tmp_path / "done")}
    for ended in ("failed", "stopped", None):
        name = ended or "killed"
        states[name] = made(tmp_path / name, result=False, sessions=[{**SESSION, "ended": ended}])
    states["unfinished"] = made(tmp_path / "old", result=False)
    assert {name: run_state(run) for name, run in states.items()} == {name: name for name in states}
    with open(states["killed"].path / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run_state(states["killed"]) == "running"
    assert run_state(states["killed"]) == "killed"


def test_a_run_that_is_not_done_shows_its_best_epoch_so_far(tmp_path, printed):
    with writing(tmp_path / "run", MANIFEST, VOXELS, resume=False) as writer:
        writer.checkpoint("00001-00000001", checkpoint(1, COURSE["best"]))
    (row,) = summaries(tmp_path)
    assert (row["state"], row["validation_r"], row["best_epoch"]) == ("unfinished", 0.2, 1)
    assert "brainwavlm tune --resume --output" in printed(show_run, open_run(tmp_path / "run"))


def test_damaged_runs_are_skipped_with_a_line_that_says_so(tmp_path, printed):
    made(tmp_path / "good")
    for name, file, content in (
        ("a", "run.json", "{"),
        ("b", "result.json", "[]"),
        ("c", "provenance.json", "{"),
        ("d", "evaluation/table.csv", "run,target\n1\n"),
    ):
        made(tmp_path / name, result=name != "c", table=[{"run": name}], sessions=[SESSION])
        (tmp_path / name / file).write_text(content)
    out = printed(show_runs, summaries(tmp_path), tmp_path)
    assert [line.split(": ")[1:3] for line in out.splitlines() if line.startswith("Skipped, damaged")] == [
        ["a", "run.json"],
        ["b", "result.json"],
        ["c", "provenance.json"],
        ["d", "evaluation/table.csv"],
    ]
    assert "good" in out


def test_listeners_of_a_joint_run_count_alike_and_other_runs_of_the_evaluation_do_not(tmp_path, printed):
    manifest = {**MANIFEST, "config": {**MANIFEST["config"], "joint": [{"subject": "ben"}]}}
    side = {key: manifest[key] for key in ("splits", "data", "config")} | {"name": "anna"}
    ben = {**side, "name": "ben", "config": {"subject": "ben", "joint": [{"subject": "anna"}]}}
    ben["data"] = {**side["data"], "subject": "ben"}
    with writing(tmp_path / "run", {**manifest, "listeners": [side, ben]}, VOXELS, resume=False) as writer:
        writer.finish(COURSE)
    rows = [
        scores("run (anna)", "anna", 0.4, 0.1, 0.05, 0.15),
        scores("run (ben)", "ben", 0.5, 0.2, 0.1, 0.3),
        scores("other", "anna", 0.9, 0.6, 0.5, 0.7),
    ]
    small_evaluation(rows).save(tmp_path / "run" / "evaluation")
    assert [row["subject"] for row in scores_of(open_run(tmp_path / "run"))] == ["anna", "ben"]
    (row,) = summaries(tmp_path)
    assert row["test_r"] == pytest.approx(0.45)
    assert row["change"] == pytest.approx(0.15)
    assert row["low"] is None
    shown = printed(show_run, open_run(tmp_path / "run"))
    assert "d, anna" in shown
    assert "d, ben" in shown


def test_show_tells_what_was_asked_what_came_out_and_what_to_do_next(tmp_path, printed):
    table = [scores("my run", "anna", 0.35, 0.05, 0.01, 0.09)]
    run = made(tmp_path / "my run", table=table, sessions=[SESSION])
    out = printed(show_run, run)
    for words in (
        "d, anna, target cortex: 2 of 3 voxels",
        "30 min in 1 session",
        "+0.0100 to +0.0900",
        f"brainwavlm report '{run.path}'",
    ):
        assert words in out
    shutil.rmtree(run.path / "evaluation")
    assert f"brainwavlm evaluate '{run.path}'" in printed(show_run, run)
    (run.path / "provenance.json").unlink()
    assert "not recorded" in printed(show_run, run)
    failed = {**SESSION, "ended": "failed", "error": "run: the loss of step 3 is nan.\n    Expected numbers."}
    out = printed(show_run, made(tmp_path / "run", result=False, sessions=[failed]))
    assert "run: failed" in out
    assert "the loss of step 3 is nan." in out
    assert "--resume" in out


def test_the_epochs_of_a_long_run_fit_a_screen(tmp_path, printed):
    with writing(tmp_path / "run", MANIFEST, VOXELS, resume=False) as writer:
        history = [
            {"epoch": n, "loss": 0.1, "validation_r": 0.1, "gradient_norm": 1.5} for n in range(1, 301)
        ]
        writer.finish({"best": {"epoch": 77, "validation_r": 0.2, "checkpoint": "x"}, "history": history})
    out = printed(show_run, open_run(tmp_path / "run"))
    assert len(out.splitlines()) < 45
    assert "best" in next(line for line in out.splitlines() if " 77 " in line)
    assert " 300 " in out


def in_a_terminal(monkeypatch, folder, **environment):
    """What a list of runs writes to a pseudo-terminal."""
    controller, worker = pty.openpty()
    environment = {"TERM": "xterm-256color", "COLUMNS": "80", **environment}
    with os.fdopen(worker, "w", encoding="utf-8") as stream:
        there = Console(file=stream, highlight=False, _environ=environment)
        monkeypatch.setattr(console, "console", there)
        show_runs(summaries(folder), folder)
    return read_to_its_end(controller)


def test_colours_are_for_terminals_that_want_them(monkeypatch, hostile):
    assert b"\x1b[32mdone" in in_a_terminal(monkeypatch, hostile)
    written = in_a_terminal(monkeypatch, hostile, NO_COLOR="1")
    assert b"\x1b[3" not in written
    assert b"\x1b[31mred" not in written  # what a name tries
    assert b"done" in written


def test_a_pipe_gets_no_colours_and_one_that_knows_only_ascii_escapes_and_no_traceback(hostile):
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    ascii_alone = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    words = [sys.executable, "-m", "brainwavlm", "runs", str(hostile)]
    done = subprocess.run(words, env={**clean, **ascii_alone}, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert rb"\u05e9" in done.stdout
    assert done.stdout.isascii()
    assert b"\x1b" not in done.stdout


def test_an_error_is_one_block_whatever_the_path_is_called(brainwavlm, tmp_path):
    done = brainwavlm("show", tmp_path / "a\nb\x1b[31m", code=2)
    assert r"a\nb\x1b[31m: no run.json." in done.err
    first, *others = done.err.rstrip("\n").splitlines()
    assert not first.startswith(" ")
    assert all(line.startswith("    ") for line in others)
    assert "brainwavlm runs FOLDER" in others[-1]
    error = RunError("x", "two\nlines\x07", "one.", "Do this:\n  that")
    assert str(error) == "x: two\n    lines\\x07\n    Expected one.\n    Do this:\n      that"
    assert error.found == "two\nlines\x07"


def test_no_sign_that_moves_a_terminal_reaches_it():
    assert printable("a\n\t\x1b\u202e\u2066\udc80\x7fb").isprintable()
    assert printable("naïve 🧠 שלום") == "naïve 🧠 שלום"


def test_hundreds_of_runs_are_listed_at_once(tmp_path):
    whole = made(
        tmp_path / "one", table=[scores("one", "anna", 0.35, 0.05, 0.01, 0.09)], sessions=[SESSION]
    ).path
    for number in range(300):
        shutil.copytree(whole, tmp_path / "many" / f"{number:04}")
    for number in range(100):  # what a search must not open: files of features
        (tmp_path / "many" / "features").mkdir(exist_ok=True)
        np.save(tmp_path / "many" / "features" / f"{number}.npy", np.zeros(3))
    began = time.process_time()
    rows = summaries(tmp_path / "many")
    assert time.process_time() - began < 1.5
    assert len(rows) == 300
    assert {row["test_r"] for row in rows} == {0.35}


def test_json_has_every_name_whole(brainwavlm, hostile):
    rows = json.loads(brainwavlm("runs", hostile, "--json").out)
    assert {row["run"] for row in rows} == set(HOSTILE)
