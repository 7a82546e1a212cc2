"""Maps on the cortex: a value at each vertex, and how it is coloured."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainwavlm.errors import BrainwavlmError, ConfigError, RunError
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.brains import Panel, brain_panels
from brainwavlm.reporting.figures.folders import Place, Scored, Shown, scored_runs
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.reporting.figures.style import Canvas, Style
from brainwavlm.reporting.meshes import Mesh, mesh_of
from brainwavlm.reporting.sources import sources_of
from brainwavlm.reporting.surface_maps import (
    Scale,
    correlation_scale,
    difference_scale,
    values_at_vertices,
)
from brainwavlm.results.evaluation import RunVoxels
from brainwavlm.results.schemas import AGAIN

_TITLES = {
    "frozen": "frozen",
    "tuned": "tuned",
    "difference": "tuned − frozen",
    "share": "tuned, share of the ceiling",
    "share-frozen": "frozen, share of the ceiling",
}
_NARROWEST = 1.9  # inches of a panel
_COLUMNS = {"share": "normalised_tuned", "share-frozen": "normalised_frozen"}
_RATES = {
    "frozen": "q_frozen",
    "tuned": "q_tuned",
    "difference": "q_difference",
    "share": "q_tuned",
    "share-frozen": "q_frozen",
}


def vertices_table(maps: Mapping[str, np.ndarray], run: str, quantity: str) -> pd.DataFrame:
    """run, quantity, hemisphere, vertex, value: a row a vertex with a value; maps are arrays (n_vertices,)."""
    frames = []
    for side, values in maps.items():
        vertex = np.flatnonzero(np.isfinite(values))
        columns = {"hemisphere": side, "vertex": vertex, "value": values[vertex]}
        frames.append(pd.DataFrame({"run": run, "quantity": quantity, **columns}))
    return pd.concat(frames, ignore_index=True)


def maps(places: Sequence[Place], choice: Choice) -> Shown:
    """Both hemispheres for each run and quantity."""
    runs = scored_runs(places, choice)
    quantities = choice.quantity or ("frozen", "tuned", "difference")
    kind = choice.view or "inflated"
    tables, drawn = [], []
    for run in runs:
        mesh = _mesh(run, kind)
        for quantity in quantities:
            values = _quantity(run, quantity, choice.q)
            at_vertices = values_at_vertices(mesh, run.voxels.voxel, values)
            tables.append(vertices_table(at_vertices, run.name, quantity))
            title = _TITLES[quantity]
            name = capitalised(title) if len(runs) == 1 else f"{capitalised(run.label)}: {title}"
            drawn.append((quantity, name, at_vertices, mesh))

    def draw(canvas: Canvas) -> Figure:
        scales = _scales(runs, quantities, choice.q, canvas.style)
        panels = [Panel(name, maps, scales[of], mesh, kind) for of, name, maps, mesh in drawn]
        room = max(int(canvas.width / _NARROWEST), 1)
        columns = min(room, len(panels)) if len(runs) == 1 else 1
        return brain_panels(panels, len(quantities) if len(quantities) <= room else columns, canvas)

    simulated = any(run.entry["simulated"] for run in runs)
    return Shown(pd.concat(tables, ignore_index=True), simulated, draw)


def _quantity(run: Scored, quantity: str, q: float | None) -> np.ndarray:
    """Values of a quantity, voxel by voxel; NaN where the false discovery rate is not below q.

    Raises
    ------
    RunError
        The evaluation has no such column.
    """
    scores = run.voxels
    if quantity in _COLUMNS:
        values = _column(run, scores, _COLUMNS[quantity])
    else:
        values = {
            "frozen": scores.frozen,
            "tuned": scores.tuned,
            "difference": scores.tuned - scores.frozen,
        }[quantity]
    return values if q is None else np.where(_column(run, scores, _RATES[quantity]) < q, values, np.nan)


def _column(run: Scored, scores: RunVoxels, name: str) -> np.ndarray:
    path = run.results.path / "voxels.csv"
    if name not in scores.more:
        raise RunError(path, f"no column {name}.", "an evaluation that computed it.", AGAIN)
    if not np.isfinite(scores.more[name]).any():
        what = "No story has the repeats of a ceiling: draw another quantity."
        remedy = (
            what
            if name in _COLUMNS.values()
            else "Draw without q, or evaluate with evaluation.shifts above 0."
        )
        raise RunError(path, f"no number in column {name} of run {run.name}.", "some.", remedy)
    return scores.more[name]


def _scales(
    runs: Sequence[Scored], quantities: Sequence[str], q: float | None, style: Style
) -> dict[str, Scale]:
    """One scale for both models' r, one for both shares, one for differences, over all voxels of all runs."""
    below = "" if q is None else f", q < {q:g}"
    scales = {}
    for quantity in quantities:
        if quantity == "difference":
            values = [_quantity(run, quantity, None) for run in runs]
            scales[quantity] = difference_scale(values, f"difference in test r{below}", style)
            continue
        pair = tuple(_COLUMNS) if quantity in _COLUMNS else ("frozen", "tuned")
        values = [_quantity(run, one, None) for run in runs for one in pair]
        label = "share of the ceiling" if quantity in _COLUMNS else "test correlation r"
        scales[quantity] = correlation_scale(values, f"{label}{below}", style)
    return scales


def _mesh(run: Scored, kind: str) -> Mesh:
    """The surfaces of a run's subject. RunError where there is none, ConfigError where it lacks this kind."""
    source = sources_of(run.results)[run.name]
    subject, reason = source.subject, source.no_map
    if subject is not None and subject.surface == "native":
        reason = ""  # the subject's own surfaces, if they are here
    try:
        mesh = mesh_of(subject, source.dataset) if subject is not None and not reason else None
    except BrainwavlmError:
        raise
    except (OSError, ValueError) as error:
        mesh, reason = None, str(error)
    if mesh is None:
        raise RunError(
            run.results.path,
            f"no map of {run.entry['subject']}: {reason or 'its anatomy is not known'}.",
            "voxels on a surface.",
            "Draw what needs no surface: scatter, histogram or table.",
        )
    if kind not in mesh.kinds:
        listed = ", ".join(mesh.kinds)
        raise ConfigError("view", f"{kind}, of {mesh.name}.", f"one of {listed}.", "Choose one of them.")
    return mesh
