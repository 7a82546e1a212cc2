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


def test_fixed_ridge_predicts_has_nothing_to_train_and_passes_gradients_to_the_design():
    weights = np.random.default_rng(0).standard_normal((6, 4))
    readout = FixedRidge(6, 4)
    assert list(readout.parameters()) == []
    design = torch.ones(2, 6, requires_grad=True)
    for factor in (1, 2):
        readout.refresh(factor * weights)
        predicted = readout(design)
        assert_allclose(predicted.detach(), np.tile(factor * weights.sum(0), (2, 1)), rtol=1e-5)
    predicted.sum().backward()
    assert_allclose(design.grad[0], 2 * weights.sum(1), rtol=1e-5)
