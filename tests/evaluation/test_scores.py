import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.evaluation import scores
from brainwavlm.evaluation.scores import correlation


def test_equals_numpy(monkeypatch):
    rng = np.random.default_rng(0)
    true = rng.standard_normal((50, 23))
    predicted = true + rng.standard_normal((50, 23))
    expected = [np.corrcoef(t, p)[0, 1] for t, p in zip(true.T, predicted.T, strict=True)]
    assert_allclose(correlation(true, predicted), expected)
    monkeypatch.setattr(scores, "_COLUMNS_AT_ONCE", 5)
    assert_allclose(correlation(true, predicted), expected)


@given(scale=st.floats(1e-6, 1e6), offset=st.floats(-100, 100))
def test_does_not_change_with_scale_and_offset(scale, offset):
    rng = np.random.default_rng(1)
    true, predicted = rng.standard_normal((2, 30, 4))
    assert_allclose(
        correlation(true, predicted * scale + offset * scale), correlation(true, predicted), atol=1e-9
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constant", [0.0, 0.1, 1e5])
def test_no_variance_or_a_missing_row_is_no_score_rather_than_zero(dtype, constant):
    true = np.random.default_rng(2).standard_normal((300, 3)).astype(dtype)
    predicted = true.copy()
    predicted[:, 1] = constant
    predicted[4, 2] = np.nan
    assert_array_equal(np.isnan(correlation(true, predicted)), [False, True, True])
    assert_array_equal(np.isnan(correlation(predicted, true)), [False, True, True])
