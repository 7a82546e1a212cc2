"""Maps on the cortex.

The scores of every voxel, on the surface where it lies: here with nilearn, from the arrays that `open_maps`
gives. `brainwavlm maps` writes them as files, `brainwavlm report` as an interactive cortex.
"""

import matplotlib.pyplot as plt
from nilearn.datasets import load_fsaverage
from nilearn.plotting import plot_surf_stat_map

import brainwavlm

few = {"windows.stride": 2.0, "training.epochs": 5}  # coarse windows and few epochs: a minute
config = brainwavlm.load_config(preset="demo", overrides=few)
run = brainwavlm.tune(config, "maps")
brainwavlm.evaluate(run).save("maps/evaluation")
maps = brainwavlm.open_maps("maps")["maps"]

figure, panels = plt.subplots(1, 2, figsize=(7, 3), subplot_kw={"projection": "3d"}, layout="constrained")
mesh = load_fsaverage("fsaverage5")["inflated"]
for axes, name in zip(panels, ("r_tuned", "difference"), strict=True):
    values = maps.surface(name)["left"]  # (n_vertices,), NaN where no voxel lies
    plot_surf_stat_map(mesh.parts["left"], values, hemi="left", view="lateral", axes=axes, title=name)
figure.suptitle("SIMULATED responses")
figure.savefig("maps.webp")
