import copy

import pytest
import torch
from torch import nn

from brainwavlm.errors import BackboneError
from brainwavlm.speech import families
from brainwavlm.speech.wavlm import GatedAttention, all_called, make_reachable
from tests.models import FAMILIES, MODELS, noise, stock_model

WAVLM = ["wavlm", "wavlm-large", "wavlm-base-shape"]


def mended(kind):
    model = stock_model(kind)
    assert make_reachable(model, families.FAMILIES["wavlm"])
    return model


@pytest.mark.parametrize("kind", WAVLM)
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.filterwarnings(
    "ignore:Support for mismatched key_padding_mask:UserWarning"
)  # the stock attention's
def test_the_attention_equals_the_stock_one_in_every_state(kind, padded):
    windows, mask = noise(3), None
    if padded:
        mask = torch.ones(3, windows.shape[1], dtype=torch.long)
        mask[1, 5000:] = 0
        mask[2, 900:] = 0
    with torch.no_grad():
        expected = stock_model(kind)(windows, attention_mask=mask, output_hidden_states=True)
        found = mended(kind)(windows, attention_mask=mask, output_hidden_states=True)
    heard = torch.ones(3, found.last_hidden_state.shape[1], dtype=torch.bool)
    if padded:
        heard = stock_model(kind)._get_feature_vector_attention_mask(heard.shape[1], mask)
        assert heard.sum() < heard.numel()
    for one, other in zip(
        (*found.hidden_states, found.last_hidden_state),
        (*expected.hidden_states, expected.last_hidden_state),
        strict=True,
    ):
        torch.testing.assert_close(one[heard], other[heard], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", WAVLM)
def test_weights_keep_their_names_and_values_and_their_gradients(kind):
    gradients, (stock, found) = [], (stock_model(kind), mended(kind))
    assert set(stock.state_dict()) == set(found.state_dict())
    assert all(torch.equal(found.state_dict()[name], tensor) for name, tensor in stock.state_dict().items())
    for model in (stock, found):
        model(noise(2))[0].square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if "attention" in name})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(
            gradients[1][name], gradient, atol=2e-5, rtol=1e-3, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_attention_dropout_acts_in_training_only():
    model = stock_model("wavlm")
    for layer in model.encoder.layers:
        layer.attention.dropout = 0.5
    make_reachable(model, families.FAMILIES["wavlm"])
    attention, hidden = model.encoder.layers[0].attention, torch.randn(1, 10, 32)
    assert torch.equal(attention(hidden)[0], attention(hidden)[0])
    attention.train()
    assert not torch.equal(attention(hidden)[0], attention(hidden)[0])


@pytest.mark.parametrize("kind", [kind for kind in FAMILIES if kind != "wavlm"])
def test_families_whose_projections_are_called_stay_as_they_are(kind):
    family = families.FAMILIES[MODELS[kind][0]]
    model = family.kept(stock_model(kind))
    kinds = [type(module) for module in model.modules()]
    assert not make_reachable(model, family)
    assert [type(module) for module in model.modules()] == kinds


def test_a_wavlm_that_calls_its_projections_stays_as_it_is():
    """As a later transformers might: the probe decides, not the version."""
    model = mended("wavlm")
    before = [id(layer.attention) for layer in model.encoder.layers]
    assert not make_reachable(model, families.FAMILIES["wavlm"])
    assert [id(layer.attention) for layer in model.encoder.layers] == before


def test_a_family_that_cannot_be_reached_is_an_error():
    model = stock_model("hubert")

    class Bypassing(nn.Module):
        def __init__(self, stock):
            super().__init__()
            for name, module in stock.named_children():
                self.add_module(name, module)

        def forward(self, hidden, **kwargs):
            return nn.functional.linear(hidden, self.q_proj.weight), None

    for layer in model.encoder.layers:
        layer.attention = Bypassing(layer.attention)
    with pytest.raises(BackboneError, match="no effect"):
        make_reachable(model, families.FAMILIES["hubert"])


def test_the_probe_sees_calls_and_leaves_no_hook():
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    assert all_called([one], lambda: one(torch.zeros(1, 2)))
    assert not all_called([one, other], lambda: one(torch.zeros(1, 2)) @ other.weight)
    assert not one._forward_hooks


def test_a_copy_of_the_attention_stands_alone():
    model = mended("wavlm")
    attention = model.encoder.layers[0].attention
    assert isinstance(attention, GatedAttention)
    hidden = torch.randn(1, 6, 32)
    before = attention(hidden)[0]
    twin = copy.deepcopy(model).encoder.layers[0].attention
    with torch.no_grad():
        twin.rel_attn_embed.weight.mul_(3.0)
    assert torch.equal(attention(hidden)[0], before)
    assert not torch.equal(twin(hidden)[0], before)


def test_a_position_bias_is_made_once_a_length_and_again_when_its_weights_change_or_are_trained():
    model, made, shapes = mended("wavlm").requires_grad_(False), [], []
    attention = model.encoder.layers[0].attention
    for layer in model.encoder.layers:
        layer.attention.register_forward_hook(lambda *hook: shapes.append(tuple(hook[2][2].shape)))
    original = attention._compute_bias
    attention._compute_bias = lambda *lengths: made.append(lengths) or original(*lengths)
    first = model(noise(1))[0]
    assert torch.equal(model(noise(1))[0], first)
    model(noise(3))
    assert set(shapes) == {(1, 4, 24, 24)}  # not repeated over windows
    assert len(made) == 1
    with torch.no_grad():
        attention.rel_attn_embed.weight.mul_(-2.0)
    assert (model(noise(1))[0] - first).abs().max() > 1e-4
    assert len(made) == 2
    model.requires_grad_(True)
    for _ in range(2):
        model(noise(1))[0].sum().backward()
    assert attention.rel_attn_embed.weight.grad is not None
    assert len(made) == 4
