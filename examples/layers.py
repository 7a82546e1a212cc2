"""Where in the model: scores by hidden state.

Every hidden state of the frozen and of the tuned model gets a ridge of its own. States below the first adapted
block cannot change.
"""

import brainwavlm
from brainwavlm.reporting.figures import draw_figure

few = {"windows.stride": 2.0, "training.epochs": 5}  # coarse windows and few epochs: a minute
config = brainwavlm.load_config(preset="demo", overrides=few)
run = brainwavlm.tune(config, "layers")
scores = brainwavlm.evaluate(run, layers="all")
print(scores.layers[["target", "layer", "r_frozen", "r_tuned", "low", "high"]])

scores.save("layers/evaluation")
drawing = draw_figure("layers", "layers", width=160)  # mm; SIMULATED stands on it
drawing.figure.savefig("layers.webp", dpi=100)
