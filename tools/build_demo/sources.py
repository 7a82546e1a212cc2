"""Step 5b. The time courses that the simulated cortex follows, one row every half second of a story.

Windows of 3 s end every 0.5 s, and each is read over its last second (what has just been heard):
    spectrum   log energy in 20 mel bands                              -> auditory sources
    early      hidden state 1 of wavlm-tiny-demo                       -> auditory sources
    deep       H h4 + c of the listener network (listener.py)          -> language sources
    teacher    output of Whisper tiny.en's encoder: for the simulation in which little can be learned
               (docs/results/simulation.md)
Each is reduced to its first principal components over the training stories.
"""

import numpy as np
import soundfile
import torch
from transformers import WavLMModel, WhisperFeatureExtractor, WhisperModel

RATE, CONTEXT, STRIDE, READ = 16000, 3.0, 0.5, 1.0
FRAME = 0.02


def load_sound(path):
    sound, rate = soundfile.read(path, dtype="float32")
    if rate != RATE:
        raise ValueError(f"{path}: {rate} Hz, expected {RATE}. Speak it again with speak.py.")
    return sound


def windows(sound):
    """Ends (n,) in s and windows (n, 48000); silence stands before the story's start."""
    ends = np.arange(STRIDE, len(sound) / RATE + 1e-9, STRIDE)
    padded = np.concatenate([np.zeros(int(CONTEXT * RATE), np.float32), sound])
    cut = [padded[round(end * RATE) : round(end * RATE) + int(CONTEXT * RATE)] for end in ends]
    return ends, torch.from_numpy(np.stack(cut))


def mel_bands(n_bands=20, n_fft=512):
    """Triangular filters (n_bands, n_fft // 2 + 1), equally spaced on the mel scale from 60 Hz to 8 kHz."""

    def mel(f):
        return 2595 * np.log10(1 + np.asarray(f) / 700)

    edges = 700 * (10 ** (np.linspace(mel(60), mel(RATE / 2), n_bands + 2) / 2595) - 1)
    frequency = np.fft.rfftfreq(n_fft, 1 / RATE)
    rising = (frequency - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequency) / np.diff(edges)[1:, None]
    return np.clip(np.minimum(rising, falling), 0, None)


def spectrum(clips):
    """(n, 20): log mel energy, mean over the last second of each window."""
    last = clips[:, -int(READ * RATE) :]
    power = (
        torch.stft(last, 512, 320, window=torch.hann_window(512), center=False, return_complex=True)
        .abs()
        .square()
    )
    energy = torch.einsum("bf,nft->nbt", torch.from_numpy(mel_bands()).float(), power)
    return energy.clamp_min(1e-5).log10().mean(2).numpy()


@torch.inference_mode()
def wavlm_states(model, layer, clips):
    """(n, 192): hidden state `layer`, mean over the last second of each window."""
    model.encoder.layers = model.encoder.layers[:layer]
    states = [
        model(part, output_hidden_states=True).hidden_states[layer][:, -int(READ / FRAME) :].mean(1)
        for part in clips.split(16)
    ]
    return torch.cat(states).numpy()


@torch.inference_mode()
def whisper_states(model, extractor, clips):
    """(n, 384): encoder output over the window alone, mean over the last second."""
    states = []
    keep = int(CONTEXT / FRAME)
    for clip in clips:
        mel = extractor(clip.numpy(), sampling_rate=RATE, return_tensors="pt").input_features[..., : 2 * keep]
        hidden = torch.nn.functional.gelu(model.conv1(mel))
        hidden = (
            torch.nn.functional.gelu(model.conv2(hidden)).permute(0, 2, 1)
            + model.embed_positions.weight[:keep]
        )
        for layer in model.layers:
            hidden = layer(hidden, None)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        states.append(model.layer_norm(hidden)[0, -int(READ / FRAME) :].mean(0))
    return torch.stack(states).numpy()


def raw_sources(stories, student, listener, whisper=None):
    """For each story: ends (n,), spectrum (n, 20), early (n, 192), deep (n, 24) and, if asked for, teacher (n, 384).

    Parameters
    ----------
    stories : dict of story to sound file
    student, listener, whisper : model folders; `listener` also holds meaning.npz
    """
    student = WavLMModel.from_pretrained(student, dtype=torch.float32).eval()
    hearing = WavLMModel.from_pretrained(listener, dtype=torch.float32).eval()
    meaning = np.load(listener / "meaning.npz")
    if whisper:
        teacher, extractor = (
            WhisperModel.from_pretrained(whisper).encoder.eval(),
            WhisperFeatureExtractor.from_pretrained(whisper),
        )
    found = {}
    for story, path in stories.items():
        ends, clips = windows(load_sound(path))
        found[story] = {
            "ends": ends,
            "spectrum": spectrum(clips),
            "early": wavlm_states(student, 1, clips),
            "deep": wavlm_states(hearing, 4, clips) @ meaning["head"].T + meaning["bias"],
        }
        if whisper:
            found[story]["teacher"] = whisper_states(teacher, extractor, clips)
    return found


def components(arrays, training, n_dims, whiten):
    """Principal components over the training stories: dict of story to (n, n_dims), each of variance 1 over the
    training stories.

    `whiten` z-scores the columns first, so that no band or unit counts for its scale.
    """
    pooled = np.concatenate([arrays[story] for story in training])
    mean, scale = pooled.mean(0), pooled.std(0) if whiten else np.ones(pooled.shape[1])
    _, _, basis = np.linalg.svd((pooled - mean) / scale, full_matrices=False)
    basis = basis[:n_dims].T
    spread = ((pooled - mean) / scale @ basis).std(0)
    return {story: (array - mean) / scale @ basis / spread for story, array in arrays.items()}
