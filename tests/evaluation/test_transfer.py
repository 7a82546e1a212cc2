import math
import shutil

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from brainwavlm.encoding.tuning import tune
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.evaluate import evaluate, score_backbone
from brainwavlm.evaluation.transfer import transfer


@pytest.fixture(scope="module")
def tuned(finished):
    return lambda subject, **overrides: finished(subject=subject, **overrides)


def cells(matrix, target="cortex"):
    rows = matrix[(matrix["target"] == target) & (matrix["stories"] == "all")]
    return rows.set_index(["tuned_on", "scored_on"])


def test_the_matrix_has_every_listener_on_both_sides(tuned, settings, features):
    runs = [tuned("anna"), tuned("ben", seed=4)]
    found = transfer(runs, cache=features)
    matrix = cells(found.matrix)
    assert sorted(matrix.index) == [(a, b) for a in ("anna", "ben") for b in ("anna", "ben")]
    own = evaluate(runs, cache=features).table.set_index(["subject", "target"])
    for subject in ("anna", "ben"):
        row = matrix.loc[(subject, subject)]
        assert_allclose(row["r_tuned"], own.loc[(subject, "cortex"), "r_tuned"], atol=1e-6)
        assert_allclose(row["r_frozen"], own.loc[(subject, "cortex"), "r_frozen"], atol=1e-6)
    frozen = score_backbone(settings(subject="ben"), cache=features)
    assert_allclose(matrix.loc[("anna", "ben"), "r_frozen"], frozen.test.mean["cortex"][0], atol=1e-6)
    assert matrix.loc[("anna", "ben"), "r_tuned"] != matrix.loc[("ben", "ben"), "r_tuned"]
    assert_allclose(matrix["difference"], matrix["r_tuned"] - matrix["r_frozen"])
    assert found.curve.empty
    assert found.needed.empty


def test_the_matrix_at_another_layer_is_that_of_its_features(tuned, settings, features):
    run = tuned("anna")
    found = cells(transfer(run, subjects=["ben"], layer=4, cache=features).matrix)
    frozen = score_backbone(settings(subject="ben", backbone__layer=4), cache=features)
    row = found.loc[("anna", "ben")]
    assert row["layer"] == 4
    assert_allclose(row["r_frozen"], frozen.test.mean["cortex"][0], atol=1e-6)
    assert row["difference"] != 0


def test_stories_that_tuning_has_heard_are_named_and_left_out_beside(tuned, features):
    run = tuned("anna")
    found = transfer(run, subjects=["ben"], test=["dog", "market"], cache=features)
    assert set(found.matrix["shared"]) == {"dog"}
    assert set(found.matrix["stories"]) == {"all", "unheard"}
    by_stories = found.matrix[found.matrix["target"] == "cortex"].set_index("stories")["r_tuned"]
    only = transfer(run, subjects=["ben"], test=["market"], cache=features)
    assert set(only.matrix["stories"]) == {"all"}
    assert by_stories["all"] != by_stories["unheard"]
    assert any("dog heard while tuning" in note for note in found.summary["notes"])
    assert any("none of its test stories was heard" in note for note in only.summary["notes"])
    everything = transfer(run, subjects=["ben"], test=["dog"], cache=features)
    assert set(everything.matrix["stories"]) == {"all"}  # nothing unheard is left
    assert set(everything.matrix["shared"]) == {"dog"}


def test_a_sound_that_tuning_heard_under_another_name_is_shared(settings, own_tree, tmp_path):
    shutil.copy(own_tree / "stimuli" / "dog.wav", own_tree / "stimuli" / "market.wav")
    run = tune(settings(dataset=str(own_tree), training__epochs=1), tmp_path / "run")
    assert set(transfer(run, subjects=["ben"]).matrix["shared"]) == {"market"}


def test_less_data_of_the_listener_is_fitted_in_whole_stories(tuned, features):
    # Stories of 12 TRs of 2 s are .4 minutes; ben has three to fit.
    run, keywords = tuned("anna"), {"draws": 6, "cache": features}
    found = transfer(run, ["ben"], minutes=[0.5, 0.8, 5], **keywords)
    again = transfer(run, ["ben"], minutes=[0.5], **keywords).curve  # the same draws
    curve = found.curve[found.curve["asked"] == 0.5]
    pd.testing.assert_frame_equal(again[again["asked"] == 0.5], curve.reset_index(drop=True))
    curve = found.curve[found.curve["target"] == "cortex"]
    asked = curve.groupby("asked", dropna=False)
    sizes = {key: set(rows["n_stories"]) for key, rows in asked if key == key}
    assert sizes == {0.5: {1}, 0.8: {2}, 5.0: {3}}
    assert len(curve[curve["asked"] == 0.5]) == 6
    assert curve[curve["asked"] == 0.5]["r_tuned"].nunique() > 1
    assert len(curve[curve["asked"] == 5]) == 1  # all stories: one fit
    (full,) = curve[curve["asked"].isna()].to_dict("records")
    row = cells(found.matrix).loc[("anna", "ben")]
    assert_allclose([full["r_frozen"], full["r_tuned"]], [row["r_frozen"], row["r_tuned"]], atol=1e-6)
    assert full["minutes"] == pytest.approx(1.2)
    needed = found.needed.set_index("target").loc["cortex"]
    assert needed["full_minutes"] == pytest.approx(1.2)
    assert_allclose(needed["r_frozen"], row["r_frozen"], atol=1e-6)
    assert math.isnan(needed["minutes_needed"]) or 0.3999 <= needed["minutes_needed"] <= 1.2001


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"minutes": [math.nan]}, "nan minutes"),
        ({"minutes": [1], "draws": 0}, "0 draws"),
        ({"test": ["opera"]}, "ben has no recording of opera"),
        ({"test": ["dog", "ferry", "garden", "market"]}, "no training story|0 to fit"),
    ],
)
def test_what_cannot_be_done_is_refused(tuned, keywords, words):
    with pytest.raises(ConfigError, match=words):
        transfer(tuned("anna"), **{"subjects": ["ben"], **keywords})
