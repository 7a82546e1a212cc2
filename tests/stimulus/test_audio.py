import numpy as np
import pytest
import soundfile

from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.audio import SAMPLE_RATE, load_sound


def tone(frequency: float, rate: int, seconds: float = 2.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def amplitude(sound: np.ndarray, frequency: float) -> float:
    """Amplitude at one frequency, away from the edges."""
    middle = sound[SAMPLE_RATE // 2 : -SAMPLE_RATE // 2].astype(np.float64)
    carrier = np.exp(-2j * np.pi * frequency * np.arange(len(middle)) / SAMPLE_RATE)
    return float(2 * abs(np.mean(middle * carrier)))


def test_stereo_at_44100_becomes_the_mean_of_channels_at_16000(tmp_path):
    left, right = 0.5 * tone(440, 44100), 0.3 * tone(1000, 44100)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 44100, subtype="PCM_16")
    sound = load_sound(tmp_path / "a.wav")
    assert sound.dtype == np.float32
    assert sound.shape == (2 * SAMPLE_RATE,)
    assert amplitude(sound, 440) == pytest.approx(0.25, abs=1e-3)
    assert amplitude(sound, 1000) == pytest.approx(0.15, abs=1e-3)
    exact = 0.25 * tone(440, SAMPLE_RATE) + 0.15 * tone(1000, SAMPLE_RATE)
    np.testing.assert_allclose(
        sound[800:-800], exact[800:-800], atol=1e-3
    )  # in phase: no delay from the filter


def test_what_16000_cannot_carry_is_removed_not_folded_back(tmp_path):
    soundfile.write(tmp_path / "a.wav", 0.5 * tone(10000, 44100), 44100)
    assert np.abs(load_sound(tmp_path / "a.wav")[800:-800]).max() < 1e-3  # would be a tone at 6 kHz


def write_without_rate(path):
    soundfile.write(path, tone(440, 16000), 16000)
    content = path.read_bytes()
    path.write_bytes(content[:24] + bytes(4) + content[28:])


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_text("/annex/objects/SHA256E-s53000000--0123.wav"), "git-annex pointer"),
        (lambda path: path.write_text("words, not sound " * 100), "not readable as sound"),
        (lambda path: soundfile.write(path, np.zeros(0), 16000), "no samples"),
        (lambda path: soundfile.write(path, tone(1, 100), 1), "a sampling rate of 1 Hz"),
        (lambda path: soundfile.write(path, tone(440, 16000), 768001), "a sampling rate of 768001 Hz"),
        (write_without_rate, "a sampling rate of 0 Hz"),  # which libsndfile does not open
    ],
)
def test_what_is_no_sound_is_named(tmp_path, write, said):
    path = tmp_path / "story.wav"
    write(path)
    with pytest.raises(DatasetError, match=said) as caught:
        load_sound(path)
    assert caught.value.path == str(path)
