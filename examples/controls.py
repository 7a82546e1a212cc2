"""Controls: responses that lost their link to the sound.

A control run tunes on such responses and is scored on the true ones. Each keeps something: its amplitudes, its
spectrum, its time within blocks. `--set control.kind=shifted` (or another) makes a run a control.
"""

import matplotlib.pyplot as plt
import numpy as np

import brainwavlm
from brainwavlm.encoding.controls import block_permuted, phase_randomised, shifted

subject = brainwavlm.load_dataset("demo").subject("sim01")
recording = subject.recordings["dog"]
true = recording.responses()[:, subject.rois["AC"]]
true = (true - true.mean(0)) / true.std(0)  # (n_trs, n_voxels)

random = np.random.default_rng(0)
made = {
    "the responses": true,
    "shifted": shifted(true, 10, random),
    "block-permuted": block_permuted(true, 5, random),
    "phase-randomised": phase_randomised(true, random),
}
figure, panels = plt.subplots(2, 4, figsize=(10, 4), layout="constrained", sharey="row")
for (name, responses), (course, spectrum) in zip(made.items(), panels.T, strict=True):
    course.plot(recording.tr_times, responses[:, 0], label="control")
    course.plot(recording.tr_times, true[:, 0], color="0.8", zorder=0)
    course.set(title=name, xlabel="s")
    power = np.abs(np.fft.rfft(responses, axis=0)) ** 2
    spectrum.plot(np.fft.rfftfreq(len(responses), recording.tr)[1:], power.mean(1)[1:])
    spectrum.set(xlabel="Hz")
panels[0, 0].set_ylabel("one voxel")
panels[1, 0].set_ylabel("power, mean of AC")
figure.suptitle("SIMULATED responses")
figure.savefig("controls.webp")
