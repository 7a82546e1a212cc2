"""Frozen against tuned, voxel by voxel.

Tune for five epochs, score both models with fresh ridge on stories that neither has seen, and
draw a dot a voxel.
"""

import matplotlib.pyplot as plt

import brainwavlm

few = {"windows.stride": 2.0, "training.epochs": 5}  # coarse windows and few epochs: a minute
config = brainwavlm.load_config(preset="demo", overrides=few)
run = brainwavlm.tune(config, "frozen-and-tuned")
scores = brainwavlm.evaluate(run)
print(scores.table[["target", "r_frozen", "r_tuned", "low", "high"]])

voxels = scores.voxels
figure, axes = plt.subplots(figsize=(4, 4), layout="constrained")
for name, inside in {"others": ~voxels["AC"].astype(bool), "AC": voxels["AC"].astype(bool)}.items():
    axes.plot(voxels.r_frozen[inside], voxels.r_tuned[inside], ".", markersize=3, label=name)
axes.axline((0, 0), slope=1, color="0.5", linewidth=0.8)
axes.set(xlabel="test r, frozen", ylabel="test r, tuned", title="SIMULATED responses, 5 epochs")
axes.legend()
figure.savefig("frozen_and_tuned.webp")
