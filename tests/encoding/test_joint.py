"""Several listeners tune one speech model: each with their own stories, voxels, clock and readout, or one readout."""

import json

import h5py
import numpy as np
import pytest
import soundfile
import torch
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.encoding.plan import plan
from brainwavlm.encoding.run_model import tuned_backbone, tuned_readout
from brainwavlm.encoding.subjects import tuned_subjects
from brainwavlm.encoding.tuning import TuningLoop, tune
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.evaluation.compare import compare
from brainwavlm.evaluation.evaluate import evaluate
from brainwavlm.evaluation.transfer import transfer
from brainwavlm.progress import Progress
from brainwavlm.runs.listing import summaries
from brainwavlm.runs.run import open_run
from tests.damage import described, put
from tests.encoding.loops import assert_identical, tensors
from tests.trees import native_tree

BEN, OF_BEN = [{"subject": "ben"}], "subjects/ben.h5"


@pytest.fixture
def other(tmp_path):
    """Another data set: other sounds, rows every 1.5 s, fewer voxels; the listener has anna's name."""
    splits = {"dog": "train", "lake": "validation", "storm": "test"}
    made = native_tree(tmp_path / "other", ("anna",), splits, n_trs=14, n_voxels=12, seconds=34.0, tr=1.5)
    described(lambda content: content.update(name="other"))(made.path)
    for story, amount in {"dog": 7, "lake": 8, "storm": 9}.items():  # not the sounds of the first data set
        path = made.path / "stimuli" / f"{story}.wav"
        sound, rate = soundfile.read(path, dtype="int16")
        soundfile.write(path, sound[: -1000 * amount], rate)
    return made.path


def loop(config, folder):
    return TuningLoop(config, folder, Progress())


def test_each_listener_has_a_readout_of_their_own_under_one_speech_model(finished):
    run, alone = finished(joint=BEN), finished()
    anna, ben = run.sides
    assert (anna.config.subject, ben.config.subject) == ("anna", "ben")
    assert run.listeners == ["anna", "ben"]
    one, two = tuned_backbone(anna), tuned_backbone(ben)
    first, second = (tuned_readout(side, one.n_dims) for side in (anna, ben))
    assert_identical(one.trained_state(), two.trained_state())
    assert not torch.equal(first.expand.weight, second.expand.weight)
    steps = [event for event in run.log() if event["event"] == "step"]
    assert len(steps) == 2 * len([event for event in alone.log() if event["event"] == "step"])
    epochs = [event for event in run.log() if event["event"] == "epoch"]
    for epoch in epochs:
        assert set(epoch["by_listener"]) == {"anna", "ben"}
        assert epoch["validation_r"] == pytest.approx(np.mean(list(epoch["by_listener"].values())))


def test_a_second_listener_changes_the_speech_model_and_nothing_else_of_a_run(settings, finished, tmp_path):
    """The readout of the first begins with the same weights, and the first block of the first listener is the same."""
    alone, joint = loop(settings(), tmp_path / "a"), loop(settings(joint=BEN), tmp_path / "b")
    assert_identical(alone.readouts[0].state_dict(), joint.readouts[0].state_dict())
    assert_identical(alone.backbone.state_dict(), joint.backbone.state_dict())
    one, both = finished(), finished(joint=BEN)
    assert not torch.equal(tensors(one)["readout.expand.weight"], tensors(both)["readout.0.expand.weight"])


def test_one_readout_for_all_lies_on_the_vertices_that_all_have(settings, own_tree, tmp_path):
    put(OF_BEN, "vertex", np.arange(30) + 5)(own_tree)  # vertices 5 to 34: 25 in common
    put(OF_BEN, "hemisphere", np.arange(30) + 5 >= 15)(own_tree)
    config = settings(dataset=str(own_tree), joint=BEN, readout__shared=True, training__epochs=1)
    run = tune(config, tmp_path / "run")
    anna, ben = run.sides
    assert_array_equal(np.flatnonzero(anna.voxels), np.arange(5, 30))
    assert_array_equal(np.flatnonzero(ben.voxels), np.arange(25))
    n_dims = tuned_backbone(anna).n_dims
    first, second = (tuned_readout(side, n_dims) for side in (anna, ben))
    assert_identical(first.state_dict(), second.state_dict())
    assert first.expand.weight.shape[0] == 25


def test_a_readout_predicts_a_listener_on_the_same_surface_without_their_data(settings, own_tree, tmp_path):
    """Ben hears and answers as anna does, but one vertex on; at common vertices anna's readout is that of anna."""
    put(OF_BEN, "vertex", np.arange(30) + 1)(own_tree)
    put(OF_BEN, "hemisphere", np.arange(30) + 1 >= 15)(own_tree)
    for path in (own_tree / "responses" / "ben").iterdir():
        with h5py.File(path, "r+") as file, h5py.File(own_tree / "responses" / "anna" / path.name) as anna:
            file["data"][:, :29] = anna["data"][:, 1:]
    run = tune(settings(dataset=str(own_tree), training__epochs=1), tmp_path / "run")
    cache = tmp_path / "features"
    matrix = transfer(run, cache=cache).matrix.set_index(["scored_on", "target"])
    assert matrix.loc[("ben", "cortex"), "n_readout"] == 29
    assert matrix.loc[("anna", "cortex"), "n_readout"] == 30
    table = evaluate(run, cache=cache).voxels.set_index("voxel")["r_readout"]
    assert matrix.loc[("ben", "cortex"), "r_readout"] == pytest.approx(table.loc[1:].mean(), abs=1e-5)
    put(OF_BEN, "@surface", "fsaverage6")(own_tree)
    elsewhere = transfer(run, subjects=["ben"], cache=cache).matrix
    assert elsewhere["n_readout"].eq(0).all()
    assert elsewhere["r_readout"].isna().all()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (put(OF_BEN, "@surface", "fsaverage6"), "common surface"),
        (put(OF_BEN, "vertex", None), "common surface"),
        (put(OF_BEN, "vertex", np.arange(30)[::-1]), "order"),
        (put(OF_BEN, "vertex", np.arange(30) + 500), "in common|no vertex"),
    ],
)
def test_a_shared_readout_without_a_common_surface_is_refused(settings, own_tree, tmp_path, change, why):
    change(own_tree)
    config = settings(dataset=str(own_tree), joint=BEN, readout__shared=True)
    with pytest.raises(ConfigError, match=rf"readout\.shared(.|\n)*({why})"):
        tune(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_listener_of_another_data_set_keeps_their_own_clock_and_voxels(settings, other, tmp_path):
    config = settings(joint=[{"subject": "anna", "dataset": str(other)}], training__epochs=1)
    found = tuned_subjects(config)
    assert [one.name for one in found] == ["native:anna", "other:anna"]
    assert [one.data.dataset.tr for one in found] == [2.0, 1.5]
    run = tune(config, tmp_path / "run")
    assert [int(side.voxels.sum()) for side in run.sides] == [30, 12]
    assert run.sides[1].manifest["splits"]["train"] == ["dog"]
    table = evaluate(run, cache=tmp_path / "features").table
    assert table["run"].nunique() == 2
    rows = transfer(run, cache=tmp_path / "features").matrix
    assert sorted(rows["scored_on"].unique()) == ["ben", "native:anna", "other:anna"]
    assert set(rows["tuned_on"]) == {"native:anna+other:anna"}


def test_a_shared_readout_counts_delays_in_one_tr(settings, other, tmp_path):
    joint = [{"subject": "anna", "dataset": str(other)}]
    with pytest.raises(ConfigError, match=r"readout\.shared(.|\n)*every 2 s(.|\n)*one TR"):
        tune(settings(joint=joint, readout__shared=True), tmp_path / "run")


def test_a_run_json_without_all_listeners_is_refused(tuned, tmp_path):
    """Scored so, a story that only the missing one heard would pass for unheard."""
    run = tuned(joint=BEN)
    assert [row["subject"] for row in summaries(tmp_path)] == ["anna+ben"]
    whole = json.loads((run.path / "run.json").read_text())
    damages = [
        {key: value for key, value in whole.items() if key != "listeners"},
        whole | {"listeners": whole["listeners"][:1]},
    ]
    for damaged in damages:
        (run.path / "run.json").write_text(json.dumps(damaged))
        with pytest.raises(RunError, match=r"run\.json(.|\n)*listeners"):
            evaluate(open_run(run.path))
        assert "damaged" in summaries(tmp_path)[0]["state"]


def test_scores_of_a_joint_run_are_those_of_its_speech_model_in_each_listener(finished, evaluated, features):
    table = evaluated(joint=BEN).table.set_index(["subject", "target"])
    matrix = transfer(finished(joint=BEN), cache=features).matrix
    matrix = matrix[matrix["stories"] == "all"].set_index(["scored_on", "target"])
    for subject in ("anna", "ben"):
        for column in ("r_tuned", "r_frozen", "r_readout"):
            assert_allclose(
                table.loc[(subject, "cortex"), column], matrix.loc[(subject, "cortex"), column], atol=1e-6
            )
    assert np.isfinite(table["r_readout"]).all()


def test_joint_and_single_runs_are_compared_as_different_kinds(finished, features):
    runs = [finished(joint=BEN), finished()]
    found = compare(runs, [evaluate(runs, cache=features)])
    assert set(found.groups["group"]) >= {"subject=anna, joint=ben", "subject=anna, joint=none"}
    of_anna = found.runs[found.runs["subject"] == "anna"]
    assert of_anna["group"].nunique() == 2
    assert len(found.differences[found.differences["target"] == "cortex"]) == 1


def test_listeners_of_one_sound_share_its_frontend_and_a_control_reaches_each(settings, control, tmp_path):
    plain = loop(settings(joint=BEN), tmp_path).loader
    permuted = loop(control("block-permuted", joint=BEN), tmp_path).loader
    assert plain["anna/dog"].frontend is plain["ben/dog"].frontend is not None
    for key in ("anna/dog", "ben/dog"):
        assert not torch.equal(permuted[key].responses, plain[key].responses)


def test_a_plan_counts_every_listener(settings):
    one, both = plan(settings(), calibration_steps=1), plan(settings(joint=BEN), calibration_steps=1)
    assert both.steps_per_epoch == 2 * one.steps_per_epoch
    assert both.rows == {split: 2 * rows for split, rows in one.rows.items()}
    assert both.facts["subject"] == "anna+ben"
    assert both.trained["readout"] == 2 * one.trained["readout"]
