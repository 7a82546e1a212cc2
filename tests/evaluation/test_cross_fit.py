import pytest
from numpy.testing import assert_allclose

from brainwavlm.errors import RunError
from brainwavlm.evaluation.evaluate import cross_fitted, evaluate
from brainwavlm.evaluation.evaluator import Evaluator, with_whole_cortex
from brainwavlm.evaluation.scores import correlation


@pytest.fixture
def halves(finished):
    """Runs on either training story; the validation story chose the epoch of both."""
    return [finished(train_minutes=0.5, train_from=end) for end in ("start", "end")]


def test_ridge_is_fitted_on_what_tuning_did_not_use(halves, features):
    scores = evaluate(halves, cache=features, cross_fit=True)
    for entry, run in zip(scores.runs, halves, strict=True):
        used = {*run.manifest["splits"]["train"], *run.manifest["splits"]["validation"]}
        for model in ("frozen", "tuned"):
            assert set(entry[model]["fitted"]) == {"dog", "ferry", "garden"} - used
    assert scores.summary["cross_fit"]
    assert any(note.startswith("Cross-fitted") for note in scores.summary["notes"])
    # The halves were fitted on different stories: so the untuned model has two scores.
    cortex = scores.table[scores.table["target"] == "cortex"]
    assert cortex["r_frozen"].nunique() == 2
    evaluator = Evaluator(features, None)
    plan = evaluator.plan_of(halves[0], with_whole_cortex(halves[0].config, (), None))
    own = cross_fitted(halves[0], plan)
    stories = evaluator.features(
        evaluator.untuned(plan.config), plan.config, plan.data.recordings.values(), "Reading"
    )
    r = correlation(own.true(), own.ridge(own.designs(stories), shared=False).predicted)
    assert_allclose(r[plan.masks["cortex"]].mean(), cortex["r_frozen"].iloc[0], rtol=1e-5)


def test_a_run_whose_subjects_used_all_stories_has_none_left(finished, features):
    joint = finished(train_minutes=0.5, joint=[{"subject": "ben", "train_from": "end"}])
    assert set(joint.manifest["splits"]["train"]) < {"dog", "ferry", "garden"}
    for run in (finished(), joint):
        with pytest.raises(RunError, match="tuned on all 3 training and validation stories"):
            evaluate(run, cache=features, cross_fit=True)


def test_tuned_features_may_be_fitted_with_the_penalties_of_the_untuned(finished, features, evaluated):
    run, own = finished(adapter__rank=8), evaluated(adapter__rank=8)
    scores = evaluate(run, cache=features, reuse_alphas=True)
    voxels = scores.voxels
    assert (voxels["alpha_tuned"] == voxels["alpha_frozen"]).all()
    assert (own.voxels["alpha_tuned"] != own.voxels["alpha_frozen"]).any()
    assert_allclose(scores.table["r_frozen"], own.table["r_frozen"])
    assert scores.summary["reuse_alphas"]
    assert any("penalties chosen for the untuned" in note for note in scores.summary["notes"])
