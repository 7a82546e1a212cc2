import numpy as np
from numpy.testing import assert_allclose

from brainwavlm.reporting.page.delays import delay_norms


def test_the_norm_of_a_linear_readout_by_delay():
    weights = np.array([[3.0, 4, 0, 0], [0, 0, 1, 0]])  # two voxels, two delays of two dimensions
    assert_allclose(delay_norms([weights], 2), [[5, 0], [0, 1]])


def test_a_bottleneck_has_the_norms_of_the_product_of_its_maps():
    rng = np.random.default_rng(0)
    first, last = rng.standard_normal((5, 4 * 7)), rng.standard_normal((11, 5))
    product = (last @ first).reshape(11, 4, 7)
    assert_allclose(delay_norms([first, last], 4), np.linalg.norm(product, axis=2), rtol=1e-10)
