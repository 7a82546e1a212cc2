"""Other subjects: who was tuned on, who is scored.

One model is tuned on each subject. `transfer` fits ridge anew in every subject, on the tuned and on the frozen
features.
"""

import brainwavlm
from brainwavlm.reporting.figures import draw_figure

few = {"windows.stride": 2.0, "training.epochs": 5}  # coarse windows and few epochs: a minute
runs = [
    brainwavlm.tune(
        brainwavlm.load_config(preset="demo", overrides={**few, "subject": name}), f"tuned-on-{name}"
    )
    for name in ("sim01", "sim02")
]
matrix = brainwavlm.transfer(runs, cache="features")
matrix.save("transfer")

drawing = draw_figure("transfer", "transfer", width=120)  # mm; SIMULATED stands on it
drawing.figure.savefig("transfer.webp", dpi=100)
print(drawing.values)
