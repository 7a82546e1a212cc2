"""The clock of a story: Lanczos keeps its lobes, delays see the halo and nothing else, rows mean the same everywhere."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.encoding.alignment import delayed, lanczos_matrix, moments, zscored
from brainwavlm.encoding.clock import story_clock
from brainwavlm.errors import AlignmentError

WINDOWS = np.arange(1, 241) * 0.25  # 60 s


@st.composite
def clocks(draw):
    """Window ends, TR times and delays of a story that the sound covers."""
    stride = draw(st.sampled_from([0.1, 0.25, 0.5, 1.0]))
    tr = draw(st.sampled_from([0.8, 1.5, 2.0]))
    first = draw(st.floats(0.0, 20.0))
    n_trs = draw(st.integers(3, 25))
    sound = first + tr * n_trs + draw(st.floats(0.0, 10.0))
    delays = draw(st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True))
    return stride * np.arange(1, int(sound / stride) + 1), first + tr * np.arange(n_trs), delays


def sound_features(times, n_dims=3, seed=0):
    """Smooth features of a sound, with a large mean as speech models have."""
    phases = np.random.default_rng(seed).uniform(0, 6, (4, n_dims))
    waves = [
        np.sin(2 * np.pi * f * times[:, None] + phase)
        for f, phase in zip((0.01, 0.03, 0.07, 0.11), phases, strict=True)
    ]
    return 20.0 + sum(waves)


# Trap 5: Lanczos


def test_a_slow_wave_keeps_its_amplitude_and_clipping_the_lobes_costs_a_sixth():
    times = np.arange(10, 50, 2.0)
    matrix = lanczos_matrix(WINDOWS, times)
    gains = {}
    for name, kernel in {"whole": matrix, "clipped": np.maximum(matrix, 0)}.items():
        kernel = kernel / kernel.sum(1, keepdims=True)
        wave = kernel @ np.exp(2j * np.pi * 0.1 * WINDOWS)
        gains[name] = np.abs(wave[3:-3]).mean()
    assert_allclose(gains["whole"], 1.01, atol=0.01)
    assert_allclose(gains["clipped"], 0.83, atol=0.02)


def test_weights_are_the_formula():
    source, target = np.array([0.3, 1.1, 2.0, 5.2]), np.array([0.0, 2.0, 4.0])
    matrix = lanczos_matrix(source, target, lobes=2)
    for i, t in enumerate(target):
        for j, s in enumerate(source):
            x = (t - s) / 2.0
            expected = 1.0 if x == 0 else np.sinc(x) * np.sinc(x / 2) if abs(x) < 2 else 0.0
            assert_allclose(matrix[i, j], expected, atol=1e-15)


def test_a_tr_outside_the_sound_is_an_error_that_names_it():
    with pytest.raises(AlignmentError, match=r"2 of 4 TRs, the first at 69\.00 s"):
        lanczos_matrix(WINDOWS, np.array([63.0, 65.0, 69.0, 71.0]))


@pytest.mark.parametrize("times", [[1.0], [1.0, 1.0], [0.0, np.nan], [[0.0, 1.0]]])
def test_times_that_make_no_clock_are_refused(times):
    with pytest.raises(AlignmentError, match="tr_times"):
        lanczos_matrix(WINDOWS, times)


# Delays


@given(
    n_rows=st.integers(1, 12),
    n_dims=st.integers(1, 4),
    delays=st.lists(st.integers(0, 15), min_size=1, max_size=5),
)
def test_delayed_is_a_shift_down_with_zeros_above(n_rows, n_dims, delays):
    features = 1.0 + np.arange(n_rows * n_dims, dtype=np.float64).reshape(n_rows, n_dims)
    design = delayed(features, delays).reshape(n_rows, len(delays), n_dims)
    for k, delay in enumerate(delays):
        assert not design[:delay, k].any()
        assert_array_equal(design[delay:, k], features[: max(n_rows - delay, 0)])


def test_delayed_keeps_type_and_graph():
    features = torch.arange(6.0).reshape(3, 2).requires_grad_()
    design = delayed(features, (0, 1))
    assert_array_equal(design.detach(), delayed(features.detach().numpy(), (0, 1)))
    design.sum().backward()
    assert features.grad.tolist() == [[2, 2], [2, 2], [1, 1]]
    assert delayed(np.ones((2, 2), np.float32), (1,)).dtype == np.float32


# Trap 4: the halo


@given(clock=clocks(), data=st.data())
def test_a_block_with_its_halo_equals_the_whole_story_on_the_kept_rows(clock, data):
    windows, trs, delays = clock
    features = sound_features(windows)
    whole_clock = story_clock(windows, trs, delays)
    whole = whole_clock.design(features)
    start = data.draw(st.integers(0, len(trs) - 1))
    stop = data.draw(st.integers(start + 1, len(trs)))
    rows = slice(start, whole_clock.halo + stop)
    weights = whole_clock.matrix[rows]
    needed = weights.any(0)  # a block computes only the windows that it needs
    block = weights[:, needed] @ features[needed]
    everything = whole_clock.matrix @ features
    mean, scale = moments(everything[-len(trs) :], whole_clock.mass[-len(trs) :].astype(float))
    block = (block - whole_clock.mass[rows] * mean) / scale
    kept = delayed(block, delays)[whole_clock.halo :]
    assert_allclose(kept, whole[start:stop], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("delays", [[], [-1, 2]])
def test_delays_that_are_none_or_negative_are_refused(delays):
    with pytest.raises(AlignmentError, match="delays"):
        story_clock(WINDOWS, np.arange(10, 50, 2.0), delays)


# Gaps


EVERY = 4.0 + 1.5 * np.arange(30)


@pytest.mark.parametrize(
    "times",
    [
        EVERY,
        np.delete(EVERY, [7, 8, 9, 20]),  # censored volumes
        EVERY[::2],  # every second one: the median of their distance is no TR
        np.r_[EVERY[:12], EVERY[12:] + 7.3],  # two runs joined, the second out of step
        EVERY + np.random.default_rng(0).uniform(-0.4, 0.4, 30),  # no two rows alike
    ],
    ids=["even", "censored", "halved", "joined", "uneven"],
)
def test_delays_are_seconds_whatever_lies_between_two_rows(times):
    """Row t, delay d is what a kernel at t - d * tr reads, z-scored as the rows without delay are."""
    delays, features = (0, 1, 4), sound_features(WINDOWS)
    design = story_clock(WINDOWS, times, delays, tr=1.5).design(features).reshape(len(times), 3, -1)

    def read(at):
        weights = np.stack([lanczos_matrix(WINDOWS, [time, time + 1.5])[0] for time in at])
        return weights @ features, weights.sum(1, keepdims=True)

    mean, scale = moments(*read(times))
    for k, delay in enumerate(delays):
        rows, mass = read(times - 1.5 * delay)
        expected = np.where((times - 1.5 * delay < 0)[:, None], 0.0, (rows - mass * mean) / scale)
        assert_allclose(design[:, k], expected, atol=0.01)  # rows within a hundredth of a TR are neighbours


# Stories


def test_rows_that_delays_add_before_the_first_window_are_silent():
    """Rows each 0.3 s, a window each second: nothing is heard 0.9 s before the first of them."""
    clock = story_clock(np.arange(1.0, 10.0), 0.6 + 0.3 * np.arange(20), [1, 2])
    assert_allclose(clock.matrix[:2].any(axis=1), [False, True])  # at 0 and at 0.3 s
    with pytest.raises(AlignmentError, match="1 of 2"):
        story_clock(np.arange(1.0, 10.0), 0.05 + 0.3 * np.arange(20), [1])


# Normalisation


def test_a_feature_that_never_changes_is_zero():
    windows = np.arange(1, 4401) * 0.25  # 18 minutes: rounding adds up
    features = sound_features(windows).astype(np.float32)
    features[:, 1] = 3.7
    design = story_clock(windows, np.arange(10, 1090, 2.0), (1,)).design(features)
    assert np.abs(design[:, 1]).max() < 1e-2
    assert_allclose(design[1:, [0, 2]].std(0), 1, atol=0.01)
    assert design.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_constant_but_for_rounding_has_no_z_score_and_a_nan_stays(dtype):
    rows = np.random.default_rng(0).standard_normal((1000, 4)).astype(dtype)
    rows[:, 1], rows[3, 2] = 1234.567, np.nan
    rows[:, 3] = 10.0 + 1e-3 * rows[:, 0]
    z = zscored(rows)
    assert_array_equal(z[:, 1], 0)
    assert np.isnan(z[:, 2]).all()
    assert_allclose(z[:, 3], z[:, 0], atol=0.01)  # small beside its mean, but not rounding
    assert_allclose(z[:, 0].std(), 1, rtol=1e-5)
