"""Each command on a copy of ds003020 with true names and formats: what it leaves, and what it says of bad input."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from tests.damage import cut, within, written
from tests.trees import ds003020_tree


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return ds003020_tree(tmp_path_factory.mktemp("ds003020") / "ds003020", volumes=41)


@pytest.fixture
def broken(published, tmp_path):
    return shutil.copytree(published, tmp_path / "ds003020")


def test_check_plan_tune_and_evaluate_need_nothing_but_the_path(
    brainwavlm, published, small_settings, tmp_path
):
    data, run, scores = ["--set", f"dataset={published}"], tmp_path / "run", tmp_path / "scores"
    brainwavlm("check", published)
    planned = json.loads(brainwavlm("plan", small_settings, *data, "--json").out)
    assert planned["stories"] == {"train": 3, "validation": 1, "test": 1}
    assert planned["trained"]["speech model"] == 3 * 3 * 2 * 2 * 32
    tuned = brainwavlm("tune", small_settings, *data, "--output", run)
    assert f"brainwavlm evaluate {run}" in tuned.out
    brainwavlm("evaluate", run, "--memory", "0.5GB", "--output", scores)
    table = pd.read_csv(scores / "table.csv")
    assert set(table["target"]) >= {"cortex"}
    assert np.isfinite(table[["r_frozen", "r_tuned", "low", "high"]]).all(axis=None)
    summary = json.loads((scores / "summary.json").read_text())
    assert summary["simulated"] is False
    assert any("10 + 2 k s" in fact for fact in summary["runs"][0]["frozen"]["facts"])
    assert json.loads(brainwavlm("runs", tmp_path, "--json").out)[0]["run"] == "run"
    assert json.loads(brainwavlm("show", run, "--json").out)["result"]["best"]["epoch"] == 1
    assert "UTS03" in brainwavlm("show", run).out


def test_features_are_kept_and_ridge_writes_one_row_a_voxel(brainwavlm, published, tiny_wavlm, tmp_path):
    model = ["--backbone", tiny_wavlm, "--context", 1, "--stride", 1, "--frame", "mean", "--device", "cpu"]
    features, ridge = tmp_path / "features", tmp_path / "ridge"
    brainwavlm("features", published, *model, "--output", features)
    files = {path: path.stat().st_mtime_ns for path in features.iterdir()}
    assert len(files) == 5
    brainwavlm("features", published, *model, "--output", features)
    assert {path: path.stat().st_mtime_ns for path in features.iterdir()} == files
    ridge.mkdir()  # an empty folder is as good as none
    words = ["--subject", "UTS03", *model, "--layer", 2, "--features", features, "--output", ridge]
    words += ["--set", "evaluation.shifts=20"]
    brainwavlm("ridge", published, *words, "--memory", "500MB")
    scores = pd.read_csv(ridge / "scores.csv")
    assert len(scores) == 30
    assert {"subject", "voxel", "cortex", "r", "r_normalised", "alpha"} <= set(scores.columns)
    summary = json.loads((ridge / "summary.json").read_text())
    assert (summary["tr_reference"], summary["ridge"]["memory_gb"]) == ("onset", 0.5)
    brainwavlm("ridge", published, *words, "--memory", "400MB")  # it may replace its own
    assert json.loads((ridge / "summary.json").read_text())["ridge"]["memory_gb"] == 0.4
    assert "mean r" in brainwavlm("show", ridge).out
    brainwavlm("report", ridge)
    brainwavlm("figure", "scatter", ridge, "-o", tmp_path / "a.svg", code=2)


OF_UTS03 = "derivative/preprocessed_data/UTS03"
SOULS = f"{OF_UTS03}/souls.hf5"


def nothing_but_nan(root):
    for path in (root / OF_UTS03).iterdir():
        within(path, "data", ..., np.nan)(root)


@pytest.mark.parametrize(
    ("breakage", "words"),
    [
        (written("stimuli/souls.wav", "/annex/objects/MD5E-s5--00.wav\n"), r"datalad get .*souls\.wav"),
        (cut(SOULS, -200), r"souls\.hf5.*truncated"),
        (nothing_but_nan, r"nan|NaN"),
    ],
    ids=["pointer", "truncated", "nan"],
)
def test_a_broken_data_set_ends_each_command_with_its_message_and_leaves_nothing(
    brainwavlm, broken, small_settings, tmp_path, breakage, words
):
    breakage(broken)
    data = ["--set", f"dataset={broken}"]
    output = tmp_path / "output"
    for command in (
        ("check", broken),
        ("plan", small_settings, *data),
        ("tune", small_settings, *data, "--output", output),
        ("ridge", broken, "--preset", "demo", "--subject", "UTS03", "--output", output),
    ):
        done = brainwavlm(*command, code=2)
        assert re.search(words, (done.out + done.err).replace("\n", " ")), (command, done)
    assert not output.exists()
