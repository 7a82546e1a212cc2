"""The tidy tables behind every picture and chart: exactly what the results hold."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from brainwavlm.reporting.figures import curves, findings, scores, transfer
from brainwavlm.reporting.figures.folders import Choice, Place
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.run_voxels import RunVoxels
from brainwavlm.results.transfer import Transfer
from brainwavlm.study.claims.table import claims_of
from brainwavlm.study.folder import open_study


@pytest.fixture(scope="module")
def evaluation(simulated_evaluation):
    return Evaluation.open(simulated_evaluation)


def scores_of(frozen, tuned, **masks):
    values = [np.array(one, float) for one in (frozen, tuned)]
    masks = {name: np.array(mask, bool) for name, mask in masks.items()}
    return RunVoxels(np.arange(len(frozen)), *values, masks)


def test_a_run_without_validation_or_epochs_has_no_numbers_for_them():
    history = [{"epoch": 1, "loss": -0.1, "validation_r": None, "gradient_norm": 2.0}]
    runs = [{"name": "one", "history": history, "best": None}, {"name": "two", "history": [], "best": None}]
    table = curves.learning_table(runs, {"one": "one", "two": "two"})
    assert list(table["gradient_norm"]) == [2.0]
    assert not table["kept"].any()
    assert table["validation_r"].isna().all()


def test_hidden_states_show_the_tuned_target_cortex_and_ac_unless_asked(evaluation):
    shown = curves.layers([Place("evaluation", evaluation.path)], Choice(run="on-AC"))
    assert set(shown.values["label"]) == {"AC", "cortex"}


@pytest.fixture(scope="module")
def claims(study):
    return claims_of(open_study(study))


def rows_of(claims, **where):
    table = claims.table
    for key, value in where.items():
        table = table[table[key] == value]
    return table.astype(object).where(table.notna(), None).to_dict("records")


def test_findings_have_a_mean_and_their_cells(claims):
    rows = rows_of(claims, experiment="linear-map", kind="gain", readout="voxelwise", target="cortex")
    table = findings.findings_table(pd.DataFrame(rows), claims.seeds)
    assert list(table["part"]) == ["mean", "seed", "seed", "seed"]
    assert_allclose(table["r_tuned"], [0.321, 0.32, 0.321, 0.322])
    assert table["label"].nunique() == 1
    assert table["sentence"][0] == rows[0]["sentence"]
    twice = findings.findings_table(pd.DataFrame([*rows, *rows]), claims.seeds)
    assert twice["label"].nunique() == 2


def test_a_finding_is_a_row_with_both_readouts_and_both_intervals(claims):
    (row,) = rows_of(claims, experiment="targets", kind="difference", readout="voxelwise", target="cortex")
    row |= {"estimate": 0.02, "low": 0.01, "high": 0.03, "seed_low": 0.005, "seed_high": 0.035}
    shared = row | {"readout": "shared", "estimate": 0.001, "low": -0.002, "high": 0.004}
    (both,) = findings.changes_table(pd.DataFrame([row, shared])).to_dict("records")
    assert both["label"] == "cortex of sim01: tuned on AC − tuned on cortex"
    assert (both["seed_low"], both["shared_low"]) == (0.005, -0.002)
    assert both["holds"] == "higher; shared map: no change shown"
    (alone,) = findings.changes_table(pd.DataFrame([row])).to_dict("records")
    assert np.isnan(alone["shared_estimate"])
    assert alone["holds"] == "higher"


def test_the_matrix_leaves_out_stories_that_tuning_used(others):
    matrix = Transfer.open(others["transfer"]).matrix
    unheard = matrix[1:2].assign(stories="unheard", difference=0.001)
    table = transfer.matrix_table(pd.concat([matrix, unheard], ignore_index=True))
    assert sorted(table["stories"]) == ["all", "all", "all", "unheard"]
    cell = table[(table["tuned_on"] == "ann") & (table["scored_on"] == "ben")]
    assert cell["difference"].tolist() == [0.001]
    assert set(table["label"]) == {"ann", "ben"}
    alike = transfer.matrix_table(matrix.assign(tuned_on="ann"))
    assert set(alike["label"]) == {"ann (run-ann)", "ann (run-ben)"}


def test_minutes_have_draws_and_their_means(others):
    curve = Transfer.open(others["transfer"]).curve
    again = curve.assign(draw=1, r_tuned=curve["r_tuned"] + 0.02)
    table = transfer.minutes_table(pd.concat([curve, again], ignore_index=True), "cortex")
    own = table[table["label"] == "run-ann in ben"]
    assert own["part"].value_counts().to_dict() == {"draw": 6, "mean": 3}
    means = own[own["part"] == "mean"]
    assert_allclose(means["minutes"], [4.5, 9.5, 20])
    assert_allclose(means["r_tuned"], 0.012 * means["minutes"] + 0.01)


def test_the_histogram_counts_every_voxel_and_no_bin_holds_gains_and_losses():
    rng = np.random.default_rng(0)
    run = scores_of(rng.random(500), rng.random(500), AC=np.arange(500) < 100)
    table = scores.histogram_table(run, "one")
    assert table["voxels"].sum() == 500
    assert table.loc[table["gained"], "voxels"].sum() == (run.tuned > run.frozen).sum()
    assert (table["gained"] == (table["from"] > -1e-9)).all()
    assert scores.histogram_table(run, "one", "AC")["voxels"].sum() == 100


def test_bars_are_voxels_where_there_are_few_else_targets(evaluation):
    few = scores.bars_table(scores_of([0.1, 0.2], [0.3, 0.1]), "one", "One", {"STG": np.array([False, True])})
    assert list(few["name"]) == ["voxel 0", "STG"]
    assert list(few["r_tuned"]) == [0.3, 0.1]
    run = evaluation.of_run("on-AC")
    many = scores.bars_table(run, "on-AC", "", {}).set_index("name")
    assert_allclose(many.loc["AC", "r_tuned"], run.tuned[run.masks["AC"]].mean())
