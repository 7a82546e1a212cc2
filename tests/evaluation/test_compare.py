import json
import shutil

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.evaluation.compare import compare
from brainwavlm.evaluation.evaluate import evaluate, score_backbone
from brainwavlm.results.comparison import Comparison
from brainwavlm.runs.run import open_run
from tests.trees import native_tree

KEPT = {"training__epochs": 2, "training__keep_epochs": True, "training__checkpoint_steps": 2}
SPLITS = {"dog": "train", "garden": "validation", "market": "test", "train": "test"}


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """Two test stories of 21 rows: two blocks each, so that there is something to draw."""
    folder = tmp_path_factory.mktemp("longer")
    return native_tree(folder, splits=SPLITS, n_trs=21, seconds=50.0).path


@pytest.fixture
def tuned(tuned, longer):
    return lambda name, **overrides: tuned(name, dataset=str(longer), train=["dog"], **overrides)


@pytest.fixture
def compared(features):
    """Runs compared by an evaluation that holds them all."""
    return lambda runs, **options: compare(runs, [evaluate(runs, cache=features, **options)])


def test_seeds_of_a_configuration_are_its_spread(tuned, features):
    runs = [tuned("a"), tuned("b", seed=1), tuned("whole", adapter__method="full")]
    scores = evaluate(runs, cache=features)
    found, single = compare(runs, [scores]), scores.table.set_index(["run", "target"])
    r = single.loc[[("a", "AC"), ("b", "AC")], "r_tuned"]
    groups = found.groups.set_index(["group", "target"])
    row = groups.loc[("adapter.method=lora", "AC")]
    assert_allclose(row[["mean", "deviation"]].astype(float), [r.mean(), r.std(ddof=1)], rtol=1e-6)
    assert_allclose(row[["lowest", "highest"]].astype(float), [r.min(), r.max()], rtol=1e-6)
    assert_allclose(row["r_frozen"], single.loc[("a", "AC"), "r_frozen"], rtol=1e-6)
    assert_allclose(row["gain"], row["mean"] - row["r_frozen"])
    assert row["low"] < row["gain"] < row["high"]
    assert row["n_runs"] == 2
    assert np.isnan(groups.loc[("adapter.method=full", "AC"), "deviation"])
    assert "adapter.method=full: one seed, so no spread." in found.summary["notes"]
    (difference,) = found.differences[found.differences["target"] == "AC"].to_dict("records")
    assert (difference["first"], difference["second"]) == ("adapter.method=lora", "adapter.method=full")
    expected = groups.loc[("adapter.method=full", "AC"), "mean"] - row["mean"]
    assert_allclose(difference["difference"], expected, atol=1e-12)
    assert difference["low"] < difference["difference"] < difference["high"]
    assert np.isnan(difference["deviation_over_seeds"])  # their seeds are not the same


def test_one_number_has_one_interval_wherever_it_is_shown(tuned, features):
    run = tuned("a", seed=7)
    scores = evaluate(run, cache=features)
    table = scores.table.set_index("target")
    assert (table["low"] < table["high"]).all()
    groups = compare(run, [scores]).groups.set_index("target")
    assert_allclose(groups[["gain", "low", "high"]], table[["difference", "low", "high"]], atol=1e-6)
    for model in ("frozen", "tuned"):
        summary = pd.DataFrame(scores.summary["runs"][0][model]["targets"]).set_index("target")
        expected = table[[f"r_{model}", f"low_{model}", f"high_{model}"]]
        assert_allclose(summary[["mean_r", "low", "high"]], expected, rtol=1e-5)
    alone = score_backbone(run.config, cache=features)
    cortex = pd.DataFrame(alone.summary["targets"]).set_index("target").loc["cortex"]
    assert_allclose(
        cortex[["low", "high"]].astype(float),
        table.loc["cortex", ["low_frozen", "high_frozen"]].astype(float),
        rtol=1e-5,
    )


def test_differences_of_the_same_seeds_have_their_own_spread(tuned, compared):
    runs = [
        tuned(f"{target}-{seed}", target=target, seed=seed) for target in ("cortex", "AC") for seed in (0, 1)
    ]
    found = compared(runs)
    r = found.runs.set_index(["run", "target"])["r_tuned"]
    by_seed = [r[(f"AC-{seed}", "LH")] - r[(f"cortex-{seed}", "LH")] for seed in (0, 1)]
    (row,) = found.differences[found.differences["target"] == "LH"].to_dict("records")
    assert_allclose(row["deviation_over_seeds"], np.std(by_seed, ddof=1))
    assert_allclose(row["difference"], np.mean(by_seed), atol=1e-12)


def test_epochs_have_the_scores_of_the_histories_and_of_ridge(tuned, compared):
    runs = [tuned(name, seed=seed, **KEPT) for seed, name in enumerate("ab")]
    found = compared(runs, epochs=True)
    validation = found.epochs[found.epochs["score"] == "validation"].to_dict("records")
    for epoch, row in zip((1, 2), validation, strict=True):
        r = [run.result["history"][epoch - 1]["validation_r"] for run in runs]
        assert_allclose([row["mean"], row["deviation"]], [np.mean(r), np.std(r, ddof=1)])
        assert (row["epoch"], row["group"], row["target"], row["n_runs"]) == (epoch, "all runs", "cortex", 2)
    ridge = found.epochs[found.epochs["score"] == "ridge"].set_index(["target", "epoch"])
    assert sorted(ridge.loc["cortex"].index) == [0, 1, 2]
    assert (ridge["n_runs"] == 2).all()
    of_runs = found.runs.set_index(["target", "run"])
    assert_allclose(ridge.loc[("LH", 0), "mean"], of_runs.loc[("LH", "a"), "r_frozen"], atol=1e-6)
    best = {run.path.name: run.result["best"]["epoch"] for run in runs}
    for epoch in (1, 2):
        for name in [name for name in best if best[name] == epoch]:
            row, r = ridge.loc[("LH", epoch)], of_runs.loc[("LH", name), "r_tuned"]
            assert min(abs(row["lowest"] - r), abs(row["highest"] - r)) < 1e-6
    one, two = ridge.loc[("cortex", 1), "mean"], ridge.loc[("cortex", 2), "mean"]
    assert one != two


def test_kept_epochs_are_all_there_and_no_other_checkpoint(tuned):
    run = open_run(tuned("kept", seed=0, **KEPT).path)
    assert sorted(run.epochs) == [1, 2]
    assert len(run.checkpoints) == 2
    assert run.checkpoint(2).state["epoch"] == 2
    with pytest.raises(RunError, match="no checkpoint of epoch 7, only of 1, 2"):
        run.checkpoint(7)


def test_epochs_that_were_not_kept_are_asked_for(tuned):
    run = tuned("plain", training__epochs=3)
    assert len(run.checkpoints) <= 2
    with pytest.raises(RunError, match="keep_epochs=true"):
        evaluate(run, epochs=True)


def test_other_test_stories_are_not_subtracted(tuned, compared):
    runs = [tuned("both"), tuned("one", test=["market"])]
    found = compared(runs)
    assert len(found.groups["group"].unique()) == 2
    assert found.differences.empty
    assert any("not subtracted" in note for note in found.summary["notes"])


def test_two_runs_of_one_seed_are_no_spread_over_seeds(tuned, compared):
    found = compared([tuned("a"), tuned("again")])
    assert any("several runs with one seed" in note for note in found.summary["notes"])
    assert (found.groups["deviation"] < 1e-9).all()  # bit-identical runs, bit-identical scores


def test_files_are_whole(tuned, compared, tmp_path):
    found = compared(tuned("a"))
    again = Comparison.open(found.save(tmp_path / "out"))
    pd.testing.assert_frame_equal(again.groups, found.groups, rtol=1e-5)
    assert again.differences.empty
    assert again.summary["groups"] == [{"group": "all runs", "runs": ["a"], "seeds": [0], "subject": "anna"}]
    json.dumps(found.as_dict(), allow_nan=False)


def test_what_the_evaluations_do_not_share_is_left_out_and_said(tuned, features):
    few = tuned("few", evaluation__targets=["LH"])
    more = tuned("more", seed=1, evaluation__targets=["RH"])
    for run in (few, more):
        evaluate(run, cache=features).save(run.path / "evaluation")
    for runs in ([few, more], [more, few]):
        found = compare(runs)
        assert set(found.groups["target"]) == {"cortex", "ceiling>0.2"}
        assert {"LH", "RH", "cortex"} <= set(found.runs["target"])
        notes = found.summary["notes"]
        assert "all runs: not every run was evaluated on RH: left out." in notes


def test_runs_that_cannot_be_compared_are_refused(tuned, compared):
    run = tuned("a")
    for runs in ([], [run, run]):
        with pytest.raises(ConfigError, match="runs"):
            compare(runs)
    with pytest.raises(RunError, match=r"no checkpoint|no epoch"):
        compared([run, tuned("none", training__epochs=0)])


def test_a_run_without_its_evaluation_is_told_how_to_make_it(tuned, features, tmp_path):
    run, other = tuned("a"), tuned("b", seed=1)
    scores = evaluate(run, cache=features)
    folder = scores.save(run.path / "evaluation")
    with pytest.raises(
        RunError, match=rf"{other.path}: a run without an evaluation(.|\n)*evaluate {other.path}"
    ):
        compare([run, other])
    assert compare(run).groups["target"].tolist() == scores.target_names
    moved = open_run(shutil.move(run.path, tmp_path / "moved"))
    assert len(compare(moved).runs) == len(scores.table)
    folder = moved.path / "evaluation"
    (folder / "replicates.npz").unlink()
    with pytest.raises(RunError, match=r"without replicates\.npz(.|\n)*brainwavlm evaluate"):
        compare(moved)
    scores.save(folder)
    summary = json.loads((folder / "summary.json").read_text())
    summary["runs"][0]["best"]["epoch"] += 1  # it went on after it was evaluated
    (folder / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(RunError, match="without an evaluation of its best epoch"):
        compare(moved)
