"""How opened runs and maps look in a notebook: small, quiet, every text escaped. Tables are made by hypertext.py."""

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from brainwavlm.config import CONTROLS
from brainwavlm.errors import BrainwavlmError
from brainwavlm.hypertext import block, sentence, shown, simulated_badge, table

if TYPE_CHECKING:
    from brainwavlm.reporting.exports import RunMaps
    from brainwavlm.runs import Run

_MOST_RUNS = 4
_MOST_VERTICES = 50_000  # of a hemisphere: more take matplotlib longer than somebody waits for a cell
_LATE = 6


def run_html(run: "Run") -> str:
    """What a run was asked, how far it came, and its last epochs."""
    return _or_its_error(str(run.path), lambda: _run(run))


def maps_html(runs: "Sequence[RunMaps]") -> str:
    """Frozen r, tuned r and their difference on the cortex, and the names of all maps, run by run."""
    parts = [_or_its_error(run.name, lambda run=run: _maps(run)) for run in runs[:_MOST_RUNS]]  # type: ignore[misc]
    if len(runs) > _MOST_RUNS:
        parts.append(sentence(f"… and {len(runs) - _MOST_RUNS} more runs"))
    return "".join(parts)


def _or_its_error(title: str, made: Callable[[], str]) -> str:
    """A cell shows what is wrong with a damaged run, as text; a traceback would hide it."""
    try:
        return made()
    except (BrainwavlmError, OSError) as error:
        return block(title, ["CANNOT BE SHOWN"], *(sentence(line) for line in str(error).splitlines()))


def _run(run: "Run") -> str:
    config, result = run.config, run.result
    badges = simulated_badge(any(side.manifest["data"]["simulated"] for side in run.sides))
    control = config.control.kind
    lines = [
        f"{of['dataset']}, {of['subject']}: {of['n_target']:,} of {of['n_voxels']:,} voxels, target {config.target}"
        for of in (side.manifest["data"] for side in run.sides)
    ]
    lines.append(
        f"{config.backbone.name}, layer {config.backbone.layer}, {config.adapter.method}, seed {config.seed}"
    )
    if control != "none":
        badges.append("CONTROL")
        lines.append(f"Tuned on {CONTROLS[control]}.")
    state = result or (run.checkpoint("last").state if run.checkpoints else {"history": [], "best": None})
    history: list[dict[str, Any]] = state["history"]
    lines.append(_progress(run, history, state["best"]))
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


def _progress(run: "Run", history: Sequence[dict[str, Any]], best: dict[str, Any] | None) -> str:
    n_epochs = run.config.training.epochs
    at = f"Epoch {history[-1]['epoch']} of at most {n_epochs}" if history else f"No epoch of {n_epochs} done"
    found = (
        "" if best is None else f"; best: epoch {best['epoch']}, validation r {shown(best['validation_r'])}"
    )
    return f"{at}{found}." if run.result else f"Not finished. {at}{found}."


def _curve(values: Sequence[float | None]) -> str:
    """Validation r over the epochs as a line without axes: its course, not its numbers, which stand below."""
    known = [(n, value) for n, value in enumerate(values) if value is not None]
    if len(known) < 3:
        return ""
    numbers = np.array(known, dtype=np.float64)
    low, span = numbers.min(axis=0), np.ptp(numbers, axis=0)
    x, y = ((numbers - low) / np.where(span > 0, span, 1)).T
    points = " ".join(f"{4 + 192 * a:.1f},{36 - 32 * b:.1f}" for a, b in zip(x, y, strict=True))
    words = f"Validation r over epochs: {shown(float(numbers[0, 1]))} to {shown(float(numbers[-1, 1]))}."
    return (
        f'<svg width="200" height="40" role="img" aria-label="{escape(words)}" style="margin:4px 0">'
        f"<title>{escape(words)}</title>"
        f'<polyline points="{points}" fill="none" stroke="#0072b2" stroke-width="2"/></svg>'
    )


def _maps(run: "RunMaps") -> str:
    entry = run.entry
    on = (
        f"on the surface {run.sheet.name}"
        if run.sheet
        else "in a volume"
        if run.grid
        else "in no known place"
    )
    masks = [name for name, one in run.maps.items() if one.kind == "mask"]
    numbers = [name for name, one in run.maps.items() if one.kind != "mask"]
    control = ["CONTROL"] if entry["control"] != "none" else []
    return block(
        f"Maps of run {run.name}",
        [*simulated_badge(run.simulated), *control],
        sentence(f"{entry['subject']}, tuned on {entry['target']}; {len(run.voxel):,} voxels {on}"),
        _picture(run),
        sentence(f"Numbers: {', '.join(numbers)}"),
        sentence(f"Masks: {', '.join(masks)}"),
        *(sentence(note) for note in run.notes),
    )


def _picture(run: "RunMaps") -> str:
    from brainwavlm.reporting.brains import Panel, Shape, brain_panels
    from brainwavlm.reporting.canvas import page_canvas
    from brainwavlm.reporting.exports_files import shown_scales
    from brainwavlm.reporting.style import data_uri, png

    mesh = run.sheet.mesh if run.sheet else None
    if mesh is None:
        return ""
    n_vertices = max(len(half.sulcal) for half in (mesh.left, mesh.right))
    kinds = [kind for kind in mesh.left.points if kind in mesh.right.points]
    if n_vertices > _MOST_VERTICES or not kinds:
        return sentence(f"Surfaces of {n_vertices:,} vertices are drawn by `brainwavlm report`.")
    kind = kinds[0]
    shapes = {
        side: Shape(half.points[kind], half.triangles[kind], half.sulcal)
        for side, half in (("left", mesh.left), ("right", mesh.right))
    }
    scales = shown_scales(run)
    views = ("flat",) if kind == "flat" else ("lateral",)
    panels = [Panel(name, run.surface(name), scale, shapes, views) for name, scale in scales.items()]
    figure = brain_panels(panels, len(panels), "", run.simulated, page_canvas(7.0))
    means = ", ".join(f"{name} {shown(_mean(run.maps[name].values))}" for name in scales)
    image = data_uri(png(figure))
    return f'<img alt="Maps on the {kind} surface. Means over voxels: {means}." src="{image}" style="width:100%">'


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
