"""What time alone predicts: much on a split that leaks, nothing on one by story."""

import shutil

import h5py
import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.config import load_config
from brainwavlm.datasets.base import Subject
from brainwavlm.datasets.responses import Recording, Story
from brainwavlm.encoding.run_data import RunData
from brainwavlm.evaluation.scoring_plan import ModelSize, ScoringPlan
from brainwavlm.evaluation.time_baseline import score_time, time_designs
from brainwavlm.progress import Progress
from brainwavlm.stimulus.audio import same_sounds
from tests.evaluation.statistics.test_circular_shift import autoregressive

N_VOXELS, TR = 60, 2.0
ASKED = {"subject": "S1", "ridge.folds": 3, "windows.stride": 1.0}
CONFIG = load_config(overrides=ASKED | {"evaluation.shifts": 200, "evaluation.targets": ["cortex"]})


def recording(folder, name, split, values, times=None, sound=None):
    path, audio = folder / f"{name}.h5", folder / f"{name}.wav"
    with h5py.File(path, "w") as file:
        file["data"] = values
        if times is not None:
            file["tr_times"] = times
    level = sum((sound or name).encode())
    soundfile.write(audio, np.full(8000 * 500, level, np.int16), 8000)
    return Recording("S1", Story(name, audio, None, split), path, TR)


def noise(seed, n_rows=120):
    return autoregressive(np.random.default_rng(seed), n_rows, N_VOXELS)


@pytest.fixture
def by_story(tmp_path):
    """Four stories of autocorrelated noise, each on one side."""
    splits = {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
    return {
        split: [recording(tmp_path, name, split, noise(ord(name))) for name in names]
        for split, names in splits.items()
    }


@pytest.fixture
def leaky(by_story, tmp_path):
    """The test story d is gone; rows of one more story are on both sides, in turns of 3, as two `stories`."""
    values, times = noise(99, 240), TR * np.arange(240)
    turns = np.arange(240) // 3 % 2
    parts = {
        part: recording(tmp_path, f"e{part}", "train", values[turns == part], times[turns == part], "e")
        for part in (0, 1)
    }
    return {**by_story, "train": [*by_story["train"], parts[0]], "test": [parts[1]]}


def scored(splits, leave_one_out=False):
    recordings = {one.story.name: one for some in splits.values() for one in some}
    data = RunData(None, Subject("S1", recordings), splits, np.ones(N_VOXELS, bool), {})
    plan = ScoringPlan.of(data, CONFIG, ModelSize(1, 400), leave_one_out)
    return score_time(plan, plan.true(), Progress())


def test_on_a_leaky_split_time_alone_scores_well_above_chance(leaky):
    test, shared = scored(leaky)
    mean, p, null95 = test.mean["cortex"]
    assert mean > 0.3
    assert mean > null95
    assert p < 0.05  # turns near zero keep neighbours together: two of 120
    assert shared == {"e1": ["e0"]}
    _, shared = scored(leaky, leave_one_out=True)
    assert shared == {"e0": ["e1"], "e1": ["e0"]}


def test_responses_that_begin_alike_in_every_story_are_found(by_story, tmp_path):
    """No leak, yet no language either: an onset or a drift that all stories share."""
    drift = 6 * np.exp(-np.arange(120) / 15)[:, None]
    for split, some in by_story.items():
        for one in some:
            recording(tmp_path, one.story.name, split, one.responses() + drift)
    again = {split: [Recording("S1", r.story, r.path, TR) for r in some] for split, some in by_story.items()}
    assert scored(again)[0].mean["cortex"][0] > 0.3


@pytest.mark.parametrize("leave_one_out", [False, True])
def test_on_a_split_by_story_it_does_not(by_story, leave_one_out):
    test, shared = scored(by_story, leave_one_out)
    mean, p, _ = test.mean["cortex"]
    assert abs(mean) < 0.1
    assert shared == {}
    if not leave_one_out:
        assert p > 0.05
        assert (test.q < 0.05).sum() == 0


def test_a_copy_of_a_sound_under_another_name_is_the_same_sound(by_story, tmp_path):
    a, b = by_story["train"]
    (c,) = by_story["validation"]
    shutil.copy(a.story.audio, c.story.audio)
    b.story.audio.write_bytes(a.story.audio.read_bytes()[:-1] + b"?")  # as long, and another sound
    assert same_sounds([a.story, b.story, c.story]) == {"a": "a", "b": "b", "c": "a"}


def test_columns_are_those_of_the_formula(leaky):
    fit, held = [*leaky["train"], *leaky["validation"]], leaky["test"]
    designs = time_designs(fit, held, same_sounds([one.story for one in (*fit, *held)]))
    a, e0, e1 = designs["a"], designs["e0"], designs["e1"]
    assert a.shape[1] == e0.shape[1] == e1.shape[1] > 6
    assert_allclose(a[:, :6].mean(0), 0, atol=1e-5)
    u = np.linspace(0, 1, 120)
    cosine = np.cos(3 * np.pi * u)
    assert_allclose(a[:, 2], (cosine - cosine.mean()) / cosine.std(), atol=1e-5)
    assert_array_equal(a[:, 6:], 0)  # its sound is on one side only
    times = held[0].tr_times
    assert_allclose(e1[:, 6 + 2], np.exp(-((times - 8.0) ** 2) / 32), atol=1e-6)
