import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import load_file, save_file
from scipy.stats import false_discovery_control

import brainwavlm.evaluation.evaluate as module
from brainwavlm.cli import show_scores
from brainwavlm.encoding.prepared_stories import read_story
from brainwavlm.encoding.run_data import run_data
from brainwavlm.encoding.run_model import predict, tuned_backbone, tuned_readout
from brainwavlm.encoding.tuning import tune
from brainwavlm.errors import RunError
from brainwavlm.evaluation import evaluator
from brainwavlm.evaluation.evaluate import evaluate, score_backbone
from brainwavlm.evaluation.scores import correlation
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.runs.run import open_run
from brainwavlm.runs.subject_views import run_names
from tests.trees import native_tree


@pytest.fixture(scope="module")
def run(finished):
    return finished()


@pytest.fixture(scope="module")
def scores(evaluated):
    return evaluated()


def test_frozen_and_tuned_are_compared_on_the_same_rows(scores, settings, features):
    assert list(scores.table["target"]) == ["cortex", "AC", "cortex-AC", "LH", "RH", "ceiling>0.2"]
    assert set(scores.table["run"]) == {"run"}
    alone = score_backbone(settings(), cache=features)
    assert_allclose(scores.voxels["r_frozen"], alone.r, atol=1e-6)
    assert (scores.voxels["r_tuned"] != scores.voxels["r_frozen"]).any()
    cortex = scores.table.iloc[0]
    assert_allclose(cortex["r_tuned"], scores.voxels["r_tuned"].mean())
    assert_allclose(cortex["difference"], cortex["r_tuned"] - cortex["r_frozen"], atol=1e-12)
    assert np.isnan([cortex["low"], cortex["high"]]).all()  # twelve test rows are one block: no interval
    notes = " ".join(scores.summary["notes"])
    assert "features read at the TR's onset" in notes
    assert "no target language" in notes
    ac = scores.voxels[scores.voxels["AC"]]
    assert_allclose(scores.table.iloc[1]["r_frozen"], ac["r_frozen"].mean())
    assert_allclose(scores.table.iloc[1]["r_time_only"], ac["r_time_only"].mean())
    for kind in ("frozen", "tuned", "difference"):
        p, q, p_max = (scores.voxels[f"{name}_{kind}"] for name in ("p", "q", "p_max"))
        assert (p > 0).all()
        assert (p_max >= p).all()
        assert_allclose(q, false_discovery_control(p))


def test_what_ridge_wrote_opens_with_the_frozen_columns_of_evaluate(scores, settings, features, tmp_path):
    score_backbone(settings(), cache=features).save(tmp_path / "ridge")
    ridge = Evaluation.open(tmp_path / "ridge")
    for mine, theirs, keys in (
        (ridge.voxels, scores.voxels, ["voxel"]),
        (ridge.table, scores.table, ["target"]),
    ):
        shared = [name for name in mine if name in theirs and "frozen" in name]
        assert {"r_frozen", "shared_frozen", "p_frozen"} <= set(shared)
        assert_allclose(mine[shared], theirs[shared], rtol=1e-4, atol=1e-5)
        assert_array_equal(mine[keys], theirs[keys])
    assert ridge.runs[0]["splits"] == scores.runs[0]["splits"]


def test_voxels_that_no_test_could_find_are_not_counted_as_none(scores, printed, tmp_path):
    """Twelve test rows have twelve offsets and one block: no swap can show anything."""
    assert (scores.voxels["p_difference"] == 1).all()
    assert any("p of a difference is never below 1" in note for note in scores.summary["notes"])
    assert (
        scores.table[["voxels_frozen", "voxels_tuned", "voxels_better", "voxels_worse"]].isna().all(axis=None)
    )
    shown = " ".join(printed(show_scores.save_and_show, scores, tmp_path / "shown", False).split())
    assert "which voxels changed cannot be tested: p of a voxel is never below 1" in shown
    assert "which voxels are predicted cannot be tested: p of a voxel is never below 0.083" in shown
    opened = Evaluation.open(scores.save(tmp_path / "evaluation"))
    assert set(opened.of_run("run").untestable) == {"q_frozen", "q_tuned", "q_difference"}
    cells = [row[name] for row in opened.test_rows() for name in ("frozen q", "tuned q", "better", "worse")]
    assert set(cells) == {"cannot be tested"}


def test_a_run_whose_untuned_model_was_kept_gains_nothing(finished, features):
    run = finished(quirks__epoch_by_ridge=True, training__keep_epochs=True)
    scores = evaluate(run, cache=features, epochs=True)
    assert (scores.table["best_epoch"] == 0).all()
    assert (scores.table["difference"].abs() < 1e-6).all()  # up to rounding of the idle adapters
    assert list(scores.ridge_epochs["epoch"].unique()) == [0, 1]


def test_the_readouts_own_score_is_that_of_its_predictions(run, scores):
    config = run.config
    setting = run_data(config)
    backbone = tuned_backbone(run)
    readout = tuned_readout(run, backbone.n_dims)
    (recording,) = setting.splits["test"]
    prepared = read_story(recording, setting.voxels, backbone.min_samples, config, torch.device("cpu"))
    predicted = predict(backbone, readout, prepared, config).numpy()
    expected = correlation(prepared.responses.numpy(), predicted)
    assert_allclose(scores.voxels["r_readout"], expected, atol=1e-4)


def test_runs_with_one_frozen_model_load_and_score_it_and_scan_the_responses_once(
    run, monkeypatch, tuned, finished, features
):
    other = tuned("tuned-on-AC", target="AC&LH", seed=3)
    computed, loaded, scanned = [], [], []
    original, load, scan = module.score_states, evaluator.load_backbone, evaluator.run_data
    monkeypatch.setattr(
        module, "score_states", lambda *args, **more: computed.append(args[3]) or original(*args, **more)
    )
    monkeypatch.setattr(evaluator, "load_backbone", lambda *args: loaded.append(args) or load(*args))
    monkeypatch.setattr(evaluator, "run_data", lambda *args: scanned.append(args) or scan(*args))
    scores = evaluate([run, other], cache=features)
    assert computed.count("Reading stories, model as it is") == len(loaded) == len(scanned) == 1
    assert list(dict.fromkeys(scores.table["run"])) == ["run", "tuned-on-AC"]
    table = scores.table.set_index(["run", "target"])
    frozen = [table.loc[(name, "LH"), "r_frozen"] for name in ("run", "tuned-on-AC")]
    assert_allclose(*frozen, rtol=1e-12)
    assert table.loc[("tuned-on-AC", "AC&LH"), "n_voxels"] == other.voxels.sum()
    # A readout tuned on AC predicts no other voxel: its mean over cortex would be of another set.
    assert np.isnan(table.loc[("tuned-on-AC", "cortex"), "r_readout"])
    assert not np.isnan(table.loc[("tuned-on-AC", "AC&LH"), "r_readout"])
    assert not np.isnan(table.loc[("run", "cortex"), "r_readout"])
    assert all(value == value for row in scores.rows() for value in row.values())  # no NaN for people
    namesakes = [run, finished(training__epochs=0)]  # told apart by their path
    assert run_names(namesakes) == [str(one.path) for one in namesakes]


def test_evaluating_again_reads_the_cache_and_gives_the_same(run, scores, features, monkeypatch):
    monkeypatch.setattr("brainwavlm.speech.features.extract", None)
    pd.testing.assert_frame_equal(scores.table, evaluate(open_run(run.path), cache=features).table)


def test_features_of_tuned_models_are_left_out_of_the_cache_on_request(run, scores, tmp_path):
    score_backbone(run.config, cache=tmp_path)
    untuned = sorted(tmp_path.iterdir())
    again = evaluate(run, cache=tmp_path, keep_tuned=False)
    assert sorted(tmp_path.iterdir()) == untuned
    pd.testing.assert_frame_equal(scores.table, again.table)


def test_ridge_on_a_target_scores_only_its_voxels(settings, features):
    score = score_backbone(settings(target="AC"), cache=features)
    assert_array_equal(score.voxel, np.arange(0, 30, 3))
    assert score.summary["simulated"] is False
    sizes = {row["target"]: row["n_voxels"] for row in score.summary["targets"]}
    assert not {"cortex", "LH", "RH", "ceiling>0.2"} & sizes.keys()  # none of them is scored whole
    assert sizes["LH within AC"] + sizes["RH within AC"] == sizes["AC"] == 10


def test_what_changed_since_the_run_is_refused(tuned, own_tree, tiny_wavlm, tmp_path):
    """What the run names holds something else now than when it was tuned."""
    description = yaml.safe_load((own_tree / "dataset.yaml").read_text())
    stories = description["stories"]
    stories["dog"]["split"], stories["market"]["split"] = "test", "train"  # scored, although it was tuned on
    (own_tree / "dataset.yaml").write_text(yaml.safe_dump(description))
    model = shutil.copytree(tiny_wavlm, tmp_path / "model")
    weights = {name: 1.3 * value for name, value in load_file(model / "model.safetensors").items()}
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    mask = tmp_path / "mask.npy"
    np.save(mask, np.arange(30) > 1)
    for words, changed in (
        ("splits", {"dataset": str(own_tree)}),
        ("speech model", {"backbone": {"name": str(model), "layer": 3}}),
        ("voxels of the target", {"target": str(mask)}),
    ):
        run = tuned(words)
        manifest = json.loads((run.path / "run.json").read_text())
        (run.path / "run.json").write_text(
            json.dumps({**manifest, "config": {**manifest["config"], **changed}})
        )
        with pytest.raises(RunError, match=words):
            evaluate(open_run(run.path))


def test_five_listeners_are_tested_together(settings, tmp_path):
    """One run, scored on the responses of five, as if each had one."""
    folder = native_tree(tmp_path / "data", subjects=("a", "b", "c", "d", "e")).path
    few = {"dataset": str(folder), "train": ["dog"], "windows__stride": 2.0, "training__epochs": 1}
    runs = [tune(settings(subject="a", **few), tmp_path / "a")]
    for name in "bcde":
        manifest = shutil.copytree(runs[0].path, tmp_path / name) / "run.json"
        content = json.loads(manifest.read_text())
        content["config"]["subject"] = content["data"]["subject"] = name
        manifest.write_text(json.dumps(content))
        runs.append(open_run(manifest.parent))
    scores = evaluate(runs, cache=tmp_path / "features")
    rows = {row["target"]: row for row in scores.summary["listeners"]}
    assert rows["cortex"]["kind"] == "all runs"
    assert rows["cortex"]["n_listeners"] == 5
    of_cortex = scores.table[scores.table["target"] == "cortex"]
    assert_allclose(rows["cortex"]["difference"], of_cortex["difference"].mean(), rtol=1e-4)


def test_a_test_story_whose_sound_was_fitted_is_called_a_leak(settings, tmp_path, own_tree):
    shutil.copy(own_tree / "stimuli" / "dog.wav", own_tree / "stimuli" / "market.wav")
    scores = evaluate(tune(settings(dataset=str(own_tree), training__epochs=1), tmp_path / "run"))
    assert scores.runs[0]["frozen"]["sounds_on_both_sides"] == {"market": ["dog"]}
    assert any("LEAK: market is scored" in note for note in scores.summary["notes"])
