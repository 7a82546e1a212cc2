"""A study of two settings.

A file names what varies; `run_study` makes every combination once, and `study report` says what came out.
Started again, it does only what is missing.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from brainwavlm.study import load_study, open_study, run_study

Path("two.yaml").write_text(
    """
format: 1
name: two
preset: demo
base:
  {train: [bees, dog, ferry, play], validation: [chess], test: [museum, flood], windows.stride: 2.0, training.epochs: 2}
experiments:
  targets:
    question: Does it matter which voxels the loss sees?
    grid: {target: [cortex, AC], seed: [0, 1]}
    contrast: target
"""
)
run_study(load_study("two.yaml"), "two")

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
for record in open_study("two").cells:
    config = record.cell.config
    table = pd.read_csv(record.evaluation / "table.csv").set_index("target")
    change = table.loc[["AC", "cortex-AC"]].eval("r_tuned - r_frozen")
    axes.plot(change.index, change, "o-", color="C0" if config.target == "AC" else "C1", label=config.target)
axes.axhline(0, color="0.6", linewidth=0.8)
axes.set(ylabel="test r, tuned - frozen", title="Tuned on ...: two seeds (SIMULATED responses)")
handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # one a target
axes.legend(handles.values(), handles)
figure.savefig("study.webp")
