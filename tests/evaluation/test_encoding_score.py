import shutil
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.cli import console as terminal
from brainwavlm.datasets.noise_ceiling import ceiling
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.evaluation import scoring_plan
from brainwavlm.evaluation.ridge_predictions import responses_of
from brainwavlm.evaluation.scores import cc_norm, correlation
from brainwavlm.reporting.page.tables import scores_table
from brainwavlm.results.evaluation import Evaluation
from tests.damage import put
from tests.evaluation.conftest import LENGTHS, N_VOXELS, SILENT


@pytest.fixture(scope="module")
def score(planted):
    return planted.score()


def last_test_story(planted):
    """The splits without f, the test story with repeats."""
    return {**planted.data.splits, "test": planted.data.splits["test"][1:]}


def simulated(planted, folder):
    return SimpleNamespace(**{**vars(planted.data.dataset), "simulated": True, "path": folder})


def test_planted_voxels_are_found_and_silent_ones_are_at_chance(planted, score):
    assert score.r[:10].min() > 0.6
    assert (score.test.p[:10] < 0.01).all()
    assert np.abs(score.r[SILENT]).mean() < 0.2
    assert (score.test.p[SILENT] > 0.05).sum() >= 7
    expected = 1 / np.sqrt(1 + (planted.noise[:10] ** 2) / 20)  # one presentation of 20 weights of power 1
    assert_allclose(score.r[:10], expected, atol=0.2)


def test_scores_are_those_of_predictions_of_the_test_stories(score):
    assert list(dict.fromkeys(score.story_of_row)) == ["f", "g"]
    assert len(score.true) == LENGTHS["f"] + LENGTHS["g"]
    assert_allclose(score.r, correlation(score.true, score.predicted))
    assert score.summary["fitted"] == ["a", "b", "c", "d", "e"]
    assert score.summary["rows"] == {"held_out": 122, "fitted": 280}
    assert score.summary["folds"] == "3 folds of whole stories"
    assert np.isnan(score.r_normalised).all()
    assert score.summary["normalised_by"] == "no noise ceiling"
    rows = {row["target"]: row for row in score.summary["targets"]}
    assert list(rows) == ["cortex", "AC", "cortex-AC"]
    assert rows["AC"]["n_voxels"] == 12
    assert_allclose(rows["AC"]["mean_r"], score.r[:12].mean(), rtol=1e-5)
    assert rows["AC"]["p"] < 0.01
    assert rows["AC"]["null_95"] < 0.3
    assert "'language' is no target of S1" in score.summary["missing_targets"]["language"]


def test_another_test_story_changes_no_prediction_and_the_given_ceiling_normalises(planted, score):
    """Nothing of the test stories, not even their number, reaches the fit."""
    known = np.linspace(0.1, 0.9, N_VOXELS)
    one = planted.score(splits=last_test_story(planted), ceiling=known)
    assert_allclose(one.predicted, score.predicted[score.story_of_row == "g"], atol=1e-5)
    assert_array_equal(one.alphas, score.alphas)
    assert_allclose(one.r_normalised[known > 0.2], (one.r / known)[known > 0.2])
    assert "all held-out stories" in one.summary["normalised_by"]


def test_masked_voxels_are_left_out_and_keep_their_number(planted, score):
    kept = np.ones(N_VOXELS, bool)
    kept[[0, 7, 39]] = False
    masked = planted.score(voxels=kept)
    assert_array_equal(masked.voxel, np.flatnonzero(kept))
    assert_allclose(masked.r, score.r[kept], atol=1e-5)
    assert masked.masks["AC"].sum() == 10


def test_responses_are_read_for_scattered_voxels_and_z_scored_within_stories(planted):
    recordings, columns = planted.data.splits["train"], np.array([3, 4, 20])
    raw = [recording.responses()[:, columns] for recording in recordings]
    read = responses_of(recordings, columns)
    assert read.dtype == np.float32
    assert_allclose(read, np.concatenate([(r - r.mean(0)) / r.std(0) for r in raw]), atol=1e-5)


def test_repeats_normalise_by_what_the_repeats_allow(planted):
    known, _ = ceiling(planted.data.subject.recordings.values(), N_VOXELS)
    score = planted.score(ceiling=known)
    repeats = planted.data.subject.recordings["f"].repeats()
    expected = cc_norm(repeats, score.predicted[score.story_of_row == "f"])
    enough = known > planted.config.evaluation.ceiling_floor
    assert_allclose(score.r_normalised[enough], expected[enough], atol=1e-5)
    assert np.isnan(score.r_normalised[~enough]).all()
    assert 0.8 < np.nanmean(score.r_normalised[:10]) < 1.05
    assert score.summary["normalised_by"] == "r over the repeated stories f / noise ceiling"
    assert "ceiling>0.2" in score.masks


def test_leave_one_out_predicts_each_story_from_the_others(planted, monkeypatch):
    fits, batches = [], scoring_plan.ScoringPlan.batches

    def spied(plan, fit, *rest):
        fits.append([[recording.story.name for recording in some] for some in fit])
        return batches(plan, fit, *rest)

    monkeypatch.setattr(scoring_plan.ScoringPlan, "batches", spied)
    score = planted.score(leave_one_out=True)
    assert {held for _, (held,) in fits} == set(LENGTHS)
    assert all(sorted(fitted + held) == sorted(LENGTHS) for fitted, held in fits)
    assert len(score.true) == sum(LENGTHS.values())
    for name in LENGTHS:
        rows = score.predicted[score.story_of_row == name]
        assert_allclose(rows.mean(0), 0, atol=1e-4)
        assert_allclose(rows.std(0), 1, atol=1e-3)
    assert score.r[:10].min() > 0.6
    assert (score.test.p[:10] < 0.01).all()
    assert np.median(score.test.p[SILENT]) > 0.1
    assert score.summary["split"] == "leave-one-out"
    assert "fitted again" in score.summary["null"]["how"]


def test_a_constant_voxel_has_no_score_and_is_counted_and_told(planted, monkeypatch, printed):
    def flat(recordings, columns):
        values = responses_of(recordings, columns)
        values[:, columns == 5] = 0.0
        return values

    monkeypatch.setattr(scoring_plan, "responses_of", flat)
    score = planted.score()
    assert np.isnan(score.r[5])
    assert score.summary["voxels_without_r"] == 1
    assert {row["target"]: row["n_voxels"] for row in score.summary["targets"]}["AC"] == 11
    assert "No r for 1 of 40 voxels" in printed(terminal.show_ridge, score.summary, Path("out"))


def test_simulated_responses_are_also_scored_against_their_signal(planted, score, tmp_path):
    assert score.clean_r == {}  # measured, whatever lies in the folder
    folder = planted.data.dataset.path
    score = planted.score(dataset=simulated(planted, folder))
    with h5py.File(folder / "planted" / "S1.h5") as file:
        signal = np.concatenate(
            [(x - x.mean(0)) / np.maximum(x.std(0), 1e-9) for x in (file["clean/f"][:], file["clean/g"][:])]
        )
    seen, clean = slice(0, 30), score.clean_r
    assert_allclose(clean["clean_r"][seen], correlation(signal, score.predicted)[seen], atol=1e-6)
    assert (clean["clean_shared_r"][seen] > score.shared_r[seen]).all()  # noise is in the responses alone
    assert np.isnan(clean["clean_r"][SILENT]).all()
    row = score.summary["targets"][0]
    assert_allclose(row["clean_r"], np.nanmean(clean["clean_r"]), rtol=1e-4)
    score.save(tmp_path / "ridge")
    opened = Evaluation.open(tmp_path / "ridge")
    assert {"clean_r_frozen", "clean_shared_r_frozen"} <= {*opened.table} & {*opened.voxels}
    html = scores_table(opened, {"ridge": "One"})["html"]
    assert f"{row['clean_r']:.3f} ({row['clean_shared_r']:.3f})" in html


def test_a_signal_of_another_shape_is_an_error_that_names_it(planted, tmp_path):
    shutil.copytree(planted.data.dataset.path / "planted", tmp_path / "planted")
    put("planted/S1.h5", "clean/g", np.zeros((3, N_VOXELS)))(tmp_path)
    with pytest.raises(DatasetError, match=r"S1\.h5: clean/g of shape \(3, 40\)"):
        planted.score(dataset=simulated(planted, tmp_path))


def test_no_story_to_score_or_to_fit_is_an_error(planted):
    none = {**planted.data.splits, "test": []}
    with pytest.raises(ConfigError, match="0 stories to score, 5 to fit"):
        planted.score(splits=none)
    one = {**none, "train": none["train"][:1], "validation": []}
    with pytest.raises(ConfigError, match="1 stories to score, 0 to fit"):
        planted.score(leave_one_out=True, splits=one)
