"""How an opened run looks in a notebook: small, quiet, every text escaped."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from brainwavlm.config import CONTROLS
from brainwavlm.formatting.html import block, sentence, shown, simulated_badge, table

_LATE = 6


def run_html(run: Any) -> str:
    """What a `Run` was asked, how far it came, and its last epochs."""
    config, history, best = run.config, run.history, run.best
    data = [side.manifest["data"] for side in run.sides]
    badges = simulated_badge(any(of["simulated"] for of in data))
    control = config.control.kind
    lines = [
        f"{of['dataset']}, {of['subject']}: {of['n_target']:,} of {of['n_voxels']:,} voxels, target {config.target}"
        for of in data
    ]
    lines.append(
        f"{config.backbone.name}, layer {config.backbone.layer}, {config.adapter.method}, seed {config.seed}"
    )
    if control != "none":
        badges.append("CONTROL")
        lines.append(f"Tuned on {CONTROLS[control]}.")
    n_epochs = config.training.epochs
    at = f"Epoch {history[-1]['epoch']} of at most {n_epochs}" if history else f"No epoch of {n_epochs} done"
    if best is not None:
        at += f"; best: epoch {best['epoch']}, validation r {shown(best['validation_r'])}"
    lines.append(f"{at}." if run.result is not None else f"Not finished. {at}.")
    rows = [{"epoch": 0, "loss": None, "validation_r": None} | row for row in history[-_LATE:]]
    columns = ("epoch", "loss", "validation_r")
    epochs = table([{key.replace("_", " "): row[key] for key in columns} for row in rows])
    return block(
        f"Run {run.path.resolve().name}",
        badges,
        *(sentence(line) for line in lines),
        _curve([row["validation_r"] for row in history]),
        epochs if len(history) <= _LATE else sentence(f"The last {_LATE} epochs:") + epochs,
    )


def _curve(values: Sequence[float | None]) -> str:
    """Validation r over the epochs as a line without axes: its course, not its numbers, which stand below."""
    measured = [(n, value) for n, value in enumerate(values) if value is not None]
    if len(measured) < 3:
        return ""
    numbers = np.array(measured, dtype=np.float64)
    low, span = numbers.min(axis=0), np.ptp(numbers, axis=0)
    x, y = ((numbers - low) / np.where(span > 0, span, 1)).T
    points = " ".join(f"{4 + 192 * a:.1f},{36 - 32 * b:.1f}" for a, b in zip(x, y, strict=True))
    words = f"Validation r over epochs: {shown(float(numbers[0, 1]))} to {shown(float(numbers[-1, 1]))}."
    return (
        f'<svg width="200" height="40" role="img" aria-label="{escape(words)}" style="margin:4px 0">'
        f"<title>{escape(words)}</title>"
        f'<polyline points="{points}" fill="none" stroke="#0072b2" stroke-width="2"/></svg>'
    )
