import numpy as np
from numpy.testing import assert_array_equal

from brainwavlm.evaluation.scores import cc_norm, spe


def test_the_signal_scores_one_and_a_noisy_prediction_its_correlation_with_the_signal():
    rng = np.random.default_rng(0)
    power = np.linspace(0.05, 2.0, 400)
    signal = rng.standard_normal((300, 400)) * np.sqrt(power)
    repeats = signal + rng.standard_normal((5, 300, 400))
    high = np.sqrt(power / (power + 1 / 5)) > 0.8
    assert abs(cc_norm(repeats, signal)[high].mean() - 1) < 0.02
    assert abs(spe(repeats, signal)[high].mean() - 1) < 0.02
    noisy = signal + signal.std(0) * np.random.default_rng(1).standard_normal(signal.shape)
    assert abs(cc_norm(repeats, noisy)[high].mean() - np.sqrt(0.5)) < 0.02
    # A model of half the power explains 1 - (1 - .5)^2 of the signal.
    assert abs(spe(repeats, 0.5 * signal)[high].mean() - 0.75) < 0.02
    flat = signal.copy()
    flat[:, 101] = 4.0
    assert_array_equal(np.isnan(cc_norm(repeats, flat)[100:103]), [False, True, False])


def test_without_signal_power_there_is_no_normalised_score():
    noise = np.random.default_rng(0).standard_normal((2, 40, 100))
    missing = np.isnan(cc_norm(noise, noise[0]))
    assert 20 < missing.sum() < 80
    assert_array_equal(np.isnan(spe(noise, noise[0])), missing)
