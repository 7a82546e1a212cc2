import copy

import peft
import pytest
import torch
from transformers import AutoModel

from brainwavlm.config import AdapterConfig
from brainwavlm.errors import BackboneError
from brainwavlm.speech.adapters import require_gradients
from brainwavlm.speech.backbones import load_backbone
from tests.models import FAMILIES, noise, stock_model

FLAVOURS = {
    "lora": AdapterConfig(rank=4),
    "rslora": AdapterConfig(rank=4, alpha=8, rslora=True),
    "dora": AdapterConfig(rank=4, dora=True),
    "all-projections": AdapterConfig(rank=2, projections=("q", "k", "v", "out")),
}


def trained_backward(backbone, layer=3):
    backbone.train()
    backbone(noise(2))[layer].square().mean().backward()


def shake(backbone, seed=0):
    """Move every trained parameter, so that adapters act."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for _, parameter in backbone.adapter_parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))


def test_adapters_on_stock_wavlm_would_receive_none():
    """The trap itself. Once this fails, transformers has mended it, and the probe leaves its attention alone."""
    model = stock_model("wavlm")
    before = model(noise(2))[0].detach()
    peft.inject_adapter_in_model(peft.LoraConfig(r=4, target_modules=["q_proj", "k_proj", "v_proj"]), model)
    readout = torch.nn.Linear(32, 1)
    adapters = [(name, p) for name, p in model.eval().named_parameters() if "lora_" in name]
    for _, parameter in adapters:
        torch.nn.init.normal_(parameter)
    states = model(noise(2))[0]
    readout(states).square().mean().backward()
    torch.testing.assert_close(states, before, atol=1e-5, rtol=0)
    assert len(adapters) == 24
    assert all(p.grad is None for _, p in adapters)
    with pytest.raises(BackboneError, match="24 trained parameters get no gradient"):
        require_gradients(adapters)


EACH = [(kind, "lora") for kind in FAMILIES] + [
    ("wavlm", flavour) for flavour in FLAVOURS if flavour != "lora"
]


@pytest.mark.parametrize(("kind", "flavour"), [*EACH, ("whisper", "dora"), ("whisper", "all-projections")])
def test_every_family_and_every_flavour_begins_as_the_untuned_model_and_learns(saved, kind, flavour):
    torch.manual_seed(0)
    backbone = load_backbone(saved(kind), 3, FLAVOURS[flavour])
    trained_backward(backbone)
    require_gradients(backbone.reachable_parameters())
    assert dict(backbone.reachable_parameters()).keys() == dict(backbone.adapter_parameters()).keys()
    per_projection = 3 if flavour == "dora" else 2  # A, B and DoRA's magnitude
    n_parameters = 3 * len(FLAVOURS[flavour].projections) * per_projection
    assert len(dict(backbone.adapter_parameters())) == n_parameters
    before = backbone.eval()(noise(2))[3]
    torch.testing.assert_close(before, load_backbone(saved(kind), 3)(noise(2))[3], atol=1e-6, rtol=0)
    shake(backbone)
    assert (backbone(noise(2))[3] - before).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        (AdapterConfig(rank=8), 1.0),
        (AdapterConfig(rank=8, alpha=4), 0.5),
        (AdapterConfig(rank=16, alpha=4, rslora=True), 1.0),
    ],
)
def test_alpha_is_the_rank_unless_set(saved, config, scale):
    layer = load_backbone(saved("wavlm"), 1, config).model.encoder.layers[0].attention.q_proj
    assert layer.scaling["default"] == scale


def carriers(backbone):
    return sorted(
        {
            (int(name.split("layers.")[1].split(".")[0]) + 1, name.split("_proj")[0].rpartition(".")[2])
            for name, _ in backbone.adapter_parameters()
        }
    )


@pytest.mark.parametrize("kind", ["wavlm", "whisper"])
def test_adapters_sit_on_the_projections_and_blocks_named_and_run(saved, kind):
    load = load_backbone
    assert carriers(load(saved(kind), 3, AdapterConfig())) == [(n, p) for n in (1, 2, 3) for p in "kqv"]
    chosen = AdapterConfig(layers=(2, 4), projections=("out",))
    assert carriers(load(saved(kind), 3, chosen)) == [(2, "out"), (3, "out")]
    assert carriers(load(saved(kind), [1, 2], AdapterConfig(projections=("q",)))) == [(1, "q"), (2, "q")]
    unused = load(saved(kind), 1, AdapterConfig(projections=("q",)), run_unused_blocks=True)
    assert carriers(unused) == [(n, "q") for n in (1, 2, 3, 4)]
    if kind == "wavlm":
        twelve = load(saved("wavlm-base-shape"), 12, AdapterConfig(layers=(1, 2), projections=("q",)))
        assert carriers(twelve) == [(1, "q"), (2, "q")]  # 10 to 12 are not mistaken for 1


@pytest.mark.parametrize(("layer", "layers"), [(3, (4, 4)), (3, (3, 2)), (3, (1, 5)), (0, None)])
def test_ranges_without_a_block_that_runs_are_refused(saved, layer, layers):
    with pytest.raises(BackboneError, match="the model has 4"):
        load_backbone(saved("wavlm"), layer, AdapterConfig(layers=layers))


def test_adapters_above_the_layer_read_learn_nothing_and_are_not_guarded(saved):
    backbone = load_backbone(saved("wavlm"), 2, AdapterConfig(), run_unused_blocks=True)
    trained_backward(backbone, 2)
    silent = [name for name, p in backbone.adapter_parameters() if p.grad is None]
    assert {name.split("layers.")[1][0] for name in silent} == {"2", "3"}
    require_gradients(backbone.reachable_parameters())


def test_blocks_that_layerdrop_skipped_are_not_guarded(saved, tmp_path):
    model = stock_model("wav2vec2")
    model.config.layerdrop = 0.5
    model.save_pretrained(tmp_path)
    torch.manual_seed(0)
    backbone = load_backbone(tmp_path, 4, AdapterConfig(), train_noise=True)
    with torch.no_grad():
        backbone(noise(1))  # a validation before the first step says nothing of gradients
    guarded = []
    for _ in range(12):
        state = backbone.train()(noise(2))[4]
        if state.requires_grad:
            state.square().mean().backward()
        require_gradients(backbone.reachable_parameters())
        guarded.append(len(dict(backbone.reachable_parameters())))
    assert guarded[0] < 24
    assert guarded[-1] == 24


@pytest.mark.parametrize("kind", FAMILIES)
def test_full_trains_the_blocks_that_run_and_nothing_before(saved, kind):
    backbone = load_backbone(saved(kind), 2, AdapterConfig(method="full"))
    trained_backward(backbone, 2)
    require_gradients(backbone.reachable_parameters())
    names = {name for name, _ in backbone.adapter_parameters()}
    prefix = backbone.family.blocks
    assert names == {
        n for n, _ in backbone.model.named_parameters() if n.startswith((f"{prefix}.0.", f"{prefix}.1."))
    }
    still = [name for name, p in backbone.model.named_parameters() if name not in names]
    assert any("conv" in name for name in still)
    assert all(backbone.model.get_parameter(name).grad is None for name in still)


def test_frozen_trains_nothing(saved):
    for adapter in (None, AdapterConfig(method="frozen")):
        backbone = load_backbone(saved("wavlm"), 3, adapter)
        assert list(backbone.adapter_parameters()) == []
        assert not backbone(noise(1))[3].requires_grad
        assert backbone.trained_state() == {}


@pytest.mark.parametrize("adapter", [AdapterConfig(dora=True), AdapterConfig(method="full")])
def test_what_was_trained_is_carried_to_another_backbone(saved, adapter):
    one, other = (load_backbone(saved("wavlm"), 3, adapter) for _ in range(2))
    shake(one)
    assert not torch.equal(one(noise(2))[3], other(noise(2))[3])
    other.load_trained_state(one.trained_state())
    assert torch.equal(one(noise(2))[3], other(noise(2))[3])
    assert one.weights_checksum() == other.weights_checksum()
    state = one.trained_state()
    before = next(iter(state.values())).clone()
    shake(one, seed=1)
    assert torch.equal(next(iter(state.values())), before)  # a copy


def test_states_that_do_not_fit_are_refused_both_ways(saved):
    backbone = load_backbone(saved("wavlm"), 2, AdapterConfig(rank=2))
    state = backbone.trained_state()
    name = next(iter(state))
    less, more, wider = dict(state), dict(state), dict(state)
    del less[name]
    more["encoder.layers.9.unheard"] = torch.zeros(1)
    wider[name] = torch.zeros(3, 3)
    for wrong in (less, more, wider):
        with pytest.raises(BackboneError, match="1 trained weights disagree"):
            backbone.load_trained_state(wrong)
    backbone.load_trained_state(state)


@pytest.mark.parametrize(
    ("kind", "adapter"),
    [
        *((kind, FLAVOURS["all-projections"]) for kind in FAMILIES),
        *(
            ("wavlm", config)
            for config in (FLAVOURS["rslora"], FLAVOURS["dora"], AdapterConfig(method="full"))
        ),
    ],
)
def test_merged_weights_in_the_stock_model_say_the_same(saved, tmp_path, kind, adapter):
    torch.manual_seed(0)
    backbone = load_backbone(saved(kind), "all", adapter)
    shake(backbone)
    before = copy.deepcopy(backbone.trained_state())
    merged, untuned = backbone.merged(), stock_model(kind)
    assert type(merged) is type(untuned)
    assert merged.state_dict().keys() == untuned.state_dict().keys()
    assert all(torch.equal(before[name], tensor) for name, tensor in backbone.trained_state().items())
    merged.save_pretrained(tmp_path)
    with torch.no_grad():
        expected = backbone(noise(2))
        found = load_backbone(tmp_path, "all")(noise(2))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        if kind != "whisper":
            stock = AutoModel.from_pretrained(tmp_path).eval()(noise(2)).last_hidden_state
            torch.testing.assert_close(stock, expected[backbone.n_blocks], atol=1e-4, rtol=1e-4)
    assert getattr(merged.config, "mask_time_prob", None) == getattr(untuned.config, "mask_time_prob", None)


@pytest.mark.parametrize(("family", "after"), [*((kind, "lora") for kind in FAMILIES), ("wavlm", "full")])
def test_blocks_that_begin_anew_forget_what_was_learned_and_can_learn(saved, family, after):
    folder = saved(family)
    config = AdapterConfig(method="reinit", after_reinit=after, rank=2, dropout=0.0, layers=(2, 3))
    plain, anew = load_backbone(folder, [1, 3]), load_backbone(folder, [1, 3], adapter=config)
    windows = noise(2)
    before, after_reinit = plain(windows), anew(windows)
    torch.testing.assert_close(after_reinit[1], before[1])  # block 1 is out of the range
    assert (after_reinit[3] - before[3]).abs().max() > 1e-2
    trained_backward(anew)
    trained = dict(anew.adapter_parameters())
    assert trained
    assert [name for name, p in trained.items() if p.grad is None] == []
    assert {name.split("layers.")[1][0] for name in trained} == {"1", "2"}
    assert any("lora_" in name for name in trained) == (after == "lora")


def test_the_same_seed_begins_with_the_same_weights_whatever_was_drawn_before(tiny_wavlm):
    windows = noise(1)

    def state(seed, torch_seed):
        torch.manual_seed(torch_seed)
        return load_backbone(tiny_wavlm, 3, AdapterConfig(method="reinit", reinit_seed=seed))(windows)[3]

    torch.testing.assert_close(state(0, 1), state(0, 2))
    assert (state(0, 1) - state(1, 1)).abs().max() > 1e-3
