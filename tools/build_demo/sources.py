"""Step 5b. The time courses that the simulated cortex follows, one row every half second of a story.

Windows of 3 s end every 0.5 s, and each is read over its last second (what has just been heard):
    spectrum   log energy in 20 mel bands                              -> auditory sources
    early      hidden state 1 of wavlm-tiny-demo                       -> auditory sources
    deep       H h4 + c of the listener network (listener.py)          -> language sources
Each is reduced to its first principal components over the training stories, and brought to the times of volumes. The
result is kept in planted/sources.h5, so that responses can be simulated again without these models.

    python sources.py --cache CACHE --student MODEL
"""

import argparse
from pathlib import Path

import h5py
import numpy as np
import soundfile
import torch
from transformers import WavLMModel

from brainwavlm.encoding.alignment import lanczos_matrix

RATE, CONTEXT, STRIDE, READ = 16000, 3.0, 0.5, 1.0
FRAME = 0.02
TR = 2.0
DEMO = Path(__file__).parents[2] / "src/brainwavlm/assets/demo"
# Each split has all three voices.
SPLITS = {"validation": ("chess", "garden"), "test": ("dog", "flood", "museum", "orchestra", "rescue")}
N_SPECTRUM, N_EARLY, N_DEEP = 6, 6, 10


def split_of(story):
    return next((split for split, names in SPLITS.items() if story in names), "train")


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


def raw_sources(stories, student, listener):
    """For each story: ends (n,), spectrum (n, 20), early (n, 192) and deep (n, 24).

    Parameters
    ----------
    stories : dict of story to sound file
    student, listener : model folders; `listener` also holds meaning.npz
    """
    student = WavLMModel.from_pretrained(student, dtype=torch.float32).eval()
    hearing = WavLMModel.from_pretrained(listener, dtype=torch.float32).eval()
    meaning = np.load(listener / "meaning.npz")
    raw = {}
    for story, path in stories.items():
        ends, clips = windows(load_sound(path))
        raw[story] = {
            "ends": ends,
            "spectrum": spectrum(clips),
            "early": wavlm_states(student, 1, clips),
            "deep": wavlm_states(hearing, 4, clips) @ meaning["head"].T + meaning["bias"],
        }
    return raw


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


def at_trs(raw, names, n_dims, whiten):
    """Components of some sources at the times of volumes, z-scored over the training stories: story to (n_trs, n)."""
    training = [story for story in raw if split_of(story) == "train"]
    parts = [
        components({story: values[name] for story, values in raw.items()}, training, n, whiten)
        for name, n in zip(names, n_dims, strict=True)
    ]
    sampled = {}
    for story, values in raw.items():
        # Volumes that start at 0, 2, 4 ... s and end with the sound or before.
        times = TR * np.arange(int(values["ends"][-1] // TR), dtype=np.float64)
        sampled[story] = lanczos_matrix(values["ends"], times) @ np.hstack([part[story] for part in parts])
    pooled = np.concatenate([sampled[story] for story in training])
    return {story: (values - pooled.mean(0)) / pooled.std(0) for story, values in sampled.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--student", type=Path, required=True)
    arguments = parser.parse_args()
    stories = {path.stem: path for path in sorted((DEMO / "stimuli").glob("*.ogg"))}
    raw = raw_sources(stories, arguments.student, arguments.cache / "listener")
    with h5py.File(DEMO / "planted" / "sources.h5", "w") as file:
        file.attrs["simulated"] = True
        for story, values in at_trs(raw, ("spectrum", "early"), (N_SPECTRUM, N_EARLY), True).items():
            file[f"auditory/{story}"] = values.astype(np.float16)
        for story, values in at_trs(raw, ("deep",), (N_DEEP,), False).items():
            file[f"language/{story}"] = values.astype(np.float16)


if __name__ == "__main__":
    main()
