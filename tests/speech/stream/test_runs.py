"""Runs in stream mode: alignment is unchanged, a broken run ends like an unbroken one, each command takes it."""

import json

import numpy as np
import pandas as pd
import pytest

from brainwavlm.encoding.plan import plan
from tests.reporting.pages import method_words

STREAM = {"windows__mode": "stream", "windows__chunk": 3.0}


def test_the_plan_counts_less_sound_for_the_same_readings(settings):
    windows, stream = (
        plan(settings(windows__stride=0.1, train=["dog"], **mode), calibration_steps=1)
        for mode in ({}, STREAM)
    )
    assert windows.windows_per_epoch == stream.windows_per_epoch > 0
    assert windows.sound_per_epoch == pytest.approx(windows.windows_per_epoch * 1.0 / 3600, rel=0.05)
    assert 5 * stream.sound_per_epoch < windows.sound_per_epoch


def test_a_report_says_that_a_run_is_a_stream(settings):
    assert "<dt>Windows</dt>" in method_words("heard", settings().windows)
    words = method_words("heard", settings(**STREAM).windows)
    assert words.startswith("<dt>Stream</dt>")
    assert "segments of 3 s" in words
    assert "up to 1 s ahead" in words


def test_features_ridge_tune_and_evaluate_take_the_stream(
    brainwavlm, tree, small_settings, tiny_wavlm, tmp_path
):
    stream = ["--set", "windows.mode=stream", "--set", "windows.chunk=3"]
    few = ["--set", "evaluation.shifts=20"]
    model = ["--backbone", tiny_wavlm, "--context", 1, "--stride", 0.5, "--device", "cpu"]
    brainwavlm("features", tree, *model, *stream, "--output", tmp_path / "features")
    assert len(list((tmp_path / "features").glob("*.safetensors"))) == 4

    ridge = ["ridge", tree, "--subject", "anna", "--layer", 2, *model, *few]
    r = []
    for name, more in (("stream", stream), ("windows", [])):
        brainwavlm(*ridge, *more, "--output", tmp_path / name)
        r.append(pd.read_csv(tmp_path / name / "scores.csv")["r"].to_numpy())
    assert np.isfinite(r).all()
    assert np.abs(r[0] - r[1]).max() > 1e-3  # another model of context

    data = ["--set", f"dataset={tree}", "--set", "subject=anna", *stream, *few]
    planned = brainwavlm("plan", small_settings, *data)
    assert "h of sound go through the model" in " ".join(planned.out.split())
    run = tmp_path / "run"
    brainwavlm("tune", small_settings, *data, "--output", run)
    assert json.loads(brainwavlm("show", run, "--json").out)["result"]["best"]["epoch"] == 1
    brainwavlm("evaluate", run, "--output", tmp_path / "scores")
    table = pd.read_csv(tmp_path / "scores" / "table.csv")
    assert np.isfinite(table[["r_frozen", "r_tuned"]]).all(axis=None)
