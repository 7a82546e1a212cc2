from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from brainwavlm.config import AdapterConfig, WindowConfig
from brainwavlm.speech import features as features_module
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.features import cached, extract, sound_reader
from brainwavlm.stimulus.windows import cut_windows
from tests.models import FAMILIES, noise
from tests.speech.test_feature_files import assert_same

WINDOWS = WindowConfig(context=0.5, stride=0.1, frame="last")


@pytest.fixture
def sound_path(tmp_path):
    soundfile.write(tmp_path / "story.wav", noise(1, seconds=1.5)[0].numpy(), 16000)
    return tmp_path / "story.wav"


def one_by_one(backbone, sound, windows, frame):
    """What a window reader does: each window by itself, then one frame of it."""
    pick = {"last": lambda h: h[-1], "first": lambda h: h[0], "mean": lambda h: h.mean(0)}[frame]
    rows = [backbone(sound[None, start:end]) for start, end in zip(windows.starts, windows.ends, strict=True)]
    return {layer: torch.stack([pick(row[layer][0]) for row in rows]) for layer in backbone.layers}


@pytest.mark.parametrize(
    ("kind", "frame"), [("wavlm", "last"), ("hubert-large", "first"), ("whisper", "mean")]
)
def test_batches_say_what_each_window_says_alone(saved, kind, frame):
    backbone, sound = load_backbone(saved(kind), "all"), noise(1, seconds=1.5)[0]
    windows = cut_windows(len(sound), WINDOWS)
    assert len(set(windows.lengths)) == 5
    expected = one_by_one(backbone, sound, windows, frame)
    for batch in (4, 64):
        backbone.batch_windows = batch
        reader = sound_reader(backbone, windows, WINDOWS.model_copy(update={"frame": frame}), sound)
        for layer, state in reader.read(range(len(windows))).items():
            torch.testing.assert_close(state, expected[layer], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "mode"), [("wavlm", "windows"), ("whisper", "windows"), ("hubert-large", "stream")]
)
def test_bf16_is_of_the_products_alone_and_goes_to_other_files(saved, tmp_path, sound_path, kind, mode):
    exact, rounded = (load_backbone(saved(kind), "all") for _ in range(2))
    windows = WINDOWS.model_copy(update={"mode": mode})
    rounded.precision = "bf16"
    one, other = (cached(model, sound_path, windows, tmp_path / "kept") for model in (exact, rounded))
    assert len(list((tmp_path / "kept").iterdir())) == 2
    for layer, values in one.layers.items():
        difference = np.sqrt(np.mean((other.layers[layer] - values) ** 2)) / values.std()
        assert other.layers[layer].dtype == np.float32
        assert 1e-5 < difference < 0.045
    again = cached(rounded, sound_path, windows, tmp_path / "kept")
    np.testing.assert_array_equal(again.layers[1], other.layers[1])


def test_rows_come_in_the_order_asked_for(saved):
    backbone, sound = load_backbone(saved("wavlm"), [1, 3]), noise(1, seconds=1.5)[0]
    windows = cut_windows(len(sound), WINDOWS)
    reader = sound_reader(backbone, windows, WINDOWS, sound)
    everything = reader.read(range(15))
    indices = [7, 0, 12, 0, 3]
    backbone.batch_windows = 2
    for layer, state in reader.read(indices).items():
        torch.testing.assert_close(state, everything[layer][indices], atol=1e-5, rtol=1e-5)
    for state in reader.read([]).values():
        assert state.shape == (0, 32)


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_kept_frontend_gives_the_same_features_and_gradients(saved, kind):
    sound = noise(1, seconds=1.5)[0]
    windows = cut_windows(len(sound), WINDOWS)
    indices, results = np.array([3, 11, 0, 14]), []
    for keep in (False, True):
        torch.manual_seed(0)
        backbone = load_backbone(saved(kind), 2, AdapterConfig(rank=2))
        reader = sound_reader(backbone, windows, WindowConfig(frame="mean"), sound)
        kept = reader.kept_frontend() if keep else None
        states = replace(reader, frontend=kept).read(indices)[2]
        states.square().mean().backward()
        results.append((states.detach(), {name: p.grad for name, p in backbone.adapter_parameters()}))
    torch.testing.assert_close(results[0], results[1], atol=1e-5, rtol=1e-4)
    assert not any(frames.requires_grad for frames in kept)
    assert sum(frames.numel() * 4 for frames in kept) == reader.kept_bytes()


def test_a_story_is_stamped_with_window_ends_and_read_in_eval_mode(saved, sound_path):
    torch.manual_seed(0)
    backbone = load_backbone(saved("wavlm"), [0, 2], AdapterConfig(dropout=0.5))
    torch.nn.init.normal_(next(p for name, p in backbone.adapter_parameters() if "lora_B" in name))
    backbone.train()
    features = extract(backbone, sound_path, WINDOWS)
    assert backbone.training
    np.testing.assert_allclose(features.times, np.arange(1, 16) * 0.1)
    assert {layer: (a.shape, a.dtype) for layer, a in features.layers.items()} == {
        0: ((15, 32), np.float32),
        2: ((15, 32), np.float32),
    }
    again = extract(backbone, sound_path, WINDOWS)
    np.testing.assert_array_equal(features.layers[2], again.layers[2])


def test_features_of_a_sound_are_computed_once_whatever_its_name(saved, sound_path, tmp_path, monkeypatch):
    backbone = load_backbone(saved("wavlm"), "all")
    first = cached(backbone, sound_path, WINDOWS, tmp_path / "cache")
    assert_same(first, extract(backbone, sound_path, WINDOWS))
    monkeypatch.setattr(features_module, "extract", lambda *_: pytest.fail("computed, not read"))
    renamed = sound_path.rename(tmp_path / "renamed.wav")
    assert_same(first, cached(load_backbone(saved("wavlm"), "all"), renamed, WINDOWS, tmp_path / "cache"))


def test_one_layer_is_read_from_a_file_of_all(saved, sound_path, tmp_path, monkeypatch):
    every = cached(load_backbone(saved("wavlm"), "all"), sound_path, WINDOWS, tmp_path / "cache")
    monkeypatch.setattr(features_module, "extract", lambda *_: pytest.fail("computed, not read"))
    one = cached(load_backbone(saved("wavlm"), 2), sound_path, WINDOWS, tmp_path / "cache")
    assert one.layers.keys() == {2}
    np.testing.assert_array_equal(one.layers[2], every.layers[2])


def test_whatever_changes_the_features_changes_the_file(saved, sound_path, tmp_path):
    torch.manual_seed(0)
    folder, other_sound = tmp_path / "cache", tmp_path / "other.wav"
    soundfile.write(other_sound, noise(1, seconds=1.5, seed=1)[0].numpy(), 16000)
    normalising = tmp_path / "normalising"
    load_backbone(saved("wavlm"), 2).merged().save_pretrained(normalising)
    (normalising / "preprocessor_config.json").write_text('{"do_normalize": true}')
    adapted = load_backbone(saved("wavlm"), 2, AdapterConfig())

    def count(backbone, path=sound_path, windows=WINDOWS):
        cached(backbone, path, windows, folder)
        return len(list(folder.glob("*.safetensors")))

    plain = load_backbone(saved("wavlm"), 2)
    assert count(plain) == 1
    assert count(plain) == 1
    assert count(plain, other_sound) == 2
    assert count(plain, windows=WINDOWS.model_copy(update={"frame": "mean"})) == 3
    assert count(plain, windows=WINDOWS.model_copy(update={"context": 0.4})) == 4
    assert count(load_backbone(saved("wavlm"), [2, 1])) == 5
    assert count(load_backbone(saved("hubert"), 2)) == 6
    assert count(load_backbone(normalising, 2)) == 7
    assert count(adapted) == 8
    with torch.no_grad():
        next(iter(adapted.adapter_parameters()))[1].add_(1.0)
    assert count(adapted) == 9
