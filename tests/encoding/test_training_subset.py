"""How much of the data a run is tuned on: nested subsets, and what they leave as it was."""

from dataclasses import dataclass

import numpy as np
import pytest

from brainwavlm.config import ListenerConfig
from brainwavlm.encoding.run_data import run_data
from brainwavlm.encoding.story_subsets import first_stories, length
from brainwavlm.encoding.subjects import tuned_subjects
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.evaluate import score_backbone
from brainwavlm.evaluation.evaluator import Evaluator, with_whole_cortex
from brainwavlm.runs.subject_views import subject_views


@dataclass(frozen=True)
class Named:
    name: str


@dataclass(frozen=True)
class Heard:
    """What a subset sees of a recording."""

    story: Named
    n_trs: int
    tr: float = 2.0

    @property
    def shape(self):
        return self.n_trs, 1


STORIES = [
    Heard(Named(name), n_trs)
    for name, n_trs in zip("abcdefgh", (300, 60, 150, 90, 240, 180, 120, 210), strict=True)
]


def names(recordings):
    return [recording.story.name for recording in recordings]


def test_subsets_of_one_seed_are_nested_and_never_longer_than_asked():
    for seed in range(5):
        before, largest = set(), sum(map(length, STORIES))
        for minutes in np.arange(10, 46, 0.5):
            chosen = first_stories(STORIES, minutes, seed)
            assert sum(map(length, chosen)) <= minutes
            assert before <= set(names(chosen))
            before = set(names(chosen))
        assert largest == 45
        assert before == set("abcdefgh")

    thirds = [
        Heard(Named(name), 1, tr=20.0) for name in "abc"
    ]  # a third of a minute each: rounding loses none
    assert names(first_stories(thirds, 1.0, 0)) == ["a", "b", "c"]


def test_halves_from_the_two_ends_are_different_stories_and_nested_too():
    for seed in range(20):
        first, last = (set(names(first_stories(STORIES, 22.5, seed, end))) for end in ("start", "end"))
        assert not first & last
        assert set(names(first_stories(STORIES, 12, seed, "end"))) <= last
        assert names(first_stories(STORIES, 45, seed, "end")) == names(first_stories(STORIES, 45, seed))


def test_two_listeners_of_a_joint_run_can_be_tuned_on_different_halves(settings):
    minutes = 12 * 2.0 / 60
    alone = settings(train_minutes=minutes)
    joint = alone.model_copy(update={"joint": (ListenerConfig(subject="ben", train_from="end"),)})
    first, second = (one.data.story_names()["train"] for one in tuned_subjects(joint))
    assert first == run_data(alone).story_names()["train"]
    assert len(first) == len(second) == 1
    assert first != second
    alike = alone.model_copy(update={"joint": (ListenerConfig(subject="ben"),)})
    assert [one.data.story_names()["train"] for one in tuned_subjects(alike)] == [first, first]
    # What is scored, and what ridge is fitted on, are the same for both.
    evaluator = Evaluator(None, None)
    splits = [
        evaluator.data(with_whole_cortex(view, (), None)).story_names() for view in subject_views(joint)
    ]
    assert splits[0] == splits[1]


def test_an_end_of_all_stories_is_refused(settings):
    with pytest.raises(ConfigError, match="train_minutes set where train_from = end"):
        settings(train_from="end")
    with pytest.raises(ConfigError, match="train_minutes set where train_from = end"):
        settings(joint=[{"subject": "ben", "train_from": "end"}])


def test_the_order_depends_on_the_seed_and_on_names_alone():
    assert len({tuple(names(first_stories(STORIES, 20, seed))) for seed in range(20)}) > 5
    for seed in range(5):
        chosen = names(first_stories(STORIES, 20, seed))
        backwards = first_stories(STORIES[::-1], 20, seed)
        assert names(backwards) == [name for name in "hgfedcba" if name in chosen]
        # Without stories that this seed does not take, another listener gets the same ones.
        others = [story for story in STORIES if story.story.name in chosen]
        assert names(first_stories(others, 20, seed)) == chosen


def test_an_amount_shorter_than_the_first_story_is_refused_with_the_least_that_would_do():
    for seed in range(10):
        with pytest.raises(
            ConfigError, match=rf"train_minutes: 1\.9, but \w, the first story .* seed {seed}"
        ) as caught:
            first_stories(STORIES, 1.9, seed)
        assert "the shortest of all: 2.00" in str(caught.value)
        least = float(str(caught.value).split("train_minutes=")[1].split()[0])
        assert len(first_stories(STORIES, least, seed)) == 1


def test_scores_are_those_of_ridge_on_all_stories(settings, evaluated, features):
    scores = evaluated(train_minutes=0.5)
    alone = score_backbone(settings(), cache=features)
    np.testing.assert_allclose(scores.voxels["r_frozen"], alone.r, atol=1e-6)
    (described,) = scores.summary["runs"]
    assert described["tuned"]["fitted"] == ["dog", "ferry", "garden"]
    assert any(
        "tuned on 1 of 2 training stories (train_minutes 0.5)" in note for note in scores.summary["notes"]
    )
    # The readout has seen one story only; ridge two.
    np.testing.assert_array_equal(score_backbone(settings(train_minutes=0.5), cache=features).r, alone.r)
