"""Each command on a copy of ds003020 with true names and formats: what it leaves, and what it says of bad input."""

import json
import re
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from tests.trees import ds003020_tree


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return ds003020_tree(tmp_path_factory.mktemp("ds003020") / "ds003020", volumes=41)


@pytest.fixture
def broken(published, tmp_path):
    return shutil.copytree(published, tmp_path / "ds003020")


def test_check_plan_tune_evaluate_report_need_nothing_but_the_path(
    brainwavlm, published, small_settings, tmp_path
):
    data = ["--set", f"dataset={published}"]
    brainwavlm("check", published)

    plan = brainwavlm("plan", small_settings, *data, "--json")
    planned = json.loads(plan.out)
    assert planned["stories"] == {"train": 3, "validation": 1, "test": 1}
    assert planned["trained"]["speech model"] == 3 * 3 * 2 * 2 * 32
    assert "30 of 30" in brainwavlm("plan", small_settings, *data).out

    run = tmp_path / "run"
    tuned = brainwavlm("tune", small_settings, *data, "--output", run)
    assert f"brainwavlm evaluate {run}" in tuned.out

    scores = tmp_path / "scores"
    brainwavlm("evaluate", run, "--memory", "0.5GB", "--output", scores)
    table = pd.read_csv(scores / "table.csv")
    assert set(table["target"]) >= {"cortex"}
    assert np.isfinite(table[["r_frozen", "r_tuned", "low", "high"]]).all(axis=None)
    summary = json.loads((scores / "summary.json").read_text())
    assert summary["simulated"] is False
    assert any("10 + 2 k s" in fact for fact in summary["runs"][0]["frozen"]["facts"])

    brainwavlm("report", scores)
    page = (scores / "report.html").read_text()
    assert "SIMULATED" not in page

    assert json.loads(brainwavlm("runs", tmp_path, "--json").out)[0]["run"] == "run"
    assert "UTS03" in brainwavlm("runs", tmp_path).out
    assert "UTS03" in brainwavlm("show", run).out
    assert json.loads(brainwavlm("show", run, "--json").out)["result"]["best"]["epoch"] == 1


def test_ridge_writes_one_row_a_voxel(brainwavlm, published, tiny_wavlm, tmp_path):
    (tmp_path / "ridge").mkdir()  # an empty folder is as good as none
    words = ["--subject", "UTS03", "--backbone", tiny_wavlm, "--layer", 2, "--frame", "mean", "--context", 1]
    words += ["--device", "cpu", "--memory", "500MB", "--output", tmp_path / "ridge"]
    words += ["--set", "evaluation.shifts=20"]
    brainwavlm("ridge", published, *words, "--stride", 0.5)
    scores = pd.read_csv(tmp_path / "ridge" / "scores.csv")
    assert len(scores) == 30
    assert {"subject", "voxel", "cortex", "r", "r_normalised", "alpha"} <= set(scores.columns)
    assert json.loads((tmp_path / "ridge" / "summary.json").read_text())["tr_reference"] == "onset"
    first = (tmp_path / "ridge" / "summary.json").read_text()
    assert json.loads(first)["ridge"]["memory_gb"] == 0.5
    brainwavlm("ridge", published, *words, "--stride", 1)
    assert (tmp_path / "ridge" / "summary.json").read_text() != first
    assert "shared map" in brainwavlm("show", tmp_path / "ridge").out
    brainwavlm("report", tmp_path / "ridge")
    brainwavlm("figure", "scatter", tmp_path / "ridge", "-o", tmp_path / "a.svg", code=2)


def test_features_are_kept_and_read_again(brainwavlm, published, tiny_wavlm, tmp_path):
    arguments = ["features", published, "--backbone", tiny_wavlm]
    arguments += ["--context", 1, "--stride", 1, "--device", "cpu"]
    brainwavlm(*arguments, "--output", tmp_path / "features")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "features").iterdir()}
    assert len(files) == 5
    brainwavlm(*arguments, "--output", tmp_path / "features")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "features").iterdir()} == files


SOULS = "derivative/preprocessed_data/UTS03/souls.hf5"


def pointer_sound(root):
    (root / "stimuli/souls.wav").write_text("/annex/objects/MD5E-s5--00.wav\n")


def truncated_responses(root):
    content = (root / SOULS).read_bytes()
    (root / SOULS).write_bytes(content[: len(content) // 2])


def nothing_but_nan(root):
    for path in (root / "derivative/preprocessed_data/UTS03").iterdir():
        with h5py.File(path, "r+") as file:
            file["data"][...] = np.nan


BREAKAGES = {
    pointer_sound: r"datalad get .*souls\.wav",
    truncated_responses: r"souls\.hf5.*truncated",
    nothing_but_nan: r"nan|NaN",
}


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.__name__)
def test_a_broken_data_set_ends_each_command_with_its_message_and_leaves_nothing(
    brainwavlm, broken, small_settings, tmp_path, breakage
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
        assert re.search(BREAKAGES[breakage], (done.out + done.err).replace("\n", " ")), (command, done)
    assert not output.exists()
