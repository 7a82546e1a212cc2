"""Acoustic features: of a sound at 16 kHz, a row for each 10 ms."""

from typing import Any

import numpy as np
import torch

from brainwavlm.errors import ConfigError
from brainwavlm.stimulus.decoded_sound import SAMPLE_RATE
from brainwavlm.stimulus.features.units import FRAME_SECONDS
from brainwavlm.stimulus.log_mel import HOP, log_mel

N_MELS = 80  # as Whisper hears
N_CEPSTRA = 13


def mel(sound: torch.Tensor) -> np.ndarray:
    """Log-mel energies of the whole sound (`log_mel`), (n_frames, 80) float64."""
    return log_mel(sound[None], N_MELS)[0].T.double().cpu().numpy()


def mfcc(sound: torch.Tensor) -> np.ndarray:
    """The first 13 coefficients of the orthonormal DCT-II of the log-mel energies, (n_frames, 13)."""
    from scipy.fft import dct

    return dct(mel(sound), norm="ortho", axis=1)[:, :N_CEPSTRA]


def envelope(sound: torch.Tensor) -> np.ndarray:
    """Root mean square of the samples of each frame, (n_frames, 1)."""
    n_frames = len(sound) // HOP
    frames = sound[: n_frames * HOP].reshape(n_frames, HOP).double()
    return frames.square().mean(1, keepdim=True).sqrt().cpu().numpy()


def flux(sound: torch.Tensor) -> np.ndarray:
    """Spectral flux: flux[t] = sum_m max(mel[t, m] - mel[t - 1, m], 0), flux[0] = 0; (n_frames, 1)."""
    energies = mel(sound)
    return np.maximum(np.diff(energies, axis=0, prepend=energies[:1]), 0).sum(1, keepdims=True)


def pitch(sound: torch.Tensor) -> np.ndarray:
    """log2 of the fundamental frequency in Hz by Praat's autocorrelation, (n_frames, 1); NaN where unvoiced."""
    track = _praat_sound("pitch", sound).to_pitch(time_step=FRAME_SECONDS)
    hertz = track.selected_array["frequency"]
    voiced = np.where(hertz > 0, hertz, np.nan)
    return _on_frames(track.xs(), np.log2(voiced), len(sound))


def intensity(sound: torch.Tensor) -> np.ndarray:
    """Intensity in dB as Praat smooths it (for pitches above 100 Hz), (n_frames, 1); NaN at both ends."""
    track = _praat_sound("intensity", sound).to_intensity(time_step=FRAME_SECONDS)
    return _on_frames(track.xs(), track.values[0], len(sound))


def _on_frames(times: np.ndarray, values: np.ndarray, n_samples: int) -> np.ndarray:
    """Values at the frames that their times lie in, (n_frames, 1); NaN in the others."""
    frames = np.full((n_samples // HOP, 1), np.nan)
    places = (times / FRAME_SECONDS + 1e-6).astype(int)
    within = places < len(frames)
    frames[places[within], 0] = values[within]
    return frames


def _praat_sound(name: str, sound: torch.Tensor) -> Any:
    try:
        import parselmouth
    except ImportError:
        raise ConfigError(
            "features",
            f"{name}, without the package praat-parselmouth.",
            "Praat, which measures it.",
            "pip install 'brainwavlm[praat]'   or leave it out.",
        ) from None
    return parselmouth.Sound(sound.double().cpu().numpy(), SAMPLE_RATE)
