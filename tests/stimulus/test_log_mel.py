import pytest
import torch
from transformers import WhisperFeatureExtractor

from brainwavlm.stimulus.log_mel import log_mel
from tests.models import noise


@pytest.mark.parametrize("seconds", [4.0, 0.3333])
def test_whisper_hears_what_its_feature_extractor_makes_without_padding(seconds):
    windows = noise(3, seconds)
    extractor = WhisperFeatureExtractor()
    expected = extractor(list(windows.numpy()), sampling_rate=16000, padding="longest", return_tensors="pt")
    found = log_mel(windows, 80)
    assert found.shape[-1] == windows.shape[1] // 160
    torch.testing.assert_close(found, expected.input_features, atol=1e-5, rtol=1e-5)


def test_every_window_has_its_own_floor_and_each_model_as_many_bands_as_it_asks_for():
    """The clamp 8 below the maximum is of the window, not of the batch."""
    quiet, loud = 1e-4 * noise(1), noise(1, seed=1)
    torch.testing.assert_close(log_mel(torch.cat([quiet, loud]), 80)[:1], log_mel(quiet, 80))
    assert log_mel(quiet, 128).shape == (1, 128, 50)
