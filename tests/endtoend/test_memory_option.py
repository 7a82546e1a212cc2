"""`--memory` on the commands that solve ridge."""

import json

import pytest


def test_memory_reaches_ridge_and_too_little_is_refused(brainwavlm, tree, tiny_wavlm, tmp_path):
    arguments = [
        *("ridge", tree, "--subject", "anna", "--backbone", tiny_wavlm, "--layer", 2, "--frame", "mean"),
        *("--context", 1, "--stride", 0.5, "--device", "cpu", "--set", "evaluation.shifts=20"),
    ]
    done = brainwavlm(*arguments, "--memory", "500MB", "--output", tmp_path / "enough")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "enough" / "summary.json").read_text())["ridge"]["memory_gb"] == 0.5
    refused = brainwavlm(*arguments, "--memory", "1MB", "--output", tmp_path / "none")
    assert refused.code == 2
    assert "--memory: 0.001 GB for a design of" in refused.err
    assert not (tmp_path / "none").exists()


def test_evaluate_takes_memory_over_that_of_the_run(brainwavlm, tuned):
    run = tuned().path
    assert brainwavlm("evaluate", run, "--memory", "1MB").code == 2
    assert brainwavlm("evaluate", run, "--memory", "0.5GB").code == 0


@pytest.mark.parametrize("command", [["ridge", "demo"], ["evaluate", "run"]])
def test_what_is_no_memory_is_refused_before_anything_is_read(brainwavlm, tmp_path, command):
    done = brainwavlm(*command, "--memory", "much", "--output", tmp_path / "output")
    assert done.code == 2
    assert "--memory: 'much'" in done.err
    assert "8GB" in done.err
    assert not (tmp_path / "output").exists()
