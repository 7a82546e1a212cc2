import copy

import peft
import pytest
import torch
from torch import nn

from brainwavlm.config import AdapterConfig
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.cpu.linear import LowRankProduct, use_low_rank_products
from tests.models import noise


def twins(**settings):
    """peft's layer, and the same with our forward."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 40))
    model.requires_grad_(False)
    config = peft.LoraConfig(**{"r": 3, "lora_alpha": 5, "target_modules": ["0"], **settings})
    peft.inject_adapter_in_model(config, model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora" in name:
                parameter.copy_(torch.randn_like(parameter))
    ours = copy.deepcopy(model)
    use_low_rank_products(ours)
    return model, ours


def outputs_and_gradients(model, inputs):
    torch.manual_seed(1)  # for the dropout
    inputs = inputs.clone().requires_grad_()
    outputs = model(inputs)
    outputs.pow(2).sum().backward()
    trained = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    return outputs.detach(), inputs.grad, trained


@pytest.mark.parametrize(
    ("dropout", "training", "rslora"), [(0.0, True, False), (0.5, True, True), (0.5, False, False)]
)
def test_outputs_and_gradients_are_those_of_peft(dropout, training, rslora):
    stock, ours = (model.train(training) for model in twins(lora_dropout=dropout, use_rslora=rslora))
    assert type(ours[0]) is LowRankProduct
    inputs = torch.randn(2, 5, 24)
    for one, other in zip(
        outputs_and_gradients(ours, inputs), outputs_and_gradients(stock, inputs), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_dora_keeps_pefts_forward():
    _, ours = twins(use_dora=True)
    assert type(ours[0]) is not LowRankProduct


def test_merged_and_disabled_layers_are_those_of_peft():
    stock, ours = (model.eval() for model in twins())
    inputs = torch.randn(2, 24)
    adapted = ours(inputs)
    for model in (stock, ours):
        model[0].merge()
    torch.testing.assert_close(ours(inputs), stock(inputs))
    torch.testing.assert_close(ours(inputs), adapted, rtol=1e-4, atol=1e-4)
    for model in (stock, ours):
        model[0].enable_adapters(False)
    torch.testing.assert_close(ours(inputs), stock(inputs))
    assert (ours(inputs) - adapted).abs().max() > 0.1


def test_a_trained_base_weight_gets_its_gradient():
    _, ours = twins()
    ours[0].base_layer.weight.requires_grad_(True)
    ours(torch.randn(2, 24)).sum().backward()
    assert ours[0].base_layer.weight.grad is not None


@pytest.mark.parametrize("kind", ["wavlm", "hubert", "whisper"])
def test_every_adapter_of_a_backbone_takes_it(saved, kind):
    backbone = load_backbone(saved(kind), 2, AdapterConfig(dropout=0.0))
    layers = [m for m in backbone.modules() if hasattr(m, "lora_A") and isinstance(m, nn.Module)]
    assert len(layers) == 6
    assert all(type(layer) is LowRankProduct for layer in layers)
    backbone.read(backbone.frontend(noise(2)), "last")[2].sum().backward()
    assert all(layer.lora_B["default"].weight.grad.abs().max() > 0 for layer in layers)
