"""Downstream tasks: what is said in a clip, read off both models by one classifier."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import f1_score, roc_auc_score

import brainwavlm.evaluation.evaluator as bench_module
from brainwavlm.config import WindowConfig
from brainwavlm.encoding.run_data import run_data
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.downstream import decisions, task_of
from brainwavlm.evaluation.evaluate import evaluate
from brainwavlm.evaluation.scoring_plan import ModelSize, ScoringPlan
from brainwavlm.evaluation.statistics.auc import LABELS, auc, jackknife_of_auc, jackknife_of_f1
from brainwavlm.results.replicates import read_replicates
from brainwavlm.speech.features import StoryFeatures
from brainwavlm.stimulus.textgrid import Interval
from brainwavlm.stimulus.transcripts import Transcript
from tests.trees import native_tree, write_transcript

SECONDS = 60
OTHER_THAN_CLIPS = {"windows__stride": 2.0}  # whose windows are a second each
SPLITS = {"a": "train", "b": "train", "c": "validation", "d": "test"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stories in which AA and `yes` are in even seconds, IY in every third, B in two."""
    place = tmp_path_factory.mktemp("talkative") / "data"
    folder = native_tree(place, subjects=("anna",), splits=SPLITS, seconds=float(SECONDS)).path
    phones = [Interval(k + 0.3, k + 0.5, "AA1") for k in range(0, SECONDS, 2)]
    phones += [Interval(k + 0.6, k + 0.8, "IY0") for k in range(0, SECONDS, 3)]
    phones += [Interval(k + 0.85, k + 0.95, "B") for k in (3, 5)]
    # Most of the word is in the second before, its middle is not.
    words = [Interval(k - 0.4, k + 0.45, "Yes,") for k in range(2, SECONDS, 2)]
    for name in SPLITS:
        transcript = Transcript(sorted(phones, key=lambda phone: phone.start), words)
        write_transcript(folder / f"stimuli/{name}.TextGrid", transcript, float(SECONDS))
    return folder


@pytest.fixture(scope="module")
def run(folder, finished):
    return finished(dataset=str(folder), **OTHER_THAN_CLIPS)


@pytest.fixture(scope="module")
def talkative(run):
    """A run's configuration on them."""
    return run.config


@pytest.fixture
def own(folder, talkative, tmp_path):
    """The same on a copy that a test may change."""
    return talkative.model_copy(update={"dataset": str(shutil.copytree(folder, tmp_path / "data"))})


def labels_of(config, task="phones"):
    return task_of(task, ScoringPlan.of(run_data(config), config, ModelSize(1, 400)), 400)


def test_labels_are_what_has_its_middle_in_a_clip(talkative):
    task = labels_of(talkative)
    seconds = np.arange(SECONDS)
    assert task.labels == ("AA", "IY")  # B is in two clips only
    assert task.fitted.stories == ["a", "b", "c"]
    assert task.tested.stories == ["d"]
    assert_array_equal(task.tested.labels, np.stack([seconds % 2 == 0, seconds % 3 == 0], axis=1))
    assert_array_equal(task.fitted.labels, np.tile(task.tested.labels, (3, 1)))
    assert list(task.fitted.story_of_row) == ["a"] * SECONDS + ["b"] * SECONDS + ["c"] * SECONDS
    words = labels_of(talkative, "words")
    assert words.labels == ("yes",)
    assert_array_equal(words.tested.labels[:, 0], (seconds % 2 == 0) & (seconds > 0))


def test_the_classifier_finds_what_is_there_and_nothing_else(talkative):
    task, random = labels_of(talkative), np.random.default_rng(0)
    labels = {"d": task.tested.labels} | dict.fromkeys("abc", task.tested.labels)
    # Columns on scales that differ by a million: AA in the second, nothing about IY in any.
    features = {}
    for story, y in labels.items():
        columns = [random.normal(size=SECONDS), 1e6 * (y[:, 0] + random.normal(0, 0.2, SECONDS)) + 7]
        features[story] = StoryFeatures(np.arange(1.0, SECONDS + 1), {3: np.stack(columns, 1)})
    decided = decisions(features, task, 3, talkative)
    of_aa, of_iy = map(roc_auc_score, task.tested.labels.T, decided.T)
    assert of_aa > 0.99
    assert abs(of_iy - 0.5) < 0.2


def test_auc_is_scikit_learns_also_without_a_piece():
    random = np.random.default_rng(1)
    having = random.random(40) < 0.3
    having[10:] &= np.arange(10, 40) < 30  # none with the label in the last piece, and then
    having[:10] |= True  # none without it in the first
    decided = (random.standard_normal(40) + having).round(1)  # with ties
    pieces = [slice(0, 10), slice(10, 25), slice(25, 30), slice(30, 40)]
    left = [np.delete(np.arange(40), piece) for piece in (slice(0, 0), *pieces)]
    expected = [roc_auc_score(having[rows], decided[rows]) for rows in left]
    assert_allclose(auc(decided, having, pieces), expected, rtol=1e-12)
    assert np.isnan(auc(decided[:20], having[:20], [slice(0, 10), slice(10, 20)])[2])


def test_f1_of_the_largest_decision_is_scikit_learns_also_without_a_story():
    random = np.random.default_rng(3)
    truth = random.integers(0, 4, 90)
    truth[:30] %= 3  # the last label is in two stories
    decided = random.standard_normal((90, 4)) + 1.5 * np.eye(4)[truth]
    story = np.repeat(["a", "b", "c"], 30)
    jackknife = jackknife_of_f1({"one": decided}, np.eye(4)[truth] > 0, story)
    expected = [
        f1_score(truth[story != left], decided[story != left].argmax(1), average="macro")
        for left in ("none", "a", "b", "c")
    ]
    assert_allclose(jackknife.means[LABELS]["one"], expected, rtol=1e-12)


def test_models_leave_out_the_same_and_equal_models_do_not_differ(talkative):
    task, random = labels_of(talkative), np.random.default_rng(2)
    one = random.standard_normal(task.tested.labels.shape)
    models = {"frozen": one, "tuned": one + 0.5 * task.tested.labels, "same": one.copy()}
    found = jackknife_of_auc(models, task.tested.labels, task.tested.story_of_row)
    means = found.means[LABELS]
    assert_array_equal(means["frozen"], means["same"])
    assert found.unit == "4 blocks of at least 10 clips of this test story"
    measured = np.mean(list(map(roc_auc_score, task.tested.labels.T, one.T)))
    assert_allclose(means["frozen"][0], measured)
    low, high = found.interval(means["tuned"] - means["frozen"])
    assert 0 < low < means["tuned"][0] - means["frozen"][0] < high


def test_evaluate_asks_both_models_at_the_runs_state_and_further_ones(
    run, features, tmp_path, monkeypatch, brainwavlm
):
    heard, extract = [], bench_module.extract

    def counted(backbone, sound, config, *rest):
        if config == WindowConfig(context=1.0, stride=1.0, frame="mean"):
            heard.append((id(backbone), str(sound)))
        return extract(backbone, sound, config, *rest)

    monkeypatch.setattr(bench_module, "extract", counted)
    scores = evaluate(run, layers=[0, 3], downstream=["phones", "words"])
    assert len(heard) == len(set(heard)) == 2 * len(SPLITS)
    table = scores.downstream.set_index(["task", "layer"])
    assert set(table.index) == {("phones", 0), ("phones", 3), ("words", 0), ("words", 3)}
    assert_allclose(table["difference"], table["auc_tuned"] - table["auc_frozen"], atol=1e-12)
    # The input of the first block lies before everything that was tuned.
    assert (table.loc[[("phones", 0), ("words", 0)], ["difference", "low", "high"]] == 0).all(axis=None)
    assert table.loc[("phones", 3), "difference"] != 0
    plain = evaluate(run, cache=features).table
    pd.testing.assert_frame_equal(scores.table, plain, rtol=1e-4)
    scores.save(tmp_path / "scores")
    shown = brainwavlm("show", tmp_path / "scores").out
    assert "what is said in clips, mean AUC over labels (chance .5)" in " ".join(shown.split())
    rows = read_replicates(tmp_path / "scores/replicates.npz").about
    of_clips = {(row["target"], row["layer"]) for row in rows if row["stories"] == "clips"}
    assert of_clips == set(table.index)
    own = evaluate(run, cache=features, downstream=["words"]).downstream
    assert list(own["layer"]) == [3]
    assert_allclose(own["auc_tuned"].item(), table.loc[("words", 3), "auc_tuned"], atol=1e-5)


def test_clips_are_planned_on_the_length_that_is_heard(own):
    """48 kHz, a sample short of a minute: a header's length times 16000, cut off, is a clip less than there is."""
    sound = np.random.default_rng(0).normal(0, 0.1, SECONDS * 48000 - 1)
    for name in SPLITS:
        soundfile.write(Path(own.dataset) / f"stimuli/{name}.wav", np.roll(sound, len(name)), 48000)
    assert len(labels_of(own).tested.labels) == SECONDS


def test_what_cannot_be_asked_is_named(own):
    rare = Transcript([], [Interval(k + 0.1, k + 0.2, "no") for k in range(5)])
    for name in SPLITS:
        write_transcript(Path(own.dataset) / f"stimuli/{name}.TextGrid", rare, float(SECONDS))
    with pytest.raises(
        ConfigError, match=r"(?s)words: none is in 10 clips of 1 s.*180 clips that are fitted"
    ):
        labels_of(own, "words")
