"""Sound from hidden states again: a decoder to log-mel energies, phases by Griffin and Lim, and how far it is off."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from brainwavlm.evaluation.speech_tasks.heads import Head, Loss, States, Training, outputs, trained
from brainwavlm.evaluation.speech_tasks.recognition import BATCH
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.stimulus.log_mel import HOP, N_FFT, log_mel, mel_filters

N_MELS = 80
N_CEPSTRA = 24
ROUNDS = 32
MOMENTUM = 0.99


def mel_decoder(mels: States, states: States, per_frame: int, training: Training) -> Head:
    """A head from each frame of hidden states to `per_frame` of log-mel energies, by mean absolute error."""
    losses = {split: _absolute(mels[split], per_frame) for split in ("train", "validation")}
    return trained(N_MELS * per_frame, True, losses, states, BATCH, training)


def decoded_mels(head: Head, states: Sequence[Tensor]) -> list[Tensor]:
    """Log-mel energies of each row, (n_mel_frames, 80)."""
    return [frames.reshape(-1, N_MELS) for frames in outputs(head, states, BATCH)]


def frames_of_mel(backbone: Backbone) -> int:
    """Frames of 10 ms in one of a speech model."""
    return max(backbone.family.frame_grid(backbone.model.config)[0] // HOP, 1)


def mel_of(sound: Tensor) -> Tensor:
    """Log-mel energies as in `log_mel`, (n_samples // 160, 80)."""
    return log_mel(sound[None], N_MELS)[0].T


def vocoded(mel: Tensor, rounds: int = ROUNDS) -> Tensor:
    """A sound (160 (n_frames - 1),) at 16 kHz whose log-mel energies are about these, (n_frames, 80) as of `mel_of`.

    Power by least squares, phases by fast Griffin-Lim: S = |STFT| from power = max(pinv(filters) 10^(4 mel - 4), 0);
    then, from random phases, c[n] = P(t[n]), t[n+1] = c[n] + .99 (c[n] - c[n-1]), P(t) = STFT(ISTFT(S t / |t|)).

    References
    ----------
    Griffin and Lim 1984; Perraudin, Balazs and Sondergaard 2013 (fast).
    """
    power = (torch.linalg.pinv(mel_filters(N_MELS)) @ 10 ** (4 * mel.T.float() - 4)).clamp(min=0)
    size, window = power.sqrt(), torch.hann_window(N_FFT)
    generator = torch.Generator().manual_seed(0)
    turned = torch.polar(torch.ones_like(size), 2 * torch.pi * torch.rand(size.shape, generator=generator))
    before = torch.zeros_like(turned)
    for _ in range(rounds):
        sound = torch.istft(size * turned / turned.abs().clamp(min=1e-9), N_FFT, HOP, window=window)
        now = torch.stft(sound, N_FFT, HOP, window=window, return_complex=True)
        turned, before = now + MOMENTUM * (now - before), now
    return torch.istft(size * turned / turned.abs().clamp(min=1e-9), N_FFT, HOP, window=window)


def distortion(true: Tensor, other: Tensor) -> np.ndarray:
    """Mel-cepstral distortion of each frame, dB, of log-mel energies (n_frames, 80); of the longer the end is cut off.

    MCD[t] = (10 / ln 10) sqrt(2 sum_k (c[t, k] - c'[t, k])^2), k = 1 to 24
    c[t, k] = (2 / M) sum_m ln A[t, m] cos(pi k (m + 1/2) / M) with A the amplitude in M = 80 mel bands

    c[0], the loudness, does not count. Frames stand as they are: nothing is warped.
    """
    from scipy.fft import dct

    n = min(len(true), len(other))
    log_amplitude = (true[:n] - other[:n]).double().numpy() * 4 * np.log(10) / 2
    cepstra = dct(log_amplitude, axis=1)[:, 1 : N_CEPSTRA + 1] / N_MELS  # scipy's DCT-II has the 2
    return 10 / np.log(10) * np.sqrt(2 * (cepstra**2).sum(1))


def _absolute(mels: Sequence[Tensor], per_frame: int) -> Loss:
    def loss(frames: Tensor, lengths: Tensor, rows: Sequence[int]) -> Tensor:
        said = frames.reshape(len(frames), -1, N_MELS)
        parts = []
        for place, row in enumerate(rows):
            n = min(int(lengths[place]) * per_frame, len(mels[row]))
            parts.append((said[place, :n] - mels[row][:n].to(said.device)).abs().mean())
        return torch.stack(parts).mean()

    return loss
