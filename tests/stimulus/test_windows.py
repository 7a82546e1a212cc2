import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainwavlm.config import WindowConfig
from brainwavlm.errors import AlignmentError
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.windows import cut_windows


def test_windows_of_the_authors_start_short_and_slide_by_a_quarter_second():
    windows = cut_windows(10 * SAMPLE_RATE, WindowConfig(context=4.0, stride=0.25))
    np.testing.assert_allclose(windows.times, np.arange(0.25, 10.01, 0.25))
    assert windows.lengths[0] == 4000
    assert windows.starts[15] == 0
    assert windows.starts[16] == 4000
    assert set(windows.lengths[15:]) == {4 * SAMPLE_RATE}
    assert windows.starts.dtype == windows.ends.dtype == np.int64
    assert windows.times.dtype == np.float64
    for min_samples, first in ((400, 0.04), (320, 0.02)):  # too short for the model: left out
        config = WindowConfig(context=1.0, stride=0.02)
        assert cut_windows(16000, config, min_samples=min_samples).times[0] == first


def test_the_last_window_ends_with_the_sound_when_the_stride_divides_it():
    for seconds, stride in ((0.3, 0.1), (0.7, 0.1), (541.0, 0.25), (1.0, 1 / 13), (2.007, 2.007)):
        windows = cut_windows(round(seconds * SAMPLE_RATE), WindowConfig(context=0.5, stride=stride))
        assert windows.ends[-1] == round(seconds * SAMPLE_RATE)


def test_strides_that_are_no_whole_samples_do_not_drift():
    windows = cut_windows(600 * SAMPLE_RATE, WindowConfig(context=2.0, stride=1 / 3))
    assert len(windows) == 1800
    assert np.abs(windows.times - np.arange(1, 1801) / 3).max() <= 0.5 / SAMPLE_RATE


@given(
    n_samples=st.integers(400, 200_000),
    context=st.floats(0.025, 8.0),
    stride=st.floats(0.001, 3.0),
)
def test_windows_never_leave_the_sound_and_never_exceed_the_context(n_samples, context, stride):
    try:
        windows = cut_windows(n_samples, WindowConfig(context=context, stride=stride))
    except AlignmentError:
        assert n_samples < max(round(stride * SAMPLE_RATE), 400) + 1
        return
    assert windows.starts.min() >= 0
    assert windows.ends.max() <= n_samples
    assert n_samples - windows.ends[-1] < stride * SAMPLE_RATE + 1
    assert (np.diff(windows.ends) > 0).all()
    assert windows.lengths.min() >= 400
    assert windows.lengths.max() <= round(context * SAMPLE_RATE)
    whole = windows.ends >= round(context * SAMPLE_RATE)
    assert (windows.lengths[whole] == round(context * SAMPLE_RATE)).all()


@pytest.mark.parametrize(
    ("n_samples", "context", "stride"), [(3999, 4.0, 0.25), (16000, 0.02, 0.25), (16000, 1.0, 1e-5)]
)
def test_settings_without_a_window_are_refused(n_samples, context, stride):
    with pytest.raises(AlignmentError):
        cut_windows(n_samples, WindowConfig(context=context, stride=stride))
