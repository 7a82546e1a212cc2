"""The stream knows no future, forgets the past, and is the windowed mode where both hear the same."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from brainwavlm.config import AdapterConfig, WindowConfig
from brainwavlm.errors import BackboneError
from brainwavlm.speech.adapters import require_gradients
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.features import cached, extract, sound_reader
from brainwavlm.stimulus.windows import cut_windows
from tests.models import FAMILIES, noise

# A stride of 1.6 frames: blocks of one and of two frames, and readings that no frame ends at.
STREAM = WindowConfig(mode="stream", context=0.4, stride=0.032, chunk=0.3, frame="last")
KINDS = [(kind, False) for kind in (*FAMILIES, "wavlm-base-shape")]
ONE_A_KIND = [("wavlm", True), ("hubert-large", False), ("whisper", False)]


def loaded(saved, kind, layer="all", normalise=False, adapter=None, **options):
    torch.manual_seed(0)
    backbone = load_backbone(saved(kind), layer, adapter, **options)
    backbone.normalise_sound = normalise
    with torch.no_grad():
        for name, parameter in backbone.adapter_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    return backbone


def story(seconds=1.6, seed=0):
    """Noise that grows louder and shifts, so that statistics of one stretch do not fit another."""
    sound = noise(1, seconds, seed)[0]
    slope = torch.linspace(0.0, 1.0, len(sound))
    return sound * (0.2 + slope) + 0.3 * slope


def reader_of(backbone, sound, config=STREAM):
    return sound_reader(backbone, cut_windows(len(sound), config, backbone.min_samples), config, sound)


def read(backbone, sound, config=STREAM, indices=None):
    reader = reader_of(backbone, sound, config)
    with torch.no_grad():
        return reader.read(range(len(reader.windows)) if indices is None else indices), reader.windows


def assert_close(found, expected, rows=slice(None), atol=1e-5):
    for layer, state in found.items():
        torch.testing.assert_close(state[rows], expected[layer][rows], atol=atol, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "normalise", "lookahead", "frame"),
    [
        *((*kind, 0.02, "mean") for kind in KINDS),
        *(
            ("wavlm", True, None, "last"),
            ("hubert-large", False, None, "last"),
            ("whisper", False, 0.13, "first"),
        ),
    ],
)
def test_no_layer_hears_sound_after_the_lookahead(saved, kind, normalise, lookahead, frame):
    """Twelve layers (wavlm-base-shape) hear no further ahead than one."""
    config = STREAM.model_copy(update={"lookahead": lookahead, "frame": frame})
    backbone, sound = loaded(saved, kind, normalise=normalise), story()
    before, windows = read(backbone, sound, config)
    for changed_from in (0.5, 0.777, 1.2):
        other = sound.clone()
        other[round(changed_from * 16000) :] = 3 * noise(1, 1.6, seed=1)[0, round(changed_from * 16000) :]
        after, _ = read(backbone, other, config)
        unheard = windows.times + (lookahead or 0.0) <= changed_from  # a block ends at a reading: none at all
        assert unheard.sum() >= 8
        assert_close(after, before, torch.from_numpy(unheard))
        for layer in before:
            assert (after[layer][-1] - before[layer][-1]).abs().max() > 1e-3


@pytest.mark.parametrize(("kind", "normalise"), ONE_A_KIND)
def test_no_layer_remembers_sound_from_before_context_and_chunk(saved, kind, normalise):
    backbone, sound = loaded(saved, kind, normalise=normalise), story()
    before, windows = read(backbone, sound)
    for changed_to in (0.3, 0.55):
        other = sound.clone()
        other[: round(changed_to * 16000)] = 3 * noise(1, 1.6, seed=1)[0, : round(changed_to * 16000)]
        after, _ = read(backbone, other)
        forgotten = windows.times - STREAM.context - STREAM.chunk >= changed_to
        assert forgotten.sum() >= 8
        assert_close(after, before, torch.from_numpy(forgotten))
        for layer in before:
            assert (after[layer][3] - before[layer][3]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("kind", "normalise", "frame"),
    [
        *((*kind, "mean") for kind in KINDS),
        *(("wavlm", True, "last"), ("hubert-large", False, "first"), ("wav2vec2-large", True, "mean")),
    ],
)
def test_with_a_chunk_for_each_reading_the_stream_is_the_windowed_mode(saved, kind, normalise, frame):
    config = STREAM.model_copy(update={"chunk": STREAM.stride, "frame": frame})
    backbone, sound = loaded(saved, kind, normalise=normalise), story()
    found, _ = read(backbone, sound, config)
    expected, _ = read(backbone, sound, config.model_copy(update={"mode": "windows"}))
    assert_close(found, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["wavlm", "hubert-large", "whisper"])
def test_a_reading_does_not_depend_on_what_else_is_read(saved, kind):
    backbone, sound = loaded(saved, kind), story()
    whole, windows = read(backbone, sound)
    for batch in (2, 64):
        backbone.batch_windows = batch
        for indices in ([7, 0, 12, 0, 33], range(20, 31), [len(windows) - 1]):
            some, _ = read(backbone, sound, indices=indices)
            assert_close(some, {layer: state[list(indices)] for layer, state in whole.items()})
    nothing, _ = read(backbone, sound, indices=[])
    assert all(state.shape == (0, 32) for state in nothing.values())


def without_mask(backbone, hidden, visible):
    """Each frame of each block computed from nothing but the frames that it may see."""
    family, states, full_bias = backbone.family, {0: hidden}, None
    for index, block in enumerate(backbone.model.get_submodule(family.blocks)[: backbone.n_run]):
        rows, outputs = [], {}  # frames that see the same ones are read from one output
        for i, seen in enumerate(visible):
            low, high = np.flatnonzero(seen)[[0, -1]]
            assert seen[low : high + 1].all()
            if (low, high) not in outputs:
                bias = None if full_bias is None else full_bias[..., low : high + 1, low : high + 1]
                outputs[low, high], _ = family.run_block(block, hidden[:, low : high + 1], bias)
            rows.append(outputs[low, high][:, i - low])
        if index == 0 and family.position_bias:
            _, full_bias = family.run_block(block, hidden, None)
        hidden = torch.stack(rows, 1)
        states[index + 1] = hidden
    return states


@pytest.mark.parametrize(
    ("kind", "frame"),  # of the last frame: the deepest block is made for no other
    [
        *((kind, "last") for kind in ("wavlm", "hubert", "wav2vec2-large")),
        *((kind, "mean") for kind in ("wavlm-large", "whisper")),
    ],
)
def test_values_and_gradients_are_those_of_frames_that_see_only_what_they_may(saved, kind, frame):
    config = STREAM.model_copy(update={"frame": frame, "lookahead": 0.07})
    sound, results = story(0.7), []
    for dense in (False, True):
        backbone = loaded(saved, kind, layer=3, adapter=AdapterConfig(rank=2, dropout=0.0)).train()
        reader = reader_of(backbone, sound, config)
        if dense:
            parts = []
            for segment, hidden in zip(reader.segments, reader.kept_frontend(), strict=True):
                state = without_mask(backbone, hidden[None], segment.layout.visible())[3]
                parts += [state[0, row].mean(0) for row in segment.layout.members(frame)]
            features = torch.stack(parts)
        else:
            features = reader.read(range(len(reader.windows)))[3]
            assert features.requires_grad
        features.square().mean().backward()
        if not dense:
            require_gradients(backbone.reachable_parameters())
        results.append((features.detach(), {name: p.grad for name, p in backbone.adapter_parameters()}))
    torch.testing.assert_close(results[0], results[1], atol=1e-5, rtol=1e-4)
    assert min(gradient.abs().max() for gradient in results[0][1].values()) > 0


@pytest.mark.parametrize(
    ("kind", "method"),
    [("wavlm", "lora"), ("hubert-large", "full"), ("whisper", "full")],
)
def test_a_kept_frontend_and_recomputing_give_the_same_features_and_gradients(saved, kind, method):
    sound, indices, results = story(), np.array([3, 11, 0, 40]), []
    for keep, recompute in ((False, False), (True, False), (True, True)):
        backbone = loaded(saved, kind, layer=2, adapter=AdapterConfig(method=method, rank=2)).train()
        backbone.recompute = recompute
        reader = reader_of(backbone, sound)
        kept = reader.kept_frontend() if keep else None
        torch.manual_seed(1)
        states = replace(reader, frontend=kept).read(indices)[2]
        states.square().mean().backward()
        results.append((states.detach(), {name: p.grad for name, p in backbone.adapter_parameters()}))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], atol=1e-5, rtol=1e-4)
    assert not any(frames.requires_grad for frames in kept)
    assert sum(frames.numel() * 4 for frames in kept) == reader.kept_bytes()


def test_the_noise_of_a_models_own_configuration_is_refused(saved):
    backbone = loaded(saved, "wavlm", layer=2, train_noise=True).train()
    assert "mask_time_prob" in backbone.noise
    with pytest.raises(BackboneError, match=r"mask_time_prob.* in training mode"):
        reader_of(backbone, story(1.0)).read([1])
    read(backbone.eval(), story(1.0))


def test_a_segment_longer_than_whispers_positions_is_refused(saved):
    with pytest.raises(BackboneError, match=r"windows\.chunk"):
        read(loaded(saved, "whisper"), story(), STREAM.model_copy(update={"chunk": 0.8}))


def test_the_stream_hears_each_second_little_more_than_once(saved):
    config = WindowConfig(mode="stream", context=4.0, stride=0.25)
    backbone, n_samples = loaded(saved, "wavlm"), 120 * 16000
    windows = cut_windows(n_samples, config)
    reader = sound_reader(backbone, windows, config)
    assert reader.samples_heard(range(len(windows))) < 1.5 * n_samples
    assert windows.lengths.sum() > 15 * n_samples
    assert reader.samples_heard([31, 40, 62]) == 11.75 * 16000  # readings from 8 to 15.75 s
    assert reader.samples_heard([31, 40]) == (10.25 - 4) * 16000


def test_extraction_reads_the_stream_and_keeps_each_setting_apart(saved, tmp_path):
    backbone, sound = loaded(saved, "wavlm", layer=[0, 2]), story()
    path, folder = tmp_path / "story.wav", tmp_path / "cache"
    soundfile.write(path, sound.numpy(), 16000, subtype="FLOAT")
    features = extract(backbone, path, STREAM)
    expected, windows = read(backbone, sound)
    np.testing.assert_array_equal(features.times, windows.times)
    for layer, state in expected.items():
        np.testing.assert_allclose(features.layers[layer], state.numpy(), atol=1e-6)
    changes = [{}, {"mode": "windows"}, {"chunk": 0.2}, {"lookahead": 0.1}, {"lookahead": None}]
    counts = []
    for change in changes:
        cached(backbone, path, STREAM.model_copy(update=change), folder)
        counts.append(len(list(folder.glob("*.safetensors"))))
    assert counts == [1, 2, 3, 4, 4]
