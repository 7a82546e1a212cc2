"""The noise ceiling: how well could any model do?

Test stories of the embedded data set were "heard" five times. What repeats share is signal; a perfect model
reaches CC_max in the mean of them. Fewer repeats, lower ceiling. Responses are SIMULATED.
"""

import matplotlib.pyplot as plt
import numpy as np

import brainwavlm
from brainwavlm.evaluation.scores import cc_max

subject = brainwavlm.load_dataset("demo").subject("sim01")
tests = [recording for recording in subject.recordings.values() if recording.story.split == "test"]
repeats = np.concatenate(
    [recording.repeats() for recording in tests], axis=1
)  # (n_repeats, n_rows, n_voxels)

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
for number in (2, 3, len(repeats)):
    ceiling = cc_max(repeats[:number])  # (n_voxels,), NaN where there is no signal
    known = np.isfinite(ceiling)
    axes.hist(
        ceiling[known], bins=40, histtype="step", label=f"{number} repeats: {known.mean():.0%} of voxels"
    )
axes.set(xlabel="noise ceiling, CC_max", ylabel="voxels", title="SIMULATED responses")
axes.legend(loc="upper left")
figure.savefig("noise_ceiling.webp")
