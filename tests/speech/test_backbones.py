import copy

import numpy as np
import pytest
import torch
from transformers import WhisperModel

from brainwavlm.config import AdapterConfig
from brainwavlm.errors import BackboneError
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.stimulus.log_mel import log_mel
from tests.models import FAMILIES, MODELS, noise, stock_model

WAV2VEC_TYPE = [kind for kind in MODELS if kind != "whisper"]


def stock_states(model, windows):
    outputs = model(windows, output_hidden_states=True)
    # transformers 5 leaves the final norm of layer-norm models out of hidden_states[-1]; version 4 had it there.
    return (*outputs.hidden_states[:-1], outputs.last_hidden_state)


def cut_to(model: WhisperModel, n_frames: int) -> WhisperModel:
    """The same weights in a stock model that has positions for `n_frames` only."""
    config = copy.deepcopy(model.config)
    config.max_source_positions = n_frames
    short = WhisperModel(config).eval()
    state = model.state_dict()
    state["encoder.embed_positions.weight"] = state["encoder.embed_positions.weight"][:n_frames]
    short.load_state_dict(state)
    return short


@pytest.mark.parametrize("kind", WAV2VEC_TYPE)
def test_hidden_states_equal_those_of_transformers_in_every_layer(saved, kind):
    windows = noise(2)
    backbone = load_backbone(saved(kind), "all")
    with torch.no_grad():
        expected, found = stock_states(stock_model(kind), windows), backbone(windows)
    torch.testing.assert_close(found, dict(enumerate(expected)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("seconds", [1.0, 0.34, 0.025])
def test_whisper_states_equal_those_of_an_encoder_cut_to_the_window(saved, seconds):
    windows = noise(2, seconds)
    backbone = load_backbone(saved("whisper"), "all")
    found = backbone(windows)
    n_frames = backbone.n_frames(windows.shape[1])
    with torch.no_grad():
        encoder = cut_to(stock_model("whisper"), n_frames).encoder
        expected = encoder(log_mel(windows, 80), output_hidden_states=True).hidden_states
    for layer, state in found.items():
        assert state.shape == (2, n_frames, 32)
        torch.testing.assert_close(state, expected[layer], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("kind", "unused"), [*((kind, False) for kind in FAMILIES), ("wavlm", True)])
def test_nothing_deeper_than_the_layer_asked_for_is_computed_unless_asked(saved, kind, unused):
    windows = noise(2)
    everything = load_backbone(saved(kind), "all")(windows)
    backbone = load_backbone(saved(kind), [3, 1], run_unused_blocks=unused)
    blocks = backbone.model.get_submodule(backbone.family.blocks)
    ran = []
    for number, block in enumerate(blocks, start=1):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    found = backbone(windows)
    assert ran == ([1, 2, 3, 4] if unused else [1, 2, 3])
    assert list(found) == [3, 1]
    for layer, state in found.items():
        assert torch.equal(state, everything[layer])


@pytest.mark.parametrize(
    ("kind", "method", "layers", "n_fixed"),
    [*((kind, "lora", [4], 2) for kind in FAMILIES), ("wavlm", "full", [1, 4], 1)],
)
def test_blocks_below_the_first_trained_one_belong_to_the_frontend(saved, kind, method, layers, n_fixed):
    adapter = AdapterConfig(method=method, layers=(3, 4), dropout=0.0)
    fixed, whole = (load_backbone(saved(kind), layers, adapter) for _ in range(2))
    whole.n_fixed = 0
    assert fixed.n_fixed == n_fixed
    whole.load_trained_state(fixed.trained_state())
    for backbone in (fixed, whole):
        backbone.train().trunk(backbone.frontend(noise(2)))[4].square().sum().backward()
    for layer, state in whole(noise(2)).items():
        torch.testing.assert_close(fixed(noise(2))[layer], state)
    for (name, one), (_, other) in zip(fixed.adapter_parameters(), whole.adapter_parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)
    assert fixed.frontend_checksum != whole.frontend_checksum


@pytest.mark.parametrize("kind", ["wavlm", "whisper"])
def test_frames_are_counted_as_the_model_makes_them(saved, kind):
    backbone = load_backbone(saved(kind), 1)
    for n_samples in (400, 559, 560, 719, 720, 5333, 16000):
        frames = backbone.frontend(noise(1, seconds=1.0)[:, :n_samples])
        assert frames.shape[1] == backbone.n_frames(n_samples)


@pytest.mark.parametrize(
    ("kind", "method"), [("wavlm", "lora"), ("wav2vec2-large", "full"), ("whisper", "full")]
)
def test_recomputed_activations_give_the_same_gradients(saved, kind, method):
    gradients, kept = [], []
    for recompute in (False, True):
        torch.manual_seed(0)
        backbone = load_backbone(saved(kind), [1, 3], AdapterConfig(method=method)).train()
        backbone.recompute = recompute
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, s=sizes: s.append(t.numel()) or t, lambda t: t
        ):
            states = backbone(noise(2))
        (
            states[1].square().mean() + states[3].square().mean()
        ).backward()  # dropout draws the same numbers again
        gradients.append({name: p.grad for name, p in backbone.adapter_parameters()})
        kept.append(sum(sizes))
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-6, rtol=1e-5)
    assert kept[1] < kept[0] / 2


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_shortest_window_gives_one_frame_and_shorter_and_too_long_ones_an_error(saved, kind):
    backbone = load_backbone(saved(kind), 1)
    assert backbone.min_samples == 400
    assert backbone(noise(1)[:, :400])[1].shape == (1, 1, 32)
    with pytest.raises(BackboneError, match="399 samples"):
        backbone(noise(1)[:, :399])
    if kind == "whisper":
        with pytest.raises(BackboneError, match="at most 50 frames"):
            backbone(noise(1, seconds=1.1))


@pytest.mark.parametrize("stated", [True, False, None])
def test_sound_is_normalised_per_window_where_the_checkpoint_says_so(saved, tmp_path, stated):
    stock_model("wav2vec2").save_pretrained(tmp_path)
    if stated is not None:
        (tmp_path / "preprocessor_config.json").write_text(f'{{"do_normalize": {str(stated).lower()}}}')
    backbone = load_backbone(tmp_path, 2)
    assert backbone.normalise_sound is bool(stated)
    louder = 0.1 + 7.0 * noise(2)
    scaled = (louder - louder.mean(1, keepdim=True)) / louder.std(1, keepdim=True)
    expected = load_backbone(saved("wav2vec2"), 2)(scaled if stated else louder)[2]
    torch.testing.assert_close(backbone(louder)[2], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", FAMILIES)
def test_training_mode_changes_nothing_by_default(saved, kind):
    backbone = load_backbone(saved(kind), "all", AdapterConfig(method="full"))
    assert backbone.noise == {}
    still = backbone(noise(2))
    backbone.train()
    for layer, state in backbone(noise(2)).items():
        assert torch.equal(state, still[layer])


@pytest.mark.parametrize("kind", FAMILIES)
def test_training_noise_follows_the_models_configuration_when_asked(saved, tmp_path, kind):
    model = stock_model(kind)
    layerdrop = "encoder_layerdrop" if kind == "whisper" else "layerdrop"
    setattr(model.config, layerdrop, 0.5)
    model.config.feat_proj_dropout = 0.3  # Whisper takes no notice
    model.save_pretrained(tmp_path)
    backbone = load_backbone(tmp_path, "all", AdapterConfig(method="full"), train_noise=True)
    assert backbone.noise[layerdrop] == 0.5
    for name in ("mask_time_prob", "feat_proj_dropout"):
        assert (name in backbone.noise) == (kind != "whisper")
    still = backbone(noise(2))
    torch.testing.assert_close(still[4], load_backbone(tmp_path, 4)(noise(2))[4])
    backbone.train()
    frames = backbone.frontend(noise(2))
    assert torch.equal(frames, backbone.eval().frontend(noise(2)))
    backbone.train()
    kept = frames.clone()
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - transformers draws its masks from the global generator
    dropped = 0
    for _ in range(12):
        states = backbone.trunk(frames)
        dropped += sum(torch.equal(states[k], states[k + 1]) for k in range(3))
        assert not torch.equal(states[4], still[4])
    assert torch.equal(frames, kept)  # masks never reach into a cached frontend
    assert dropped > 3
    backbone.eval()
    assert torch.equal(backbone(noise(2))[4], still[4])


def test_spec_augment_off_in_the_configuration_is_off_and_windows_too_short_for_it_pass(saved, tmp_path):
    model = stock_model("wav2vec2")
    model.config.apply_spec_augment = False
    model.save_pretrained(tmp_path)
    assert "mask_time_prob" not in load_backbone(tmp_path, 1, train_noise=True).noise
    backbone = load_backbone(saved("wavlm"), 2, train_noise=True).train()
    assert backbone(noise(2)[:, :400])[2].shape == (2, 1, 32)


def test_the_checksum_follows_the_weights_and_what_is_trained(saved, tmp_path):
    frozen = load_backbone(saved("wavlm"), 2)
    assert frozen.weights_checksum() == load_backbone(saved("wavlm"), 3).weights_checksum()
    model = stock_model("wavlm")
    with torch.no_grad():
        model.encoder.layers[0].attention.q_proj.bias[0] += 1e-4
    model.save_pretrained(tmp_path)
    assert frozen.weights_checksum() != load_backbone(tmp_path, 2).weights_checksum()
    tuned = load_backbone(saved("wavlm"), 2, AdapterConfig(rank=2))
    before = tuned.weights_checksum()
    next(p for name, p in tuned.adapter_parameters() if "lora_B" in name).data[0, 0] += 1e-4
    assert tuned.weights_checksum() != before


@pytest.mark.parametrize("layer", [True, 2.0, "2", None, [], [1, 2.5], [1, 5], -1])
def test_a_layer_that_is_no_whole_number_is_refused_and_one_of_numpy_is_one(tiny_wavlm, layer):
    assert load_backbone(tiny_wavlm, np.int64(2)).layers == (2,)
    with pytest.raises(BackboneError, match=r"backbone\.layer"):
        load_backbone(tiny_wavlm, layer)


@pytest.mark.parametrize(
    ("kind", "precision"),
    [
        ("wavlm", "float32"),
        ("whisper", "bf16"),
        *(
            pytest.param(kind, "bf16", marks=pytest.mark.slow)
            for kind in ("wavlm", "wavlm-large", "hubert", "wav2vec2")
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_a_block_is_one_graph_for_the_compiler_of_a_card(kind, precision, saved, monkeypatch):
    """With what is left to a card, where the products of the CPU are not used; adapters drop, and get gradients."""
    for module in ("wavlm", "cpu.linear"):
        monkeypatch.setattr(f"brainwavlm.speech.{module}.plain_cpu", lambda *_: False)
    torch.compiler.reset()
    adapter = AdapterConfig(rank=2, dropout=0.5)
    backbone = load_backbone(saved(kind), 3, adapter=adapter)
    backbone.precision = precision
    windows = torch.randn(2, 6400)
    whole = torch.compile(backbone.family.run_block, fullgraph=True, backend="eager")
    expected = backbone(windows)[3]
    monkeypatch.setattr(backbone, "_run", lambda block, *inputs: whole(block, *inputs))
    torch.testing.assert_close(backbone(windows)[3], expected)
    backbone.train()
    backbone(windows)[3].sum().backward()
    assert all(p.grad is not None for _, p in backbone.reachable_parameters())
