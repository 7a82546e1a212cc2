"""Targets made from the stimulus: what was said and when, on the clock of the responses."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.datasets import load_dataset
from brainwavlm.encoding.control_targets import as_responses, canonical_response
from brainwavlm.encoding.run_data import run_data
from brainwavlm.encoding.training_targets import TrainingTargets
from tests.encoding.loops import untuned_loop
from tests.trees import native_tree

ENDS = np.arange(0.5, 60.5, 0.5)


@pytest.fixture
def recording(tree):
    return load_dataset(tree).subject("anna").recordings["dog"]


def test_the_canonical_response_peaks_at_five_seconds_and_then_undershoots():
    seconds = np.arange(0, 40, 0.1)
    h = canonical_response(seconds)
    assert seconds[h.argmax()] == pytest.approx(5.0, abs=0.15)
    assert 14 < seconds[h.argmin()] < 17
    assert h.min() < -0.05 * h.max()
    assert np.abs(h[seconds > 32]).max() < 1e-3 * h.max()
    assert canonical_response(np.array([-1.0]))[0] == 0


def test_a_target_follows_the_sound_by_the_response_of_the_brain(tmp_path, settings):
    tree = native_tree(tmp_path, n_trs=100, seconds=220.0)
    recording = tree.subject("anna").recordings["dog"]
    times = np.arange(0.5, 220.5, 0.5)
    event = ((times > 100) & (times <= 102)).astype(np.float32)[:, None]
    target = as_responses(event, times, recording, settings().alignment)[:, 0]
    assert recording.tr_times[target.argmax()] == pytest.approx(107, abs=2)
    expected = canonical_response(recording.tr_times - 101.0)
    assert np.corrcoef(target, expected)[0, 1] > 0.95


def test_the_delays_of_the_design_change_no_target(recording, settings):
    stretches = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    one, other = (
        as_responses(stretches, ENDS[:60], recording, settings(alignment__delays=delays).alignment)
        for delays in ([1, 2, 3, 4], [0, 6])
    )
    assert_allclose(one, other)


def test_mixtures_are_the_same_for_every_story(control, settings):
    """A mixture that changed from story to story could not be learned from the sound."""
    config = control("stimulus")
    story, targets = untuned_loop(settings()).loader["dog"], TrainingTargets(run_data(config), config)
    one, other = (targets.apply(replace(story, story=name)).responses for name in ("dog", "ferry"))
    assert_array_equal(one, other)
    config = control("stimulus", seed=3)
    again = TrainingTargets(run_data(config), config).apply(story).responses
    assert (again - one).abs().max() > 0.1


def test_phones_of_another_alphabet_are_targets_by_their_own_names(control, own_tree):
    for path in (own_tree / "stimuli").glob("*.TextGrid"):
        path.write_text(path.read_text().replace('"AH0"', '"ə"'))
    config = control("phones", dataset=str(own_tree))
    classes = TrainingTargets(run_data(config), config).facts()["control"]["classes"]
    assert classes == ["AO1", "D", "DH", "ə"]
