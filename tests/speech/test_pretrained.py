import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertModel,
    HubertForCTC,
    Wav2Vec2ForPreTraining,
    WavLMForCTC,
    WhisperForConditionalGeneration,
)

from brainwavlm.errors import BackboneError
from brainwavlm.speech.backbones import load_backbone
from tests.models import MODELS, noise, stock_model


def rename(folder, change):
    path = folder / "model.safetensors"
    state = {}
    for name, tensor in load_file(path).items():
        changed = change(name)
        if changed:
            state[changed] = tensor
    save_file(state, path, metadata={"format": "pt"})
    return state


OLD, NEW = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)


@pytest.mark.parametrize("kind", ["wavlm", "wavlm-large", "hubert", "wav2vec2"])
@pytest.mark.parametrize("names", [OLD, NEW], ids=["weight_g", "parametrizations"])
def test_the_positional_convolution_loads_under_old_and_new_names(tmp_path, kind, names):
    model = stock_model(kind)
    model.save_pretrained(tmp_path)

    def change(name):
        for old, new, wanted in zip(OLD, NEW, names, strict=True):
            name = name.replace(old, wanted).replace(new, wanted)
        return name

    state = rename(tmp_path, change)
    assert all(f"encoder.pos_conv_embed.conv{name}" in state for name in names)
    loaded = load_backbone(tmp_path, 1).model.state_dict()
    for name in NEW:
        full = f"encoder.pos_conv_embed.conv{name}"
        assert torch.equal(loaded[full], model.state_dict()[full])


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        ("wavlm", "encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
        ("hubert", "encoder.layers.2.attention.q_proj.weight"),
        ("wav2vec2", "feature_projection.projection.bias"),
        ("whisper", "encoder.conv1.weight"),
    ],
)
def test_a_weight_that_is_missing_is_named(tmp_path, kind, lost):
    stock_model(kind).save_pretrained(tmp_path)
    rename(tmp_path, lambda name: None if name.endswith(lost) else name)
    with pytest.raises(BackboneError, match="missing: " + lost.replace(".", r"\.")):
        load_backbone(tmp_path, 1)


def test_a_weight_that_nobody_knows_is_named(tmp_path):
    stock_model("wavlm").save_pretrained(tmp_path)
    rename(tmp_path, lambda name: name)
    state = load_file(tmp_path / "model.safetensors")
    state["encoder.layers.0.attention.s_proj.weight"] = torch.zeros(2)
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError, match=r"unknown: encoder\.layers\.0\.attention\.s_proj\.weight"):
        load_backbone(tmp_path, 1)


@pytest.mark.parametrize(("key", "value"), [("conv_stride", 0), ("conv_stride", -2), ("conv_kernel", 0)])
def test_a_convolution_that_is_none_is_refused(tmp_path, key, value):
    stock_model("wavlm").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config[key][1] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match=rf"config\.json: {key} = \[\d+, {value}"):
        load_backbone(tmp_path, 1)


def test_a_weight_of_another_shape_is_refused(tmp_path):
    stock_model("wavlm").save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    state["encoder.layer_norm.weight"] = torch.zeros(7)
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError):
        load_backbone(tmp_path, 1)


@pytest.mark.parametrize(
    ("cls", "kind", "name"),
    [
        (WavLMForCTC, "wavlm", "wavlm"),
        (HubertForCTC, "hubert", "hubert"),
        (Wav2Vec2ForPreTraining, "wav2vec2", "wav2vec2"),
        (WhisperForConditionalGeneration, "whisper", "model"),
    ],
)
def test_a_checkpoint_with_a_head_gives_the_same_states_without_it(saved, tmp_path, cls, kind, name):
    bare = stock_model(kind)
    bare.config.vocab_size = 64
    headed = cls(bare.config)
    getattr(headed, name).load_state_dict(bare.state_dict())
    headed.save_pretrained(tmp_path)
    expected = load_backbone(saved(kind), 3)(noise(1))[3]
    assert torch.equal(load_backbone(tmp_path, 3)(noise(1))[3], expected)


def test_half_precision_checkpoints_are_computed_in_float32(tmp_path):
    model = stock_model("wavlm")
    model.half().save_pretrained(tmp_path)
    assert load_file(tmp_path / "model.safetensors")["encoder.layer_norm.weight"].dtype == torch.float16
    backbone = load_backbone(tmp_path, 2)
    assert {p.dtype for p in backbone.parameters()} == {torch.float32}
    torch.testing.assert_close(
        backbone.model.encoder.layers[1].attention.k_proj.weight,
        model.encoder.layers[1].attention.k_proj.weight.float(),
    )


def test_a_mask_embedding_is_missed_only_when_masks_are_drawn(tmp_path):
    stock_model("wavlm").save_pretrained(tmp_path)
    rename(tmp_path, lambda name: None if name == "masked_spec_embed" else name)
    load_backbone(tmp_path, 1)
    with pytest.raises(BackboneError, match="masked_spec_embed"):
        load_backbone(tmp_path, 1, train_noise=True)


def test_loading_leaves_transformers_logging_as_it_was(saved):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_backbone(saved("wavlm"), 1)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_other_families_are_refused_by_name(tmp_path):
    BertModel(
        BertConfig(
            hidden_size=8, num_attention_heads=2, num_hidden_layers=1, intermediate_size=8, vocab_size=8
        )
    ).save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="type bert") as caught:
        load_backbone(tmp_path, 1)
    assert all(name in caught.value.expected for name in ("wavlm", "hubert", "wav2vec2", "whisper"))


@pytest.mark.parametrize("content", [None, "{", json.dumps({"model_type": "no-such-type"})])
def test_folders_without_a_model_are_refused(tmp_path, content):
    if content:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(BackboneError, match="no speech model could be read"):
        load_backbone(tmp_path, 1)


def test_a_missing_folder_is_refused_without_asking_the_network(tmp_path):
    for name in (tmp_path / "none", "./none", "models/of/mine"):
        with pytest.raises(BackboneError, match="no such folder, and no hub id"):
            load_backbone(name, 1)


def test_a_truncated_weight_file_is_refused(tmp_path):
    stock_model("wavlm").save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BackboneError, match="no speech model could be read"):
        load_backbone(tmp_path, 1)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("wavlm", "encoder.layers.1.attention.k_proj.weight"), ("whisper", "encoder.conv1.bias")],
)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_weight_that_is_no_number_is_named(tmp_path, kind, name, bad):
    model = stock_model(kind)
    model.state_dict()[name].view(-1)[3] = bad
    model.save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="NaN or infinite values: " + name.replace(".", r"\.")):
        load_backbone(tmp_path, 1)


def test_weights_outside_the_encoder_may_be_anything(tmp_path):
    model = stock_model("whisper")
    model.state_dict()["decoder.layer_norm.bias"][0] = torch.nan
    model.save_pretrained(tmp_path)
    load_backbone(tmp_path, 1)


def test_weights_that_can_hold_code_are_not_read(tmp_path):
    model = stock_model("wavlm")
    model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(BackboneError, match=r"no weights in safetensors format[^$]*save_pretrained"):
        load_backbone(tmp_path, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"num_attention_heads": 0},
        {"num_attention_heads": "four"},
        {"conv_dim": None},
        {"conv_dim": 16},
        {"conv_kernel": [1, 2]},
        {"hidden_size": None},
        {"hidden_size": "wide"},
        {"hidden_act": "nothing"},
        {"hidden_act": 3},
        {"num_hidden_layers": "x"},
        {"num_hidden_layers": -1},
        {"hidden_dropout": "x"},
        {"mask_time_prob": "x"},
        {"num_conv_pos_embedding_groups": 0},
        {"dtype": "float99"},
        {"layerdrop": []},
        {"model_type": ["wavlm"]},
        {"model_type": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("train_noise", [False, True])
def test_a_broken_configuration_is_refused(tmp_path, change, train_noise):
    stock_model("wavlm").save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BackboneError):
        load_backbone(tmp_path, 1, train_noise=train_noise)


@pytest.mark.parametrize(
    "content", ["[]", '"yes"', "{", "true", '{"do_normalize": "false"}', '{"do_normalize": 1}', "[" * 10**5]
)
def test_a_broken_preprocessor_configuration_is_refused(tmp_path, content):
    stock_model("wavlm").save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(BackboneError, match="preprocessor_config"):
        load_backbone(tmp_path, 1)


def test_every_kind_of_model_in_the_tests_is_in_the_table():
    assert {kind.partition("-")[0] for kind in MODELS} == {"wavlm", "hubert", "wav2vec2", "whisper"}
