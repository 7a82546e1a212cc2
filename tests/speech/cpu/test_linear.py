import pytest
import torch
from torch import nn

from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.cpu import linear as products
from brainwavlm.speech.cpu.gated_attention import gated_attention
from brainwavlm.speech.cpu.linear import Product, use_products
from tests.models import KINDS, noise


def layers(n_in=24, n_out=40, bias=True):
    torch.manual_seed(0)
    stock = nn.Linear(n_in, n_out, bias=bias)
    return stock, Product(stock)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 24), (3, 5, 24), (2, 3, 4, 24)])
def test_outputs_and_gradients_equal_those_of_the_stock_layer(shape, bias):
    stock, product = layers(bias=bias)
    inputs = torch.randn(shape, requires_grad=True)
    wanted = [inputs, *stock.parameters()]
    expected = torch.autograd.grad(stock(inputs).pow(2).sum(), wanted)
    found = torch.autograd.grad(product(inputs).pow(2).sum(), wanted)
    torch.testing.assert_close(product(inputs), stock(inputs), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_frozen_weight_gets_no_gradient_and_no_inputs_are_kept_for_it():
    _, product = layers()
    product.requires_grad_(False)
    outputs = product(torch.randn(3, 24, requires_grad=True))
    assert outputs.grad_fn.saved_tensors[0] is None
    outputs.sum().backward()
    assert product.weight.grad is None


def test_inputs_that_need_no_gradient_start_no_graph():
    _, product = layers()
    product.requires_grad_(False)
    assert not product(torch.randn(3, 24)).requires_grad


def test_other_types_and_autocast_take_the_stock_way():
    stock, product = layers()
    doubles = torch.randn(3, 24, dtype=torch.float64)
    assert product.double()(doubles).dtype == torch.float64
    stock.float()
    with torch.autocast("cpu", torch.bfloat16):
        assert product(torch.randn(3, 24)).dtype == torch.bfloat16


def test_without_onednn_the_stock_way_is_taken(monkeypatch):
    stock, product = layers()
    inputs = torch.randn(3, 24)
    monkeypatch.setattr(products, "onednn_multiplies", lambda: False)
    assert torch.equal(product(inputs), stock(inputs))


def test_a_product_that_is_missing_or_wrong_is_not_used(monkeypatch):
    for wrong in (lambda *_: torch.zeros(3, 2), lambda *_: (_ for _ in ()).throw(RuntimeError())):
        products.onednn_multiplies.cache_clear()
        monkeypatch.setattr(products, "multiplied", wrong)
        assert not products.onednn_multiplies()
    products.onednn_multiplies.cache_clear()


def test_every_linear_layer_of_the_blocks_is_replaced_and_no_name_changes(saved):
    backbone = load_backbone(saved("wavlm"), 2)
    blocks = backbone.model.encoder.layers
    names = set(blocks.state_dict())
    assert not [module for module in blocks.modules() if type(module) is nn.Linear]
    use_products(blocks)
    assert set(blocks.state_dict()) == names


def dense(query, key, value, gates, bias, mask):
    scores = torch.einsum("nqhd,nkhd->nhqk", query, key) * query.shape[-1] ** -0.5 + gates * bias
    scores = scores if mask is None else scores + mask
    return torch.einsum("nhqk,nkhd->nqhd", scores.softmax(-1), value)


@pytest.mark.parametrize("n_queries", [6, 1])
@pytest.mark.parametrize("masked", [None, "shared", "own"])
def test_attention_a_window_at_a_time_equals_the_formula_with_all_gradients(n_queries, masked):
    torch.manual_seed(1)
    n_windows, n_frames, n_heads, n_dims = 3, 6, 2, 4
    inputs = [
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in (
            (n_windows, n_queries, n_heads, n_dims),
            (n_windows, n_frames, n_heads, n_dims),
            (n_windows, n_frames, n_heads, n_dims),
            (n_windows, n_heads, n_queries, 1),
            (1, n_heads, n_queries, n_frames),
        )
    ]
    mask = None
    if masked:
        mask = torch.zeros(n_windows if masked == "own" else 1, 1, n_queries, n_frames, dtype=torch.float64)
        mask[-1, :, :, 4:] = float("-inf")
    weights = torch.randn(n_windows, n_queries, n_heads, n_dims, dtype=torch.float64)
    found, expected = gated_attention(*inputs, mask), dense(*inputs, mask)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [[0, 2, 4], 1])
@torch.no_grad()
def test_reading_one_frame_gives_what_the_whole_trunk_gives(saved, kind, layers):
    backbone = load_backbone(saved(kind), layers)
    hidden = backbone.frontend(noise(3))
    for layer, state in backbone.trunk(hidden).items():
        for frame, expected in {"last": state[:, -1], "first": state[:, 0], "mean": state.mean(1)}.items():
            torch.testing.assert_close(backbone.read(hidden, frame)[layer], expected, atol=1e-5, rtol=1e-5)
