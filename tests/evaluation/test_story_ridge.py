"""The estimator for users' own features gives what the solver gives, and keeps stories apart."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from brainwavlm.encoding.alignment import delayed
from brainwavlm.encoding.ridge import solve_ridge
from brainwavlm.evaluation import StoryRidgeCV

STORIES = np.repeat(["a", "b", "c", "d"], [40, 55, 35, 45])


@pytest.fixture
def data():
    """Features that shift from story to story, and responses that follow them two TRs later."""
    random = np.random.default_rng(0)
    features = random.standard_normal((len(STORIES), 3)) + 5 * (STORIES == "b")[:, None]
    weights = random.standard_normal((3, 6))
    responses = np.empty((len(STORIES), 6))
    for name in "abcd":
        rows = name == STORIES
        responses[rows] = delayed(features[rows], [2]) @ weights + 0.5 * random.standard_normal(
            (rows.sum(), 6)
        )
    return features, responses


def test_it_is_ridge_on_z_scored_delayed_stories(data):
    features, responses = data
    train, test = STORIES != "d", STORIES == "d"
    model = StoryRidgeCV(delays=(1, 2), alphas=(1.0, 10.0), folds=3).fit(
        features[train], responses[train], STORIES[train]
    )
    parts = [(features[n == STORIES], responses[n == STORIES]) for n in "abcd"]
    z = [((x - x.mean(0)) / x.std(0), (y - y.mean(0)) / y.std(0)) for x, y in parts]
    designs = [delayed(x, (1, 2)) for x, _ in z]
    expected = solve_ridge(np.concatenate(designs[:3]), np.concatenate([y for _, y in z[:3]]), model.alphas_)
    np.testing.assert_allclose(model.coef_, expected, atol=1e-4)
    np.testing.assert_allclose(model.predict(features[test], STORIES[test]), designs[3] @ expected, atol=1e-4)
    r = model.score(features[test], responses[test], STORIES[test])
    corr = [np.corrcoef(z[3][1][:, v], (designs[3] @ expected)[:, v])[0, 1] for v in range(6)]
    np.testing.assert_allclose(r, corr, atol=1e-4)
    assert r.min() > 0.5


def test_rows_of_a_story_may_lie_apart_but_another_story_never_matters(data):
    features, responses = data
    order = np.argsort(np.arange(len(STORIES)) % 7, kind="stable")
    order = np.concatenate([np.sort(order[STORIES[order] == name]) for name in "cadb"])
    one = StoryRidgeCV(folds=2).fit(features, responses, STORIES)
    other = StoryRidgeCV(folds=2).fit(features[order], responses[order], STORIES[order])
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-4)
    changed = np.where((STORIES == "a")[:, None], 99 * features + 7, features)
    kept = STORIES != "a"
    np.testing.assert_array_equal(one.predict(changed, STORIES)[kept], one.predict(features, STORIES)[kept])


def test_it_behaves_as_estimators_do(data):
    features, responses = data
    model = StoryRidgeCV(delays=(1,), folds=2)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.predict(features, STORIES)
    for bad in (
        (features, responses[1:], STORIES),
        (features, responses, STORIES[1:]),
        (np.where(features > 2, np.nan, features), responses, STORIES),
        (features, responses[:, 0], STORIES),
    ):
        with pytest.raises(ValueError, match=r"inconsistent|NaN|2D"):
            model.fit(*bad)
    with pytest.raises(ValueError, match="2 columns, 3 were fitted"):
        model.fit(features, responses, STORIES).predict(features[:, :2], STORIES)
    assert (
        model.fit(features[:, :2], responses, STORIES).predict(features[:, :2], STORIES).shape
        == responses.shape
    )
