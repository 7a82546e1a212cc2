from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from brainwavlm.config import RidgeConfig
from brainwavlm.errors import DatasetError
from brainwavlm.evaluation import variance_shares
from brainwavlm.evaluation.evaluator import Evaluator, with_whole_cortex
from brainwavlm.evaluation.notes import run_notes
from brainwavlm.evaluation.partition import feature_designs, feature_spaces, partition
from brainwavlm.evaluation.ridge_predictions import responses_of
from brainwavlm.evaluation.scoring_plan import Fit
from brainwavlm.evaluation.variance_shares import MODEL, STIMULUS, VarianceShares
from brainwavlm.progress import Progress
from brainwavlm.runs.run import open_run
from brainwavlm.stimulus.features.table import features_named


@pytest.fixture(scope="module")
def split(finished, features):
    return partition(finished(), ["mel", "word-rate"], cache=features, candidates=4)


def only(result, column, **where):
    table = result.table
    for key, value in where.items():
        table = table[table[key] == value]
    (value,) = table[column]
    return value


def test_products_sum_to_the_total_and_gains_to_what_is_shared_and_what_is_not(split):
    for which in ("frozen", "tuned"):
        voxels = split.voxels
        parts = sum(voxels[f"product_{space}_{which}"] for space in ("mel", "word-rate", MODEL))
        assert_allclose(parts, voxels[f"total_all_{which}"], atol=1e-6)
        both = voxels[f"shared_{STIMULUS}_{which}"] + voxels[f"unique_{MODEL}_{which}"]
        assert_allclose(both, voxels[f"alone_{MODEL}_{which}"], atol=1e-6)
        mean = only(split, f"r2_{which}", target="cortex", measure="alone", space=MODEL)
        assert_allclose(voxels.loc[voxels["cortex"] == 1, f"alone_{MODEL}_{which}"].mean(), mean, atol=1e-6)
    # What the stimulus says by itself does not depend on the model.
    assert only(split, "difference", target="cortex", measure="alone", space=STIMULUS) == 0
    assert only(split, "difference", target="cortex", measure="alone", space=MODEL) != 0


def test_one_space_alone_is_scikit_learns_ridge(split, finished):
    run = finished()
    evaluator = Evaluator(None, None)
    plan = evaluator.plan_of(run, with_whole_cortex(run.config, (), None))
    model = evaluator.untuned(run.config)
    designs = feature_designs(feature_spaces(features_named(["mel", "word-rate"]), plan, model), plan)
    (fit,) = plan.fits
    responses, true = responses_of(fit.fitted, plan.columns), plan.true()
    parts = (fit.fitted, fit.held_out)
    fitted, held_out = (np.concatenate([designs["mel"][one.story.name] for one in some]) for some in parts)
    r2 = []
    for alpha in run.config.ridge.alphas:
        predicted = Ridge(alpha, fit_intercept=False).fit(fitted, responses).predict(held_out)
        r2.append(r2_score(true, predicted, multioutput="raw_values", force_finite=False))
    apart = np.abs(split.voxels["alone_mel_frozen"].to_numpy() - np.array(r2)).min(0)
    assert apart.max() < 1e-4


@pytest.fixture
def plan_of(monkeypatch):
    """A function from responses (n_rows, n_voxels) by story, of which the first are fitted, to a plan."""

    def make(responses, n_fitted, **ridge):
        def stacked(some, columns=None):
            return np.concatenate([responses[one.story.name] for one in some])

        monkeypatch.setattr(variance_shares, "responses_of", stacked)
        recordings = [
            SimpleNamespace(story=SimpleNamespace(name=name), shape=rows.shape)
            for name, rows in responses.items()
        ]
        fit = Fit(recordings[:n_fitted], recordings[n_fitted:])
        return SimpleNamespace(
            fits=[fit],
            columns=np.arange(recordings[0].shape[1]),
            true=lambda: stacked(fit.held_out),
            story_of_row=np.concatenate([np.repeat(one.story.name, one.shape[0]) for one in fit.held_out]),
            config=SimpleNamespace(ridge=RidgeConfig(**ridge)),
        )

    return make


def test_planted_shares_are_recovered(plan_of):
    """Sources a, b, c, m of 0, .1 or .2 of a voxel's variance each; c is both in the model and in the first feature."""
    rng = np.random.default_rng(0)
    n_dims, n_voxels, n_rows = 5, 40, 150
    shares = rng.choice([0.0, 0.1, 0.2], (4, n_voxels))
    weights = rng.standard_normal((4, n_dims, n_voxels))
    weights *= (shares / (weights**2).sum(1))[:, None] ** 0.5
    responses, first, second, model = {}, {}, {}, {}
    for name in map(str, range(24)):
        a, b, c, m = sources = rng.standard_normal((4, n_rows, n_dims)).astype(np.float32)
        first[name], second[name], model[name] = np.hstack([a, c]), b, np.hstack([m, c])
        noise = rng.standard_normal((n_rows, n_voxels)) * (1 - shares.sum(0)) ** 0.5
        responses[name] = np.float32(np.einsum("ktd,kdv->tv", sources, weights) + noise)
    plan = plan_of(responses, 16, folds=4, alphas=tuple(10.0**k for k in range(-1, 5)))
    measures = VarianceShares(plan, {"one": first, "two": second}, 10).measures(model, Progress(), "")
    expected = {("unique", name): shares[place] for name, place in (("one", 0), ("two", 1), (MODEL, 3))}
    expected |= {("shared", "one"): shares[2], ("shared", "two"): np.zeros(n_voxels)}
    for key, planted in expected.items():
        assert abs(measures[key][0] - planted).mean() < 0.03
        assert abs((measures[key][0] - planted).mean()) < 0.01


def test_a_space_that_says_nothing_has_no_part(plan_of):
    rng = np.random.default_rng(0)
    responses = {str(k): rng.standard_normal((40, 3)).astype(np.float32) for k in range(5)}
    plan = plan_of(responses, 3, folds=3, alphas=(1.0, 100.0))
    nothing = {name: np.zeros((40, 2), np.float32) for name in responses}
    model = {name: rng.standard_normal((40, 4)).astype(np.float32) for name in responses}
    measures = VarianceShares(plan, {"nothing": nothing}, 3).measures(model, Progress(), "")
    assert (measures["product", "nothing"] == 0).all()
    assert_allclose(measures["total", "all"], measures["product", MODEL])


def test_what_runs_of_one_data_set_share_is_fitted_once(finished, features, monkeypatch):
    fits = []
    own = variance_shares.banded_predictions

    def counted(spaces, *rest):
        fits.append(len(spaces))
        return own(spaces, *rest)

    monkeypatch.setattr(variance_shares, "banded_predictions", counted)
    result = partition([finished(), finished(seed=1)], ["mel", "word-rate"], cache=features, candidates=2)
    # Sets with the model: it alone, with each feature, with both; without: each feature, and both.
    assert len(fits) == 3 * 4 + 3
    frozen = [rows["r2_frozen"].to_numpy() for _, rows in result.table.groupby("run")]
    assert_allclose(*frozen)


def test_what_is_wrong_is_told_before_any_model_is_run(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(Evaluator, "features", lambda *_: pytest.fail("ran a model"))
    one_story = tmp_path / "one.csv"
    one_story.write_text("story,onset,offset,x\ndog,1,2,3\n")
    for name, problem in (
        (f"mine={one_story}", "one.csv: mine has no value within the 30 s of ferry"),
        (f"glove={tmp_path / 'no.txt'}", "no.txt: no such file"),
    ):
        with pytest.raises(DatasetError, match=problem):
            partition([finished(), finished(seed=1)], ["mel", name])


def test_units_without_a_value_are_counted(finished, features, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("dog 1 2\n")
    run, evaluator = finished(), Evaluator(features, None)
    plan = evaluator.plan_of(run, with_whole_cortex(run.config, (), None))
    spaces = feature_spaces(features_named([f"glove={path}"]), plan, evaluator.untuned(run.config))
    assert spaces.notes == ["glove: 56 of 112 words (50.0%) have no value, and count as nothing."]


def test_what_a_run_is_stands_in_the_notes(tuned):
    unfinished = tuned("a", control__kind="shifted", control__seconds=4.0)
    (unfinished.path / "result.json").unlink()
    assert run_notes(open_run(unfinished.path), "a") == [
        "a: the run is not finished.",
        "a: a control, tuned on responses shifted against the sound.",
    ]
