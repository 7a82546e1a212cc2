import copy

import pytest
import torch
from torch import nn

from brainwavlm.errors import BackboneError
from brainwavlm.speech.families import FAMILIES
from brainwavlm.speech.wavlm import GatedAttention, all_called, make_reachable
from tests.models import MODELS, noise, stock_model

WAVLM = ["wavlm", "wavlm-large", "wavlm-base-shape"]


def mended(kind):
    model = stock_model(kind)
    assert make_reachable(model, FAMILIES["wavlm"])
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


def test_the_padding_mask_matters():
    model, windows = mended("wavlm"), noise(1)
    mask = torch.ones(1, windows.shape[1], dtype=torch.long)
    mask[0, 4000:] = 0
    with torch.no_grad():
        assert (model(windows, attention_mask=mask)[0] - model(windows)[0])[:, :5].abs().max() > 1e-3


def test_gates_and_position_biases_matter():
    """Else the comparison with the stock attention would say nothing of them."""
    for name in ("rel_attn_embed", "gru_rel_pos_linear.weight", "gru_rel_pos_const"):
        model, changed = mended("wavlm"), mended("wavlm")
        with torch.no_grad():
            for key, parameter in changed.named_parameters():
                if name in key:
                    parameter.mul_(-1.0)
            assert (model(noise(1))[0] - changed(noise(1))[0]).abs().max() > 1e-4


@pytest.mark.parametrize("kind", WAVLM)
def test_gradients_of_the_weights_equal_those_of_the_stock_attention(kind):
    gradients = []
    for model in (stock_model(kind), mended(kind)):
        model(noise(2))[0].square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if "attention" in name})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(
            gradients[1][name], gradient, atol=2e-5, rtol=1e-3, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("kind", WAVLM)
def test_weights_keep_their_names_and_values(kind):
    stock, found = stock_model(kind), mended(kind)
    assert list(stock.state_dict()) == list(found.state_dict()) or set(stock.state_dict()) == set(
        found.state_dict()
    )
    for name, tensor in stock.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)


def test_the_position_bias_is_made_once_and_not_repeated_over_windows():
    model, shapes, made = mended("wavlm"), [], []
    first = model.encoder.layers[0].attention
    stock_bias = first._compute_bias
    first._compute_bias = lambda *size: made.append(size) or stock_bias(*size)
    for layer in model.encoder.layers:
        layer.attention.register_forward_hook(lambda *hook: shapes.append(tuple(hook[2][2].shape)))
    model(noise(3))
    assert len(made) == 1
    assert shapes == [(1, 4, 24, 24)] * 4


def test_attention_dropout_acts_in_training_only():
    model = stock_model("wavlm")
    for layer in model.encoder.layers:
        layer.attention.dropout = 0.5
    make_reachable(model, FAMILIES["wavlm"])
    attention, hidden = model.encoder.layers[0].attention, torch.randn(1, 10, 32)
    assert torch.equal(attention(hidden)[0], attention(hidden)[0])
    attention.train()
    assert not torch.equal(attention(hidden)[0], attention(hidden)[0])


@pytest.mark.parametrize("kind", [kind for kind in MODELS if kind not in WAVLM])
def test_families_whose_projections_are_called_stay_as_they_are(kind):
    family = FAMILIES[MODELS[kind][0]]
    model = family.kept(stock_model(kind))
    kinds = [type(module) for module in model.modules()]
    assert not make_reachable(model, family)
    assert [type(module) for module in model.modules()] == kinds


def test_a_wavlm_that_calls_its_projections_stays_as_it_is():
    """As a later transformers might: the probe decides, not the version."""
    model = mended("wavlm")
    before = [id(layer.attention) for layer in model.encoder.layers]
    assert not make_reachable(model, FAMILIES["wavlm"])
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
        make_reachable(model, FAMILIES["hubert"])


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


def test_the_position_bias_is_made_once_a_length_and_again_when_its_weights_change():
    model = mended("wavlm").requires_grad_(False)
    attention = model.encoder.layers[0].attention
    made = []
    original = attention._compute_bias
    attention._compute_bias = lambda *lengths: made.append(lengths) or original(*lengths)
    first = model(noise(1))[0]
    assert torch.equal(model(noise(1))[0], first)
    assert len(made) == 1
    with torch.no_grad():
        attention.rel_attn_embed.weight.mul_(-2.0)
    assert (model(noise(1))[0] - first).abs().max() > 1e-4
    assert len(made) == 2


def test_a_position_bias_that_is_trained_is_made_each_time():
    model = mended("wavlm")
    attention = model.encoder.layers[0].attention
    for _ in range(2):
        model(noise(1))[0].sum().backward()
    assert attention.rel_attn_embed.weight.grad is not None
    with torch.no_grad():
        before = model(noise(1))[0]
        attention.rel_attn_embed.weight.data = -attention.rel_attn_embed.weight.data
        assert (model(noise(1))[0] - before).abs().max() > 1e-4
