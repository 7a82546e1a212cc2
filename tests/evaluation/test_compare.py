import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.errors import RunError
from brainwavlm.evaluation.compare import compare
from brainwavlm.evaluation.evaluate import evaluate, score_backbone
from brainwavlm.evaluation.transfer import transfer
from brainwavlm.results.estimates import jackknife_interval
from brainwavlm.results.replicates import READOUTS
from brainwavlm.runs.run import open_run
from tests.made_up import without_checksums
from tests.trees import native_tree

KEPT = {"training__epochs": 2, "training__keep_epochs": True, "training__checkpoint_steps": 2}
SPLITS = {"dog": "train", "garden": "validation", "market": "test", "train": "test"}
LORA, FROZEN = (f"adapter.method={method}" for method in ("lora", "frozen"))


@pytest.fixture(scope="module")
def copied(finished, tmp_path_factory):
    """Runs by name, on two test stories of 21 rows: two blocks each, so that there is something to draw."""
    longer = native_tree(tmp_path_factory.mktemp("longer"), splits=SPLITS, n_trs=21, seconds=50.0).path
    folder = tmp_path_factory.mktemp("runs")

    def run(name, **overrides):
        whole = finished(dataset=str(longer), train=["dog"], **overrides)
        return open_run(shutil.copytree(whole.path, folder / name))

    return run


@pytest.fixture(scope="module")
def runs(copied):
    seeds = {
        f"{method}-{seed}": copied(f"{method}-{seed}", seed=seed, adapter__method=method)
        for method in ("lora", "frozen")
        for seed in (0, 1)
    }
    return {**seeds, "one story": copied("one story", test=["market"])}


@pytest.fixture(scope="module")
def scores(runs, features):
    return evaluate(list(runs.values()), cache=features)


@pytest.fixture(scope="module")
def compared(runs, scores):
    return compare([run for name, run in runs.items() if name != "one story"], [scores])


def test_seeds_of_a_configuration_are_its_spread(compared, scores):
    single = scores.table.set_index(["run", "target"])
    r = single.loc[[("lora-0", "AC"), ("lora-1", "AC")], "r_tuned"]
    groups = compared.groups.set_index(["group", "target"])
    row = groups.loc[(LORA, "AC")]
    assert_allclose(row[["mean", "deviation"]].astype(float), [r.mean(), r.std(ddof=1)], rtol=1e-6)
    assert_allclose(row[["lowest", "highest"]].astype(float), [r.min(), r.max()], rtol=1e-6)
    assert_allclose(row["r_frozen"], single.loc[("lora-0", "AC"), "r_frozen"], rtol=1e-6)
    assert_allclose(row["gain"], row["mean"] - row["r_frozen"])
    assert row["low"] < row["gain"] < row["high"]
    assert row["n_runs"] == 2


def test_differences_of_groups_are_paired_by_seed_where_their_seeds_are_the_same(runs, scores, compared):
    r = compared.runs.set_index(["run", "target"])["r_tuned"]
    by_seed = [r[(f"frozen-{seed}", "LH")] - r[(f"lora-{seed}", "LH")] for seed in (0, 1)]
    row = compared.differences.set_index(["first", "second", "target"]).loc[(LORA, FROZEN, "LH")]
    assert_allclose(row["deviation_over_seeds"], np.std(by_seed, ddof=1))
    assert_allclose(row["difference"], np.mean(by_seed), atol=1e-12)
    assert row["low"] < row["difference"] < row["high"]
    fewer = compare([run for name, run in runs.items() if name not in ("lora-1", "one story")], [scores])
    assert fewer.differences["deviation_over_seeds"].isna().all()
    assert np.isnan(fewer.groups.set_index(["group", "target"]).loc[(LORA, "AC"), "deviation"])
    assert f"{LORA}: one seed, so no spread." in fewer.summary["notes"]


def test_one_number_has_one_interval_wherever_it_is_shown(runs, scores, features):
    run = runs["lora-0"]
    table = scores.table[scores.table["run"] == "lora-0"].set_index("target")
    assert (table["low"] < table["high"]).all()
    groups = compare(run, [scores]).groups.set_index("target")
    assert_allclose(groups[["gain", "low", "high"]], table[["difference", "low", "high"]], atol=1e-6)
    by_state = evaluate(run, cache=features, layers=[1, 3]).layers.set_index(["layer", "target"])
    ends = by_state.loc[3].loc[table.index, ["low", "high"]]
    assert_allclose(ends, table[["low", "high"]], atol=1e-6)
    assert by_state["difference"].between(by_state["low"], by_state["high"]).all()
    for model in ("frozen", "tuned"):
        summary = pd.DataFrame(scores.summary["runs"][0][model]["targets"]).set_index("target")
        expected = table[[f"r_{model}", f"low_{model}", f"high_{model}"]]
        assert_allclose(summary[["mean_r", "low", "high"]], expected, rtol=1e-5)
    alone = score_backbone(run.config, cache=features)
    cortex = pd.DataFrame(alone.summary["targets"]).set_index("target").loc["cortex", ["low", "high"]]
    expected = table.loc["cortex", ["low_frozen", "high_frozen"]]
    assert_allclose(cortex.astype(float), expected.astype(float), rtol=1e-5)


def test_runs_that_are_scored_apart_or_by_transfer_leave_out_the_same(runs, scores, features):
    run = runs["lora-1"]
    alone, moved = evaluate(run, cache=features).replicates, transfer(run, cache=features).replicates
    together = scores.replicates
    places = [place for place, row in enumerate(together.about) if row["run"] == run.path.name]
    # The untuned model is the same one: so are its means without each piece, whatever the run.
    assert_array_equal(together.frozen[places], together.frozen[: len(places)])
    assert np.isfinite(together.frozen[places]).all()
    of_transfer = {
        (row["target"], row["readout"]): moved.tuned[place]
        for place, row in enumerate(moved.about)
        if row["subject"] == run.config.subject and row["stories"] == "all"
    }
    table = scores.table[scores.table["run"] == run.path.name].set_index("target")
    for number, place in enumerate(places):
        row = together.about[place]
        assert alone.about[number] == row
        assert_allclose(alone.tuned[number], together.tuned[place], atol=1e-12)
        assert_allclose(of_transfer[row["target"], row["readout"]], together.tuned[place], atol=1e-5)
        shared = "" if row["readout"] == READOUTS[0] else "shared_"
        difference, *ends = table.loc[
            row["target"], [f"{shared}{name}" for name in ("difference", "low", "high")]
        ]
        frozen, tuned = together.of_row(place)
        assert_allclose(jackknife_interval(difference, tuned - frozen), ends, atol=1e-12)


def test_epochs_have_the_scores_of_the_histories_and_of_ridge(copied, features):
    runs = [open_run(copied(name, seed=seed, **KEPT).path) for seed, name in enumerate("ab")]
    found = compare(runs, [evaluate(runs, cache=features, epochs=True)])
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
    for run in runs:
        row = ridge.loc[("LH", run.result["best"]["epoch"])]
        r = of_runs.loc[("LH", run.path.name), "r_tuned"]
        assert min(abs(row["lowest"] - r), abs(row["highest"] - r)) < 1e-6
    assert ridge.loc[("cortex", 1), "mean"] != ridge.loc[("cortex", 2), "mean"]

    run = runs[0]
    assert sorted(run.epochs) == [1, 2]
    assert len(run.checkpoints) == 2
    assert run.checkpoint(2).state["epoch"] == 2
    with pytest.raises(RunError, match="no checkpoint of epoch 7, only of 1, 2"):
        run.checkpoint(7)
    shutil.rmtree(run.epochs[1])
    with pytest.raises(RunError, match="keep_epochs=true"):
        evaluate(open_run(run.path), epochs=True)


def test_other_test_stories_are_not_subtracted(runs, scores):
    found = compare([runs["lora-0"], runs["one story"]], [scores])
    assert len(found.groups["group"].unique()) == 2
    assert found.differences.empty
    assert any("not subtracted" in note for note in found.summary["notes"])


def test_two_runs_of_one_seed_are_no_spread_over_seeds(copied, runs, scores):
    found = compare([runs["lora-0"], copied("again", seed=0)], [scores])
    assert any("several runs with one seed" in note for note in found.summary["notes"])


def test_what_the_evaluations_do_not_share_is_left_out_and_said(runs, scores):
    both, table = [runs["lora-0"], runs["lora-1"]], scores.table
    lacking = (table["run"] == "lora-1") & (table["target"] == "RH")
    for some in (both, both[::-1]):
        found = compare(some, [replace(scores, table=table[~lacking])])
        assert "LH" in set(found.groups["target"])
        assert "RH" not in set(found.groups["target"])
        assert "RH" in set(found.runs["target"])
        assert "all runs: not every run was evaluated on RH: left out." in found.summary["notes"]


def test_runs_without_an_evaluation_are_told_how_to_make_it(copied, scores, tmp_path):
    run, other = copied("run", seed=0), copied("other", seed=0, **KEPT)
    scores.save(run.path / "evaluation")
    with pytest.raises(
        RunError, match=rf"{other.path}: a run without an evaluation(.|\n)*evaluate {other.path}"
    ):
        compare([run, other])
    moved = open_run(shutil.move(run.path, tmp_path / "moved"))
    assert compare(moved).groups["target"].tolist() == scores.target_names
    folder = moved.path / "evaluation"
    (folder / "replicates.npz").unlink()
    without_checksums(folder)
    with pytest.raises(RunError, match=r"without replicates\.npz(.|\n)*brainwavlm evaluate"):
        compare(moved)
    scores.save(folder)
    summary = json.loads((folder / "summary.json").read_text())
    summary["runs"][0]["best"]["epoch"] += 1  # it went on after it was evaluated
    (folder / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(RunError, match="without an evaluation of its best epoch"):
        compare(moved)
