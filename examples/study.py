"""A study of two settings.

A file names what varies; `run_study` makes every combination once, and `brainwavlm study report` says what came out.
Started again, it does only what is missing.
"""

from pathlib import Path

from brainwavlm.reporting.figures import draw_figure
from brainwavlm.study import load_study, run_study

Path("two.yaml").write_text(
    """
format: 1
name: two
preset: demo
base: {windows.stride: 2.0, training.epochs: 5}
experiments:
  targets:
    question: Does it matter which voxels the loss sees?
    grid: {target: [cortex, AC], seed: [0, 1]}
    contrast: target
"""
)
run_study(load_study("two.yaml"), "two")

drawing = draw_figure("claims", "two", width=160)  # mm; SIMULATED stands on it
drawing.figure.savefig("study.webp", dpi=100)
print(drawing.values)
