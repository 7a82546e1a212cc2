"""The numbers of the field's reference implementation, to 1e-6: inputs and outputs in encoding_a.npz, encoding_b.npz."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from brainwavlm.encoding.alignment import delayed, lanczos_matrix, moments
from brainwavlm.encoding.ridge import solve_ridge
from brainwavlm.evaluation.scores import cc_max, cc_norm, correlation, spe

FOLDER = Path(__file__).parents[3] / "shared" / "reference"
TOLERANCE = {"rtol": 0, "atol": 1e-6}


@pytest.fixture(params=["encoding_a.npz", "encoding_b.npz"])
def reference(request):
    path = FOLDER / request.param
    if not path.is_file():
        pytest.skip("reference numbers are not part of the project")
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file}


def fitted_rows(reference):
    # The reference fitted the first three quarters and scored the rest.
    return slice(0, len(reference["design"]) * 3 // 4), slice(len(reference["design"]) * 3 // 4, None)


def test_lanczos(reference):
    matrix = lanczos_matrix(reference["source_times"], reference["target_times"])
    assert matrix.dtype == np.float64
    assert_allclose(matrix @ reference["source_features"], reference["lanczos"], **TOLERANCE)


def test_delays(reference):
    assert_allclose(delayed(reference["lanczos"], (1, 2, 3, 4)), reference["delayed"], **TOLERANCE)


def test_normalisation(reference):
    values = reference["delayed"]
    mean, scale = moments(values, np.ones((len(values), 1)))  # far from the sound's ends every row has mass 1
    assert_allclose((values - mean) / scale, reference["design"], **TOLERANCE)


def test_ridge_correlations_with_our_alpha_the_square_of_theirs(reference):
    fit, held_out = fitted_rows(reference)
    design, responses = reference["design"], reference["responses"]
    for alpha, expected in zip(reference["alphas"], reference["ridge_corr_by_alpha"], strict=True):
        weights = solve_ridge(design[fit], responses[fit], alpha**2)
        assert_allclose(correlation(responses[held_out], design[held_out] @ weights), expected, **TOLERANCE)


def test_ridge_weights(reference):
    fit, _ = fitted_rows(reference)
    weights = solve_ridge(reference["design"][fit], reference["responses"][fit], reference["alphas"][2] ** 2)
    assert_allclose(weights, reference["ridge_weights_alpha2"], **TOLERANCE)


def test_ridge_weights_with_one_alpha_a_voxel(reference):
    fit, _ = fitted_rows(reference)
    weights = solve_ridge(
        reference["design"][fit], reference["responses"][fit], reference["per_voxel_alphas"] ** 2
    )
    assert_allclose(weights, reference["ridge_weights_per_voxel"], **TOLERANCE)


def test_their_alpha_unsquared_gives_other_weights(reference):
    fit, _ = fitted_rows(reference)
    weights = solve_ridge(
        reference["design"][fit], reference["responses"][fit], reference["per_voxel_alphas"]
    )
    assert np.abs(weights - reference["ridge_weights_per_voxel"]).max() > 1e-3


def test_correlation(reference):
    assert_allclose(
        correlation(reference["repeats"].mean(0), reference["prediction"]), reference["corr"], **TOLERANCE
    )


def test_ceilings(reference):
    repeats, prediction = reference["repeats"], reference["prediction"]
    assert_allclose(cc_max(repeats), reference["cc_max"], **TOLERANCE)
    assert_allclose(cc_norm(repeats, prediction), reference["cc_norm"], **TOLERANCE)
    assert_allclose(spe(repeats, prediction), reference["spe"], **TOLERANCE)
