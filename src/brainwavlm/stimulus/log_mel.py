"""The log-mel spectrogram that Whisper hears."""

from functools import lru_cache

import torch
from torch import Tensor
from transformers import WhisperFeatureExtractor

N_FFT, HOP = 400, 160  # every published Whisper; WhisperFeatureExtractor's defaults


def log_mel(sound: Tensor, n_mels: int) -> Tensor:
    """Whisper's input, of the windows alone (WhisperFeatureExtractor pads to 30 s first).

    mel = filters' |STFT(sound)|^2 without its last frame
    log_mel = (max(log10(max(mel, 1e-10)), m - 8) + 4) / 4 with m the window's largest log10

    Parameters
    ----------
    sound : tensor (n_windows, n_samples)
    n_mels : int

    Returns
    -------
    tensor (n_windows, n_mels, n_samples // 160)
    """
    log = log_power(sound, n_mels)
    return compressed(log, log.amax(dim=(1, 2), keepdim=True))


def log_power(sound: Tensor, n_mels: int) -> Tensor:
    """log10(max(mel, 1e-10)) of `log_mel`, (n_windows, n_mels, n_samples // 160)."""
    window = torch.hann_window(N_FFT, device=sound.device)
    spectrum = torch.stft(sound, N_FFT, HOP, window=window, return_complex=True)[..., :-1]
    power = spectrum.abs().square().contiguous()
    return (mel_filters(n_mels).to(sound.device) @ power).clamp(min=1e-10).log10()


def compressed(log: Tensor, largest: Tensor) -> Tensor:
    """(max(log, largest - 8) + 4) / 4, with `largest` (n_windows, 1, 1)."""
    return (torch.maximum(log, largest - 8.0) + 4.0) / 4.0


@lru_cache
def mel_filters(n_mels: int) -> Tensor:
    """Weights of the spectrum's power in each band, (n_mels, 201)."""
    filters = WhisperFeatureExtractor(feature_size=n_mels, n_fft=N_FFT, hop_length=HOP).mel_filters
    return torch.from_numpy(filters).float().T.contiguous()
