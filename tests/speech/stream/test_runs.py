"""Runs in stream mode: alignment is unchanged, a broken run ends like an unbroken one, each command takes it."""

import numpy as np
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


def test_a_run_in_stream_mode_is_scored_on_the_stream(evaluated):
    scores, of_windows = evaluated(**STREAM).voxels, evaluated().voxels
    assert np.isfinite(scores[["r_frozen", "r_tuned"]]).all(axis=None)
    assert (scores["r_frozen"] - of_windows["r_frozen"]).abs().max() > 1e-3  # another model of context
