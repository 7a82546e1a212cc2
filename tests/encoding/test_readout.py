import numpy as np
import torch
from numpy.testing import assert_allclose

from brainwavlm.config import ReadoutConfig
from brainwavlm.encoding.readout import FixedRidge, build_readout


def test_bottleneck_is_the_product_of_two_maps():
    torch.manual_seed(0)
    readout = build_readout(ReadoutConfig(kind="bottleneck", width=3), 12, 20)
    design = torch.randn(5, 12)
    product = readout.expand.weight @ readout.compress.weight
    assert_allclose(readout(design).detach(), (design @ product.T).detach(), atol=1e-5)
    assert np.linalg.matrix_rank(product.detach().numpy()) == 3


def test_maps_start_xavier_uniform():
    torch.manual_seed(0)
    weight = build_readout(ReadoutConfig(kind="linear"), 300, 200).expand.weight.detach()
    bound = (6 / 500) ** 0.5
    assert weight.abs().max() <= bound
    assert_allclose(float(weight.std()), bound / 3**0.5, rtol=0.01)


def test_fixed_ridge_predicts_and_has_nothing_to_train():
    weights = np.random.default_rng(0).standard_normal((6, 4))
    readout = FixedRidge(6, 4)
    assert list(readout.parameters()) == []
    for factor in (1, 2):
        readout.refresh(factor * weights)
        assert_allclose(readout(torch.ones(2, 6)), np.tile(factor * weights.sum(0), (2, 1)), rtol=1e-5)


def test_every_kind_is_built_and_restores_its_state_exactly():
    torch.manual_seed(0)
    for kind in ("bottleneck", "linear", "ridge-fixed"):
        config = ReadoutConfig(kind=kind, width=3)
        readout, other = build_readout(config, 8, 5), build_readout(config, 8, 5)
        if kind == "ridge-fixed":
            readout.refresh(torch.randn(8, 5))
        state = readout.state_dict()
        assert {value.dtype for value in state.values()} == {torch.float32}
        other.load_state_dict(state)
        design = torch.randn(4, 8)
        assert torch.equal(readout(design), other(design))


def test_gradients_pass_through_a_fixed_ridge_to_the_design():
    readout = FixedRidge(3, 2)
    readout.refresh(torch.ones(3, 2))
    design = torch.zeros(1, 3, requires_grad=True)
    readout(design).sum().backward()
    assert design.grad.tolist() == [[2.0, 2.0, 2.0]]
