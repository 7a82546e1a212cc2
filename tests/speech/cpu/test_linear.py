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


@pytest.mark.parametrize(("bias", "shape"), [(True, (7, 24)), (False, (2, 3, 4, 24))])
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
    assert not product(torch.randn(3, 24)).requires_grad


def test_other_types_and_autocast_take_the_stock_way_and_all_do_without_onednn(monkeypatch):
    stock, product = layers()
    inputs = torch.randn(3, 24)
    with monkeypatch.context() as patch:
        patch.setattr(products, "onednn_multiplies", lambda: False)
        assert torch.equal(product(inputs), stock(inputs))
    doubles = torch.randn(3, 24, dtype=torch.float64)
    assert product.double()(doubles).dtype == torch.float64
    stock.float()
    with torch.autocast("cpu", torch.bfloat16):
        assert product(torch.randn(3, 24)).dtype == torch.bfloat16


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


@pytest.mark.parametrize(
    ("n_queries", "n_frames", "masked"),
    [
        (6, 6, None),
        (1, 6, "own"),
        (230, 230, "shared"),
        (230, 230, "own"),
    ],  # longer than one stretch of queries
)
def test_attention_a_window_at_a_time_equals_the_formula_with_all_gradients(n_queries, n_frames, masked):
    torch.manual_seed(1)
    n_windows, n_heads, n_dims = 2, 3, 4
    of_queries, of_frames = ((n_windows, n, n_heads, n_dims) for n in (n_queries, n_frames))
    gates, bias = (n_windows, n_heads, n_queries, 1), (1, n_heads, n_queries, n_frames)
    inputs = [
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in (of_queries, of_frames, of_frames, gates, bias)
    ]
    mask = None
    if masked:
        frames = torch.arange(n_frames)
        hidden = ((frames[:n_queries, None] - frames).abs() > 2 + n_frames // 8)[None, None]
        if masked == "own":
            hidden = torch.cat([hidden, (frames[:n_queries, None] < frames)[None, None]])
        mask = torch.zeros(hidden.shape, dtype=torch.float64).masked_fill(hidden, float("-inf"))
    weights = torch.randn(of_queries, dtype=torch.float64)
    found, expected = gated_attention(*inputs, mask), dense(*inputs, mask)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
    )


@pytest.mark.parametrize(("kind", "layers"), [*((kind, [0, 2, 4]) for kind in KINDS), ("wavlm", 1)])
@torch.no_grad()
def test_reading_one_frame_gives_what_the_whole_trunk_gives(saved, kind, layers):
    backbone = load_backbone(saved(kind), layers)
    hidden = backbone.frontend(noise(3))
    for layer, state in backbone.trunk(hidden).items():
        for frame, expected in {"last": state[:, -1], "first": state[:, 0], "mean": state.mean(1)}.items():
            torch.testing.assert_close(backbone.read(hidden, frame)[layer], expected, atol=1e-5, rtol=1e-5)
