"""Vectors of stretches, phones and words: means over frames, each heard in its context."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.config import WindowConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.features import sound_reader
from brainwavlm.speech.sound_reader import SharedFrontend
from brainwavlm.speech.unit_vectors import cached_unit_vectors, mean_weights, unit_vectors
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.features.units import Units
from brainwavlm.stimulus.windows import cut_windows
from tests.models import noise

CONFIG = WindowConfig(context=0.8, stride=0.25)


@pytest.fixture(scope="module")
def backbone(tiny_wavlm):
    return load_backbone(tiny_wavlm, "all")


@given(st.lists(st.tuples(st.floats(0, 3.2), st.floats(0.001, 1.5)), min_size=1, max_size=12))
@settings(max_examples=60)
def test_a_unit_is_the_mean_of_the_frames_in_it_or_the_nearest(spans):
    spans = np.array(sorted(spans))
    units = Units(spans[:, 0], spans.sum(1))
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.04, 120))
    values = np.random.default_rng(1).standard_normal((120, 3))
    expected = [
        values[within].mean(0)
        if (within := (times >= start) & (times < end)).any()
        else values[np.abs(times - (start + end) / 2).argmin()]
        for start, end in zip(units.starts, units.ends, strict=True)
    ]
    assert_allclose(mean_weights(times, units) @ values, expected, atol=1e-12)


def test_vectors_from_a_kept_frontend_are_the_same(backbone, tmp_path, monkeypatch):
    dataset = load_dataset("demo")
    story = dataset.stories["dog"]
    config = WindowConfig(context=0.5, stride=20.0, mode="stream")
    units = {"stretches": Units.stretches(np.arange(20.0, 80.0, 20.0), 20.0)}
    computed = cached_unit_vectors(backbone, story, config, units, None)
    cached_unit_vectors(backbone, story, config, units, None, frontends=tmp_path / "kept")
    monkeypatch.setattr(type(backbone), "listen", lambda *_: pytest.fail("the convolutions are run again"))
    read = cached_unit_vectors(backbone, story, config, units, None, frontends=tmp_path / "kept")
    for layer in backbone.layers:
        assert_allclose(read[layer]["stretches"], computed[layer]["stretches"], atol=1e-5)


@pytest.mark.parametrize(("batch", "frontend"), [(1, "exact"), (None, "exact"), (5, "shared")])
def test_vectors_are_means_of_windows_run_one_by_one(backbone, batch, frontend):
    sound = noise(1, 3.1)[0]
    config = CONFIG.model_copy(update={"frontend": frontend})
    units = {
        "words": Units(np.array([0.0, 0.31, 2.2]), np.array([0.3, 1.4, 2.9])),
        "stretches": Units.stretches(np.arange(0.25, 3.1, 0.25), 0.25),
    }
    windows = cut_windows(len(sound), config, backbone.min_samples)
    backbone.batch_windows = batch
    reader = sound_reader(backbone, windows, config, sound)
    vectors = unit_vectors(reader, units)
    hop, field = backbone.family.frame_grid(backbone.model.config)
    frames = {layer: [] for layer in backbone.layers}
    times = []
    shared = SharedFrontend(reader)
    for number, (start, end) in enumerate(zip(windows.starts, windows.ends, strict=True)):
        with torch.no_grad():
            alone = backbone.frontend(sound[None, start:end])
            states = backbone.trunk(alone if frontend == "exact" else backbone.enter(shared[number][None]))
        centres = (start + hop * np.arange(states[0].shape[1]) + field / 2) / SAMPLE_RATE
        kept = (centres > end / SAMPLE_RATE - 0.25) if number else np.full(len(centres), True)
        times.append(centres[kept])
        for layer, state in states.items():
            frames[layer].append(state[0].numpy()[kept])
    times = np.concatenate(times)
    for layer in backbone.layers:
        every = np.concatenate(frames[layer])
        for name, some in units.items():
            expected = [
                every[(times >= a) & (times < b)].mean(0) for a, b in zip(some.starts, some.ends, strict=True)
            ]
            assert_allclose(vectors[layer][name], expected, atol=1e-4)


def test_vectors_are_kept_by_all_that_they_depend_on(backbone, tree, tmp_path, monkeypatch):
    story = load_dataset(tree).subject("anna").recordings["dog"].story
    units = {
        "words": Units(np.array([1.0, 2.0]), np.array([1.5, 2.5])),
        "none": Units(np.zeros(0), np.zeros(0)),
    }
    first = cached_unit_vectors(backbone, story, CONFIG, units, tmp_path)
    later = {"words": Units(np.array([1.0, 2.0]), np.array([1.5, 2.6])), "none": units["none"]}
    other = cached_unit_vectors(backbone, story, CONFIG, later, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(
        "brainwavlm.speech.unit_vectors.unit_vectors", lambda *_: pytest.fail("read the sound")
    )
    again = cached_unit_vectors(backbone, story, CONFIG, units, tmp_path)
    assert_array_equal(again[3]["words"], first[3]["words"])
    assert again[3]["none"].shape == (0, 32)
    assert (other[3]["words"][1] != first[3]["words"][1]).any()


def test_random_weights_are_drawn_anew_from_their_seed(tiny_wavlm, backbone):
    sound = noise(1)
    one, again, other = (
        load_backbone(tiny_wavlm, [0, 4], random_seed=seed)(sound)[4].detach() for seed in (0, 0, 1)
    )
    torch.testing.assert_close(one, again, rtol=0, atol=0)
    assert (one - other).abs().max() > 0.01
    assert (one - backbone(sound)[4]).abs().max() > 0.01
