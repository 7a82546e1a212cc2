"""A block's design equals the whole story's rows; nothing leaks between stories."""

import dataclasses

import numpy as np
import pytest
import torch

from brainwavlm.datasets import load_dataset
from brainwavlm.encoding.blocks import Block
from brainwavlm.encoding.feature_moments import FeatureMoments
from brainwavlm.encoding.prepared_stories import prepared_story, recording_clock, story_responses
from brainwavlm.encoding.run_data import run_data
from brainwavlm.speech.backbones import load_backbone


@pytest.fixture
def ready(settings):
    def make(keep_frontend=False, story="dog", **overrides):
        config = settings(**overrides)
        backbone = load_backbone(config.backbone.name, config.backbone.layer)
        data = run_data(config)
        prepared = prepared_story(
            data.recordings[story], data.voxels, backbone, config, torch.device("cpu"), keep_frontend
        )
        return prepared, backbone, config

    return make


def block_design(prepared, backbone, config, start, stop):
    moments = FeatureMoments()
    with torch.no_grad():
        prepared.measure(backbone, moments, config)
        moments.next_epoch()
        return prepared.block_design(backbone, Block(prepared.story, start, stop), moments, config)


@pytest.mark.parametrize("keep_frontend", [False, True])
@pytest.mark.parametrize(("start", "stop"), [(0, 5), (3, 8), (7, 12), (0, 12)])
def test_a_block_with_its_halo_equals_the_same_rows_of_the_whole_story(ready, start, stop, keep_frontend):
    prepared, backbone, config = ready(keep_frontend)
    whole = prepared.story_design(backbone, config)
    design = block_design(prepared, backbone, config, start, stop)
    torch.testing.assert_close(design, whole[start:stop], atol=1e-5, rtol=1e-4)


def test_without_the_halo_the_first_rows_of_a_block_are_wrong(ready):
    prepared, backbone, config = ready(quirks__block_delays=True)
    whole = prepared.story_design(backbone, config)
    design = block_design(prepared, backbone, config, 5, 10)
    n_dims = backbone.n_dims
    assert not design[0].any()  # four delays, all before the block: no stimulus at all
    torch.testing.assert_close(design[4:], whole[9:10], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(design[1, :n_dims], whole[6, :n_dims], atol=1e-5, rtol=1e-4)


def test_delays_of_the_first_rows_see_the_sound_before_them(ready):
    """Rows start 4 s after sound onset: delays 1 and 2 of row 0 see rows at 2 and 0 s, delays 3 and 4 silence."""
    prepared, backbone, config = ready()
    n_dims = backbone.n_dims
    first = prepared.story_design(backbone, config)[0]
    assert prepared.clock.silent == 2
    assert first[: 2 * n_dims].abs().max() > 0.01
    assert not first[2 * n_dims :].any()


def test_rows_at_the_sounds_onset_are_no_outliers(ready):
    """More than half of the kernel of the row at 0 s finds no window; that part counts as the story's mean, not as zero."""
    prepared, backbone, config = ready()
    assert prepared.clock.mass[0] < 0.5 * np.median(prepared.clock.mass)
    assert prepared.story_design(backbone, config).abs().max() < 8


def test_moments_summed_over_blocks_are_those_of_the_whole_story(ready):
    prepared, backbone, config = ready()
    whole, summed = FeatureMoments(), FeatureMoments()
    prepared.measure(backbone, whole, config)
    whole.next_epoch()
    prepared.measure(backbone, summed, config)
    summed.next_epoch()
    with torch.no_grad():
        for start, stop in ((5, 12), (0, 5)):
            prepared.block_design(backbone, Block("dog", start, stop), summed, config)
    summed.next_epoch()
    for one, other in zip(whole["dog"], summed["dog"], strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_another_storys_sound_changes_nothing(ready, settings, tmp_path):
    prepared, backbone, config = ready()
    before = prepared.story_design(backbone, config)
    other, _, _ = ready(story="ferry")
    other.sound.add_(1.0)
    torch.testing.assert_close(prepared.story_design(backbone, config), before, atol=0, rtol=0)


def test_the_numpy_and_the_torch_path_give_one_design(ready):
    prepared, backbone, config = ready()
    with torch.no_grad():
        features = prepared.features(backbone, np.arange(len(prepared.windows)), config).numpy()
    expected = prepared.clock.design(features)
    np.testing.assert_allclose(prepared.story_design(backbone, config).numpy(), expected, atol=2e-5)


def test_the_clipped_kernel_of_the_authors_has_no_negative_lobe(ready):
    prepared, _, _ = ready()
    clipped, _, _ = ready(quirks__clip_kernel=True)
    assert prepared.clock.matrix.min() < -0.01
    assert clipped.clock.matrix.min() == 0
    assert clipped.clock.matrix.sum() > 1.1 * prepared.clock.matrix.sum()


def test_the_centre_reference_reads_half_a_tr_later(settings, tree):
    recording = load_dataset(tree).subject("anna").recordings["dog"]
    times = np.arange(0.5, 30.5, 0.5)
    onset = recording_clock(recording, times, settings().alignment)
    centre = recording_clock(recording, times, settings(alignment__tr_reference="centre").alignment)
    later = dataclasses.replace(recording)
    later.__dict__["tr_times"] = recording.tr_times + 1.0
    np.testing.assert_allclose(centre.matrix, recording_clock(later, times, settings().alignment).matrix)
    assert centre.matrix.shape != onset.matrix.shape or np.abs(centre.matrix - onset.matrix).max() > 0.1


def test_responses_are_z_scored_within_the_story_and_nan_stays_nan(tree, monkeypatch):
    recording = load_dataset(tree).subject("anna").recordings["dog"]
    data = recording.responses()
    data[3, 2] = np.nan
    monkeypatch.setattr(type(recording), "responses", lambda self, **_: data)
    z = story_responses(recording, slice(None))
    assert np.isnan(z[:, 2]).all()
    np.testing.assert_allclose(np.delete(z, 2, 1).mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(np.delete(z, 2, 1).std(0), 1, atol=1e-5)
