import pytest

from brainwavlm.reporting.page import wording

RUN = {"name": "a", "subject": "sim01", "target": "cortex", "seed": 0, "method": "lora", "control": "none"}


def row(target="cortex", frozen=0.2, tuned=0.23, low=0.01, high=0.05):
    scores = {"r_frozen": frozen, "r_tuned": tuned, "difference": tuned - frozen, "low": low, "high": high}
    return {"target": target, "n_voxels": 1500, **scores}


def plain(text):
    return text.replace("\u00a0", " ")


def said(run=RUN, rows=None):
    found = wording.answer(run, rows or [row()], "tuned on cortex")
    return {key: plain(value) for key, value in found.items()}


def test_a_gain_and_a_loss_are_said_in_per_cent_with_their_interval():
    up, down = said(), said(rows=[row(tuned=0.17, low=-0.05, high=-0.01)])
    assert (up["kind"], up["figure"], down["kind"]) == ("up", "+15.0 %", "down")
    for change, found in (("raised", up), ("lowered", down)):
        assert found["sentence"] == (
            f"Tuning on cortex {change} the mean test correlation of sim01 in whole cortex by 15.0 % "
            "(95 % interval 5.0 to 25.0 %)."
        )
    assert "from 0.200 to 0.230, difference +0.030" in up["unit"]


@pytest.mark.parametrize(("low", "high"), [(-0.001, 0.06), (0.0, 0.06)])
def test_an_interval_that_contains_zero_is_no_gain_however_large_the_difference(low, high):
    found = said(rows=[row(low=low, high=high)])
    assert found["kind"] == "unsure"
    assert found["figure"] == "No gain shown"
    assert found["sentence"].startswith("No gain shown for sim01 in whole cortex: the 95 % interval")
    assert "contains 0" in found["sentence"]


SHARED = {"shared_frozen": 0.25, "shared_tuned": 0.26, "shared_difference": 0.01}


@pytest.mark.parametrize(
    ("shared_low", "beats"), [(-0.01, False), (0.002, True)], ids=["not the shared map", "both"]
)
def test_a_gain_is_said_under_both_readouts(shared_low, beats):
    found = said(rows=[row() | SHARED | {"shared_low": shared_low, "shared_high": 0.03}])
    assert "With a linear map that voxels share: 0.250 to 0.260, +0.010 (95 % interval" in found["sentence"]
    assert ("not shown to beat the shared map" in found["sentence"]) != beats
    # .25 untuned with the shared map, .23 tuned voxel by voxel.
    assert "The shared map of untuned features already predicts better" in found["sentence"]


def test_no_gain_is_stated_where_the_untuned_score_is_chance_or_the_test_finds_no_change():
    found = said(rows=[row() | {"p_frozen": 0.44, "p_difference": 0.01}])
    assert (found["kind"], found["figure"]) == ("unsure", "Cannot be told")
    assert found["sentence"].startswith("Cannot be told from this much data")
    assert "%" not in found["sentence"]
    found = said(rows=[row() | {"p_frozen": 0.01, "p_difference": 1.0}])
    assert (found["kind"], found["figure"]) == ("unsure", "No gain shown")
    assert "swapped between the two models differ as much (p = 1.00)" in found["sentence"]


def test_no_share_is_formed_of_a_frozen_mean_at_or_below_zero():
    found = said(rows=[row(frozen=-0.01, tuned=0.03)])
    assert found["figure"] == "+0.040"
    assert "in whole cortex by 0.040 (95 % interval +0.010 to +0.050)" in found["sentence"]


@pytest.mark.parametrize("end", [float("nan"), 0.03], ids=["none", "no width"])
def test_without_an_interval_nothing_is_claimed(end):
    found = said(rows=[row(low=end, high=end)])
    assert (found["kind"], found["figure"]) == ("unsure", "No gain shown")
    assert found["sentence"].startswith("No interval could be computed")


def test_the_answer_is_about_the_target_that_was_tuned_and_tells_of_the_rest():
    blocks = "4 blocks of at least 10 TRs of this test story"
    found = said(RUN | {"target": "AC", "intervals": blocks}, [row(), row("AC", 0.3, 0.33)])
    assert f"The interval is over {blocks}" in found["sentence"]
    assert "in AC by 10.0 %" in found["sentence"]
    assert found["elsewhere"].startswith("In whole cortex: +15.0 % (+0.030, 95 % interval")


def test_a_control_with_shifted_responses_is_called_one():
    control = RUN | {"control": "shifted"}
    assert "control" in wording.run_labels([control])["a"]
    assert "shifted against the sound (control)" in said(control)["sentence"]


def test_labels_say_what_differs_and_no_two_are_alike():
    changes = ({}, {"name": "b", "seed": 1}, {"name": "c", "subject": "sim02"}, {"name": "d", "target": "AC"})
    runs = [RUN | change for change in changes]
    assert wording.run_labels([RUN]) == {"a": "tuned on cortex"}
    labels = wording.run_labels([*runs, RUN | {"name": "e", "target": "AC"}])
    assert labels["a"] == "tuned on cortex, sim01, seed 0"
    assert labels["b"] == "tuned on cortex, sim01, seed 1"
    assert labels["c"] == "tuned on cortex, sim02"
    assert {labels["d"], labels["e"]} == {"tuned on AC, sim01 (d)", "tuned on AC, sim01 (e)"}


def test_the_subjects_of_a_joint_run_have_one_model():
    together = {"path": "runs/both", "together_with": ["x"]}
    runs = [RUN | together | {"name": "a"}, RUN | together | {"name": "b", "subject": "sim02"}]
    alone = RUN | {"name": "c", "path": "runs/c", "together_with": []}
    models = wording.models([*runs, alone], wording.run_labels([*runs, alone]))
    assert {label: [run["name"] for run in some] for label, some in models.items()} == {
        "tuned on cortex, sim01 and sim02 (a)": ["a", "b"],
        "tuned on cortex, sim01 (c)": ["c"],
    }
