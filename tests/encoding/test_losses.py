import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from brainwavlm.config import LossConfig
from brainwavlm.encoding.losses import (
    LOSSES,
    combined,
    contrastive,
    feature_distance,
    mse,
    spatial,
    temporal,
)
from brainwavlm.encoding.run_data import ceiling_weights
from brainwavlm.errors import ConfigError

EVERY = [loss for loss, _ in LOSSES.values()]  # what holds for all of them is asked of a new row, too


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    true = rng.standard_normal((10, 30))
    return 0.4 * true + rng.standard_normal((10, 30)) + 3.0, true


def tensors(*arrays):
    return [torch.tensor(array, dtype=torch.float64) for array in arrays]


def test_distance_of_features_is_a_share_of_the_untuned_variance(pair):
    features, untuned = pair
    variance = np.var(untuned, axis=0).sum()
    expected = np.mean([((f - u) ** 2).sum() for f, u in zip(features, untuned, strict=True)]) / variance
    distance = feature_distance(*tensors(features, untuned), torch.tensor(variance))
    assert_allclose(float(distance), expected, rtol=1e-5)
    to_the_mean = np.tile(untuned.mean(0), (10, 1))
    assert_allclose(float(feature_distance(*tensors(to_the_mean, untuned, variance))), 1, rtol=1e-5)


def test_spatial_is_minus_the_mean_correlation_across_voxels(pair):
    expected = -np.mean([np.corrcoef(p, t)[0, 1] for p, t in zip(*pair, strict=True)])
    assert_allclose(float(spatial(*tensors(*pair))), expected, rtol=1e-12)


def test_temporal_is_minus_the_mean_correlation_over_time_and_mse_the_mean_square(pair):
    assert_allclose(float(mse(*tensors(*pair))), np.mean((pair[0] - pair[1]) ** 2), rtol=1e-6)
    expected = -np.mean([np.corrcoef(p, t)[0, 1] for p, t in zip(pair[0].T, pair[1].T, strict=True)])
    assert_allclose(float(temporal(*tensors(*pair))), expected, rtol=1e-12)


def test_weights_that_are_counts_equal_repeated_voxels(pair):
    counts = np.random.default_rng(1).integers(0, 4, 30)
    repeated = tensors(*(np.repeat(values, counts, axis=1) for values in pair))
    for loss in EVERY:
        weighted = loss(*tensors(*pair), torch.tensor(counts))
        assert_allclose(float(weighted), float(loss(*repeated)), rtol=1e-10)
        assert abs(float(weighted) - float(loss(*tensors(*pair)))) > 1e-4


def test_unbiased_deviation_shrinks_r_by_one_part_in_n(pair):
    torch_way = [(v - v.mean(0)) / v.std(0) for v in tensors(*pair)]
    assert_allclose(
        float(temporal(*tensors(*pair), std_unbiased=True)),
        -float((torch_way[0] * torch_way[1]).mean()),
        rtol=1e-12,
    )


@pytest.mark.parametrize("constant", [0.0, 1e-30, 1e4])
@pytest.mark.parametrize("loss", EVERY)
def test_no_variance_is_no_correlation_and_has_a_finite_gradient(loss, constant):
    true = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    predicted = torch.full((6, 8), constant).requires_grad_()
    value = loss(predicted, true)
    value.backward()
    assert loss not in (spatial, temporal) or float(value.detach()) == 0.0
    assert torch.isfinite(predicted.grad).all()


def test_one_constant_voxel_leaves_the_others_their_gradient():
    generator = torch.Generator().manual_seed(0)
    true, predicted = torch.randn(6, 8, generator=generator), torch.randn(6, 8, generator=generator)
    predicted[:, 3] = 2.0
    predicted.requires_grad_()
    temporal(predicted, true).backward()
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[:, 3] == 0).all()
    assert (predicted.grad[:, 4] != 0).any()


@pytest.mark.parametrize(
    "weights", [None, torch.tensor([0.0, 0.3, 1.0, 0.0, 0.5, 0.2, 0.9], dtype=torch.float64)]
)
@pytest.mark.parametrize("loss", EVERY)
def test_gradients_agree_with_finite_differences(loss, weights):
    generator = torch.Generator().manual_seed(1)
    predicted = torch.randn(5, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    true = torch.randn(5, 7, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: loss(p, true, weights), predicted)


def test_small_predictions_are_not_taken_for_constant():
    generator = torch.Generator().manual_seed(1)
    true = torch.randn(5, 40, generator=generator)
    assert_allclose(float(spatial(true * 1e-12, true)), -1.0, rtol=1e-5)


def test_half_precision_is_computed_in_single():
    generator = torch.Generator().manual_seed(2)
    predicted, true = torch.randn(10, 4000, generator=generator), torch.randn(10, 4000, generator=generator)
    exact = spatial(predicted.bfloat16().float(), true)
    assert_allclose(float(spatial(predicted.bfloat16(), true)), float(exact), atol=1e-7)


def test_combined_is_the_weighted_sum(pair):
    config = LossConfig(spatial=0.5, temporal=2.0, mse=0.1, contrastive=1.5, temperature=0.3)
    values = tensors(*pair)
    expected = 0.5 * spatial(*values) + 2.0 * temporal(*values) + 0.1 * mse(*values)
    expected += 1.5 * contrastive(*values, temperature=0.3)
    assert_allclose(float(combined(config, *values)), float(expected), rtol=1e-6)


def test_voxels_without_a_ceiling_weigh_nothing():
    assert ceiling_weights(np.array([0.5, np.nan, -0.1, 0.0, 0.25])).tolist() == [0.5, 0.0, 0.0, 0.0, 0.25]
    with pytest.raises(ConfigError, match="none of 2 voxels has a noise ceiling"):
        ceiling_weights(np.array([np.nan, 0.0]))


@pytest.mark.parametrize("loss", EVERY)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_prediction_that_is_no_number_gives_no_number(loss, bad):
    true = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    predicted = true.clone()
    predicted[2, 3] = bad
    for value in (loss(predicted, true), loss(torch.full((6, 8), bad), true)):
        assert torch.isnan(value) or float(value) == bad  # an infinite error may be an infinite loss


def test_contrastive_agrees_with_torchs_cross_entropy(pair):
    predicted, true = tensors(*pair)
    cosine = torch.nn.functional.cosine_similarity(predicted[:, None], true[None], dim=-1) / 0.2
    own = torch.arange(10)
    expected = (
        torch.nn.functional.cross_entropy(cosine, own) + torch.nn.functional.cross_entropy(cosine.T, own)
    ) / 2
    assert_allclose(float(contrastive(predicted, true, temperature=0.2)), float(expected), rtol=1e-12)


def test_contrastive_sees_directions_not_sizes_and_is_chance_where_all_rows_are_alike(pair):
    predicted, true = tensors(*pair)
    sizes = torch.linspace(0.1, 5, 10, dtype=torch.float64)[:, None]
    assert_allclose(
        float(contrastive(predicted * sizes, true)), float(contrastive(predicted, true)), rtol=1e-12
    )
    alike = true[:1].expand(10, -1)
    assert_allclose(float(contrastive(alike, alike)), np.log(10), rtol=1e-12)
    assert_allclose(float(contrastive(predicted[:1], true[:1])), 0, atol=1e-12)  # nothing to be mistaken for


def test_contrastive_of_rows_without_a_response_has_a_finite_gradient():
    true = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    true[4] = 0
    predicted = torch.zeros(6, 8).requires_grad_()
    value = contrastive(predicted, true)
    value.backward()
    assert_allclose(float(value.detach()), np.log(6), rtol=1e-6)
    assert torch.isfinite(predicted.grad).all()
    other = true.clone().requires_grad_()  # one empty row among others
    contrastive(other, true).backward()
    assert torch.isfinite(other.grad).all()
    assert (other.grad[0] != 0).any()


def test_every_weight_of_the_configuration_is_that_of_a_loss_and_each_alone_is_enough():
    assert set(LossConfig.model_fields) - set(LossConfig.no_term) == set(LOSSES)
    none = dict.fromkeys(LOSSES, 0.0)
    for name in LOSSES:
        one = LossConfig(**none | {name: 1.0})
        assert getattr(one, name) == 1
        assert set(one.lowered) == {name}
    with pytest.raises(ValueError, match="at least one of"):
        LossConfig(**none)
