import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CTC_MAPPING,
    BertConfig,
    BertModel,
    Wav2Vec2ForPreTraining,
    WhisperForConditionalGeneration,
)

from brainwavlm.errors import BackboneError
from brainwavlm.speech import pretrained
from brainwavlm.speech.backbones import load_backbone
from tests.models import CONV_TYPE, noise, stock_model


@pytest.fixture
def own(saved, tmp_path):
    """`own("wavlm")`: the folder of a saved model that a test may change."""
    return lambda kind="wavlm": shutil.copytree(saved(kind), tmp_path / "model")


def change_weights(folder, change):
    """`change` is given all weights; what it returns, or changed where it returns nothing, takes their place."""
    path = folder / "model.safetensors"
    state = load_file(path)
    state = change(state) or state
    save_file(state, path, metadata={"format": "pt"})
    return state


BAD = (torch.nan, torch.inf)
OLD, NEW = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)


@pytest.mark.parametrize(
    ("kind", "names"), [*((kind, OLD) for kind in CONV_TYPE), ("wavlm", NEW), ("wavlm-large", OLD)]
)
def test_the_positional_convolution_loads_under_old_and_new_names(own, kind, names):
    folder = own(kind)

    def renamed(name):
        for old, new, wanted in zip(OLD, NEW, names, strict=True):
            name = name.replace(old, wanted).replace(new, wanted)
        return name

    state = change_weights(folder, lambda state: {renamed(name): tensor for name, tensor in state.items()})
    assert all(f"encoder.pos_conv_embed.conv{name}" in state for name in names)
    loaded, expected = load_backbone(folder, 1).model.state_dict(), stock_model(kind).state_dict()
    for name in NEW:
        full = f"encoder.pos_conv_embed.conv{name}"
        assert torch.equal(loaded[full], expected[full])


def without(name):
    return lambda state: {key: tensor for key, tensor in state.items() if not key.endswith(name)}


def with_value(name, value):
    def change(state):
        state[name].view(-1)[3] = value

    return change


def with_zeros(name, *shape):
    return lambda state: state.update({name: torch.zeros(shape)})


POSITIONS = "encoder.pos_conv_embed.conv.parametrizations.weight.original0"
PROJECTION = "encoder.layers.1.attention.k_proj.weight"


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("wavlm", without(POSITIONS), f"missing: {POSITIONS}"),
        ("hubert", without(PROJECTION), f"missing: {PROJECTION}"),
        ("whisper", without("encoder.conv1.weight"), "missing: encoder.conv1.weight"),
        ("wavlm", with_zeros("encoder.s_proj.weight", 2), "unknown: encoder.s_proj.weight"),
        ("wavlm", with_zeros("encoder.layer_norm.weight", 7), "no speech model could be read"),
        *(("wavlm", with_value(PROJECTION, bad), f"infinite values: {PROJECTION}") for bad in BAD),
        ("whisper", with_value("encoder.conv1.bias", torch.nan), "values: encoder.conv1.bias"),
    ],
)
def test_weights_that_do_not_fit_or_are_no_numbers_are_named(own, kind, change, words):
    folder = own(kind)
    change_weights(folder, change)
    with pytest.raises(BackboneError, match=re.escape(words)):
        load_backbone(folder, 1)


@pytest.mark.parametrize(("key", "value"), [("conv_stride", -2), ("conv_kernel", 0)])
def test_a_convolution_that_is_none_is_refused(own, key, value):
    path = own() / "config.json"
    config = json.loads(path.read_text())
    config[key][1] = value
    path.write_text(json.dumps(config))
    with pytest.raises(BackboneError, match=rf"config\.json: {key} = \[\d+, {value}"):
        load_backbone(path.parent, 1)


@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        *((MODEL_FOR_CTC_MAPPING[CONFIG_MAPPING[kind]], kind) for kind in CONV_TYPE),
        (Wav2Vec2ForPreTraining, "wav2vec2"),
        (WhisperForConditionalGeneration, "whisper"),
    ],
)
def test_a_checkpoint_with_a_head_gives_the_same_states_without_it(saved, tmp_path, cls, kind):
    bare = stock_model(kind)
    bare.config.vocab_size = 64
    headed = cls(bare.config)
    headed.base_model.load_state_dict(bare.state_dict())
    headed.save_pretrained(tmp_path)
    expected = load_backbone(saved(kind), 3)(noise(1))[3]
    assert torch.equal(load_backbone(tmp_path, 3)(noise(1))[3], expected)
    change_weights(tmp_path, with_zeros(f"{cls.base_model_prefix}.encoder.stray.weight", 2))
    with pytest.raises(BackboneError, match=r"unknown: encoder\.stray\.weight"):
        load_backbone(tmp_path, 3)


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


def test_a_mask_embedding_is_missed_only_when_masks_are_drawn(own):
    folder = own()
    change_weights(folder, without("masked_spec_embed"))
    load_backbone(folder, 1)
    with pytest.raises(BackboneError, match="masked_spec_embed"):
        load_backbone(folder, 1, train_noise=True)


def test_loading_leaves_transformers_logging_as_it_was(saved):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_backbone(saved("wavlm"), 1)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_other_families_are_refused_by_name(tmp_path):
    sizes = dict.fromkeys(("hidden_size", "intermediate_size", "vocab_size", "num_attention_heads"), 8)
    BertModel(BertConfig(num_hidden_layers=1, **sizes)).save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="type bert") as caught:
        load_backbone(tmp_path, 1)
    assert all(name in caught.value.expected for name in ("wavlm", "hubert", "wav2vec2", "whisper"))


@pytest.mark.parametrize("content", [None, "{", json.dumps({"model_type": "no-such-type"})])
def test_folders_without_a_model_are_refused(tmp_path, content):
    if content:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(BackboneError, match="no speech model could be read"):
        load_backbone(tmp_path, 1)


@pytest.mark.parametrize(
    "name", ["{tmp}/wavlm-bsae", "~/wavlm-bsae", "models/wavlm-bsae", "wavlm-bsae", "a\\b"]
)
def test_a_missing_folder_is_refused_without_asking_the_network(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in (".", "models"):
        (tmp_path / folder / "wavlm-base").mkdir(parents=True)
    monkeypatch.setattr(pretrained.AutoConfig, "from_pretrained", lambda name: pytest.fail("asked the hub"))
    with pytest.raises(BackboneError, match="Similarly named: wavlm-tiny-demo"):
        load_backbone("wavlm-tiny-dmo", 1)
    with pytest.raises(BackboneError, match=r"no folder /.*, and no hub id") as caught:
        load_backbone(name.format(tmp=tmp_path), 1)
    assert ("Similarly named: wavlm-base" in str(caught.value)) == (name != "a\\b")


def test_a_truncated_weight_file_is_refused_and_weights_outside_the_encoder_may_be_anything(own):
    folder = own("whisper")
    change_weights(folder, with_value("decoder.layer_norm.bias", torch.nan))
    load_backbone(folder, 1)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BackboneError, match="no speech model could be read"):
        load_backbone(folder, 1)


def test_weights_that_can_hold_code_are_not_read(own):
    folder = own()
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BackboneError, match=r"no weights in safetensors format[^$]*save_pretrained"):
        load_backbone(folder, 1)


BROKEN = [
    *({"num_attention_heads": 0}, {"conv_dim": None}, {"hidden_size": "wide"}, {"hidden_act": "nothing"}),
    *({"num_hidden_layers": -1}, {"mask_time_prob": "x"}, {"model_type": ["wavlm"]}, {"conv_kernel": [1, 2]}),
    *({"num_conv_pos_embedding_groups": 0}, {"dtype": "float99"}, {"layerdrop": []}),
]


@pytest.mark.parametrize("change", BROKEN, ids=str)
def test_a_broken_configuration_is_refused(own, change):
    path = own() / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    for train_noise in (False, True):
        with pytest.raises(BackboneError):
            load_backbone(path.parent, 1, train_noise=train_noise)


@pytest.mark.parametrize("content", ["[]", "{", '{"do_normalize": "false"}', "[" * 10**5])
def test_a_broken_preprocessor_configuration_is_refused(own, content):
    folder = own()
    (folder / "preprocessor_config.json").write_text(content)
    with pytest.raises(BackboneError, match="preprocessor_config"):
        load_backbone(folder, 1)
