"""Controls keep what they say they keep, lose what they say they lose, and give normal runs."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.config import CONTROLS
from brainwavlm.encoding import control_targets
from brainwavlm.encoding.alignment import zscored
from brainwavlm.encoding.controls import (
    block_permuted,
    derangement,
    exchanged,
    phase_randomised,
    shifted,
    spectrum_matched,
    wrapped,
)
from brainwavlm.encoding.prepared_stories import story_responses
from brainwavlm.encoding.run_data import run_data
from brainwavlm.encoding.story_loader import StoryLoader
from brainwavlm.encoding.subjects import tuned_subjects
from brainwavlm.encoding.tuning import tune
from brainwavlm.errors import ConfigError, DatasetError, RunError
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.stimulus.features.units import Units

# Whose targets are the same for every seed: two training stories can exchange in one way only.
WITHOUT_CHANCE = {"other-story", "words", "phones"}


@pytest.fixture
def responses():
    """Smooth responses that voxels share in part, z-scored."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((60, 3)) @ rng.standard_normal((3, 8)) + rng.standard_normal((60, 8))
    return zscored(np.stack([np.convolve(column, np.hanning(7), "same") for column in noise.T], axis=1))


@pytest.fixture(scope="module")
def backbone(settings):
    return load_backbone(settings().backbone.name, settings().backbone.layer)


@pytest.fixture
def targets_of(backbone):
    def targets(config, story):
        loader = StoryLoader(tuned_subjects(config), backbone, config, torch.device("cpu"))
        return loader[story].responses.numpy()

    return targets


def power(rows):
    return np.abs(np.fft.rfft(rows, axis=0))


@pytest.mark.parametrize(("n_trs", "least", "nearest"), [(60, 10, 10), (60, 25, 15), (3, 9, 1)])
def test_shifts_keep_their_distance_and_differ_also_where_the_story_is_short(n_trs, least, nearest):
    rows = np.arange(n_trs)[:, None]
    found = {int(shifted(rows, least, np.random.default_rng(seed))[0, 0]) for seed in range(400)}
    assert found == set(range(nearest, n_trs - nearest + 1))


@pytest.mark.parametrize(("n_trs", "block_rows"), [(60, 10), (47, 10), (44, 10), (9, 6)])
def test_blocks_go_elsewhere_whole(n_trs, block_rows):
    rows = np.arange(n_trs)[:, None]
    for seed in range(50):
        moved = block_permuted(rows, block_rows, np.random.default_rng(seed))[:, 0]
        assert_array_equal(np.sort(moved), rows[:, 0])
        assert np.abs(moved - rows[:, 0]).min() >= block_rows / 2
        assert np.count_nonzero(np.diff(moved) != 1) <= -(-n_trs // block_rows)


def test_every_order_without_a_fixed_place_is_equally_likely():
    generator = np.random.default_rng(0)
    drawn = [tuple(derangement(4, generator).tolist()) for _ in range(9000)]
    orders, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(orders) == 9
    assert counts.min() > 880
    assert counts.max() < 1120
    with pytest.raises(ValueError, match="no order of 1"):
        derangement(1, generator)


@pytest.mark.parametrize("n_trs", [60, 59])
def test_phases_are_lost_and_spectra_and_covariances_kept(responses, n_trs):
    responses = zscored(responses[:n_trs])
    twin = phase_randomised(responses, np.random.default_rng(1))
    assert_allclose(power(twin), power(responses), atol=2e-3)
    assert_allclose(twin.T @ twin, responses.T @ responses, atol=2e-3)
    cross = [np.fft.rfft(rows[:, 0]) * np.fft.rfft(rows[:, 1]).conj() for rows in (twin, responses)]
    assert_allclose(*cross, atol=0.05)
    others = [phase_randomised(responses, np.random.default_rng(seed)) for seed in range(200)]
    r = np.array([(other * responses).mean(0) for other in others])
    assert np.abs(r.mean(0)).max() < 0.1  # on average no trace of the order in time
    assert r.std(0).min() > 0.05


def test_a_voxel_with_a_gap_stays_empty_and_touches_no_other(responses):
    holed = responses.copy()
    holed[:, 2] = np.nan
    for make in (
        lambda rows: phase_randomised(rows, np.random.default_rng(0)),
        lambda rows: wrapped(rows, 70),
        lambda rows: spectrum_matched(responses[::-1], rows),
    ):
        found = make(holed)
        assert np.isnan(found[:, 2]).all()
        assert_allclose(np.delete(found, 2, 1), np.delete(make(responses), 2, 1), atol=1e-5)


@pytest.mark.parametrize("n_trs", [40, 60, 150])
def test_another_storys_responses_are_cut_or_begin_again(responses, n_trs):
    found = wrapped(responses, n_trs)
    assert_allclose(found, zscored(np.concatenate([responses] * 3)[:n_trs]), atol=1e-6)
    assert_allclose(found.std(0), 1, atol=1e-5)


def test_stories_exchange_responses_within_their_split():
    train, validation = ["a", "b", "c", "d"], ["x", "y"]
    found = [exchanged(train, validation, seed) for seed in range(40)]
    for pairs in found:
        assert sorted(pairs[story] for story in train) == train
        assert sorted(pairs[story] for story in validation) == validation
        assert all(story != other for story, other in pairs.items())
    assert len({tuple(sorted(pairs.items())) for pairs in found}) > 5
    alone = exchanged(train, ["x"], 0)
    assert alone["x"] in train
    assert exchanged(train[::-1], ["x"], 0) == alone


def test_a_target_gets_the_power_of_the_response_and_keeps_its_own_timing(responses):
    targets = np.random.default_rng(5).standard_normal(responses.shape)
    found = spectrum_matched(targets, responses)
    assert_allclose(power(found), power(responses), atol=2e-3)
    phases = [np.exp(1j * np.angle(np.fft.rfft(rows, axis=0)[1:-1])) for rows in (targets, found)]
    assert_allclose(*phases, atol=1e-2)


@pytest.mark.parametrize("kind", CONTROLS)
def test_targets_are_the_same_whenever_they_are_read_and_others_for_another_seed_or_story(
    targets_of, control, settings, kind
):
    data = run_data(settings())
    for story, recording in data.recordings.items():
        true, found = story_responses(recording, data.voxels), targets_of(control(kind), story)
        changed = found.shape != true.shape or np.abs(found - true).max() > 0.1
        assert changed == (story != "market")  # the test story
    first, again = (targets_of(control(kind, seed=1), "dog") for _ in range(2))
    assert_array_equal(first, again)
    assert first.shape == (12, {"words": 4, "phones": 39}.get(kind, 30))
    varying = first[:, first.std(0) > 0]
    assert_allclose(varying.mean(0), 0, atol=1e-5)
    assert_allclose(varying.std(0), 1, atol=1e-4)
    others = [targets_of(control(kind, seed=seed), "dog") for seed in (2, 3, 4)]
    assert any(not np.array_equal(first, other) for other in others) == (kind not in WITHOUT_CHANCE)


def test_blocks_of_a_story_are_those_of_its_own_responses(targets_of, control, settings):
    true, found = targets_of(settings(), "dog"), targets_of(control("block-permuted"), "dog")
    moved = [int(np.flatnonzero((true == row).all(1)).item()) for row in found]
    assert sorted(moved) == list(range(12))
    assert [b - a for a, b in zip(moved[::2], moved[1::2], strict=True)] == [1] * 6


def test_another_storys_responses_are_those_of_the_other_training_story(targets_of, control, settings):
    assert_allclose(targets_of(control("other-story"), "dog"), targets_of(settings(), "ferry"), atol=1e-5)


def test_words_need_a_file_and_the_run_says_how_many_it_knew(control, settings, vectors, tmp_path):
    with pytest.raises(ConfigError, match=r"control\.embeddings: None\.\n.*a file of word vectors"):
        settings(control__kind="words")
    vectors.write_text("the 1 2\n")
    run = tune(control("words", training__epochs=1), tmp_path / "run")
    assert run.manifest["data"]["control"]["unknown"] == {"of": 84, "words": 42}
    assert run.n_targets == 2
    vectors.write_text("cat 1 2\n")
    with pytest.raises(DatasetError, match=r"vectors\.txt: none of the 2 words that are said"):
        tune(control("words"), tmp_path / "other")
    vectors.write_text("the 1 3\n")
    with pytest.raises(RunError, match=r"another data than asked for: control\.vectors"):
        tune(control("words", training__epochs=1), tmp_path / "run", resume=True)


def test_a_transcript_that_ends_before_the_sound_begins_is_named(targets_of, control, monkeypatch):
    late = Units(np.arange(1000.0, 1009.0), np.arange(1000.5, 1009.5), ("AH",) * 9)
    said = lambda stories, *_: {story.name: late for story in stories}  # noqa: E731
    monkeypatch.setattr(control_targets, "labels_said", said)
    with pytest.raises(
        DatasetError, match=r"TextGrid: no phones with a value other than 0 in the 30 s of sound"
    ):
        targets_of(control("phones"), "dog")
