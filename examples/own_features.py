"""Your own features into ridge.

Any array with a time for each row can predict responses: here the loudness of the sound, ten times a second,
against an auditory and a silent set of voxels. Resampling to TRs, z-scores and delays are those of every score.
"""

import matplotlib.pyplot as plt
import numpy as np

import brainwavlm
from brainwavlm.encoding import solve_ridge, story_clock
from brainwavlm.evaluation.scores import correlation
from brainwavlm.stimulus.audio import load_sound

dataset = brainwavlm.load_dataset("demo")
subject = dataset.subject("sim01")


def rows(story):
    """Design (n_trs, n_delays * n_dims) and z-scored responses (n_trs, n_voxels) of a story."""
    recording = subject.recordings[story]
    sound = load_sound(recording.story.audio)  # 16 kHz
    pieces = sound[: len(sound) // 1600 * 1600].reshape(-1, 1600)
    loudness = np.log(pieces.std(1, keepdims=True) + 1e-4)  # (n_pieces, 1)
    times = 0.1 * np.arange(1, len(pieces) + 1)  # when each piece ends, in seconds from the sound's onset
    responses = recording.responses()
    clock = story_clock(times, recording.tr_times, delays=(1, 2, 3, 4))
    return clock.design(loudness), (responses - responses.mean(0)) / responses.std(0)


stories = {name: story.split for name, story in dataset.stories.items()}
train = [rows(name) for name, split in stories.items() if split != "test"]
test = [rows(name) for name, split in stories.items() if split == "test"]
weights = solve_ridge(*map(np.concatenate, zip(*train, strict=True)), alphas=10.0)
design, responses = map(np.concatenate, zip(*test, strict=True))
r = correlation(responses, design @ weights)  # (n_voxels,)

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
auditory = subject.rois["AC"]
axes.hist([r[auditory], r[~auditory]], bins=30, density=True, label=["AC", "all others"])
axes.set(xlabel="test r", ylabel="density", title="Loudness predicts auditory cortex (SIMULATED responses)")
axes.legend()
figure.savefig("own_features.webp")
