"""Outputs that hold other files, options in the user's words, and help that is not cut."""

import pytest
from typer.main import get_command

from brainwavlm.cli import app


@pytest.fixture
def ridge(brainwavlm, tree, tiny_wavlm, tmp_path):
    """`brainwavlm ridge` into tmp_path / "out"."""
    arguments = [
        *("ridge", tree, "--subject", "anna", "--backbone", tiny_wavlm, "--layer", 1, "--frame", "mean"),
        *("--device", "cpu", "--set", "evaluation.shifts=20", "--set", "evaluation.bootstraps=100"),
        *("--context", 1, "--output", tmp_path / "out"),
    ]
    return lambda *more: brainwavlm(*arguments, *(more or ("--stride", 1)))


@pytest.mark.parametrize("names", [["thesis.tex"], ["summary.json"], ["scores.csv", "thesis.tex"]])
def test_ridge_leaves_a_folder_with_other_files_alone(ridge, tmp_path, names):
    (tmp_path / "out").mkdir()
    for name in names:
        (tmp_path / "out" / name).write_text("years of work")
    done = ridge()
    assert done.code == 2
    assert "a folder with other files" in done.err
    assert "scores.csv, summary.json" in done.err
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == dict.fromkeys(
        names, "years of work"
    )


def test_ridge_goes_into_an_empty_folder_and_replaces_an_earlier_result(ridge, tmp_path):
    (tmp_path / "out").mkdir()
    assert ridge().code == 0
    first = (tmp_path / "out" / "summary.json").read_text()
    done = ridge("--stride", 2)
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "summary.json").read_text() != first


@pytest.mark.parametrize("command", ["evaluate", "compare", "transfer"])
def test_scores_do_not_mix_with_the_files_of_a_run(brainwavlm, tuned, command):
    run = tuned().path
    before = sorted(run.rglob("*"))
    done = brainwavlm(command, run, "--output", run)
    assert done.code == 2
    assert "a folder with other files" in done.err
    assert sorted(run.rglob("*")) == before


@pytest.mark.parametrize(("option", "value"), [("--stride", "0"), ("--context", "-1"), ("--frame", "middle")])
def test_an_option_is_named_as_it_was_typed(ridge, option, value):
    done = ridge("--stride", 1, option, value)
    assert done.code == 2
    assert done.err.startswith(f"{option}: ")


def test_no_line_of_the_help_is_cut_at_80_columns():
    command = get_command(app)
    with command.make_context(
        "brainwavlm", ["check", "x"], max_content_width=80, terminal_width=80
    ) as context:
        text = command.get_help(context)
    assert "  transfer  " in text
    assert [line for line in text.splitlines() if line.endswith("...") and "COMMAND" not in line] == []
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "differs"),
    [(("--joint", "ben"), "joint"), (("--subject", "ben"), "subject"), (("--layer", 1, "--seed", 9), "seed")],
)
def test_a_run_is_not_resumed_with_options_that_it_does_not_have(brainwavlm, tuned, options, differs):
    run = tuned().path
    done = brainwavlm("tune", "--resume", "--output", run, *options)
    assert done.code == 2
    assert "another config than asked for" in done.err
    assert differs in done.err or "layer" in done.err
    assert brainwavlm("tune", "--resume", "--output", run).code == 0


def test_a_joint_run_shows_every_listener(brainwavlm, finished):
    shown = brainwavlm("show", finished(joint=[{"subject": "ben"}]).path).out
    assert "native, anna" in shown
    assert "native, ben" in shown
