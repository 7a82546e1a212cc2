"""Maps on the cortex: a value at each vertex, and how it is coloured."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures import folders
from brainwavlm.reporting.figures.brains import Panel, brain_panels
from brainwavlm.reporting.figures.folders import Choice, Place, Scored, Shown
from brainwavlm.reporting.figures.style import Canvas
from brainwavlm.reporting.meshes import Mesh
from brainwavlm.reporting.surface_maps import Scale, Source, shown_scales, sources_of, values_at_vertices
from brainwavlm.results.schemas import AGAIN

_TITLES = {
    "frozen": "frozen",
    "tuned": "tuned",
    "difference": "tuned − frozen",
    "share": "tuned, share of the ceiling",
    "share-frozen": "frozen, share of the ceiling",
}
_NARROWEST = 1.9  # inches of a panel
_SHARES = {"share": "tuned", "share-frozen": "frozen"}  # of which model
_UNTUNED = ("frozen", "share-frozen")  # what there is of a model that was not tuned


def vertices_table(maps: Mapping[str, np.ndarray], run: str, quantity: str) -> pd.DataFrame:
    """run, quantity, hemisphere, vertex, value: a row a vertex with a value; maps are arrays (n_vertices,)."""
    frames = []
    for side, values in maps.items():
        vertex = np.flatnonzero(np.isfinite(values))
        columns = {"hemisphere": side, "vertex": vertex, "value": values[vertex]}
        frames.append(pd.DataFrame({"run": run, "quantity": quantity, **columns}))
    return pd.concat(frames, ignore_index=True)


def maps(places: Sequence[Place], choice: Choice) -> Shown:
    """Both hemispheres for each run and quantity; of a partition for each space, by default of the tuned model."""
    split = places[0].made == "partition"
    if any((place.made == "partition") != split for place in places):
        found, wanted = "scores, and shares of R2.", "maps of one unit."
        raise RunError(folders.paths_of(places), found, wanted, "Draw them apart.")
    runs = _spaces(places, choice) if split else folders.scored_runs(places, choice)
    tuned = split or runs[0].results.tuned
    if choice.readout == "shared" and (choice.q or {*_SHARES} & {*choice.quantity}):
        found = "shared, with shares of the ceiling or false discovery rates."
        raise ConfigError("readout", found, "voxelwise, of which these are.", "Leave one of them out.")
    for quantity in choice.quantity if not tuned else ():
        if quantity not in _UNTUNED:
            found, of = f"{quantity}, of a model that was not tuned.", ", ".join(_UNTUNED)
            raise ConfigError("quantity", found, f"one of {of}.", "Choose one of them, or draw a tuned run.")
    usual = ("tuned",) if split else ("frozen", "tuned", "difference") if tuned else ("frozen",)
    quantities = choice.quantity or usual
    kind = choice.view or "inflated"
    sources = {one: sources_of(one) for one in dict.fromkeys(run.results for run in runs)}
    tables, drawn = [], []
    for run in runs:
        mesh = _mesh(run, sources[run.results][run.name], kind)
        for quantity in quantities:
            values = _quantity(run, quantity, choice.q)
            at_vertices = values_at_vertices(mesh, run.voxels.voxel, values)
            vertices = vertices_table(at_vertices, run.name, quantity)
            tables.append(vertices.assign(space=run.space) if run.space else vertices)
            title = _TITLES[quantity] + ", shared readout" * (choice.readout == "shared")
            name = capitalised(title) if len(runs) == 1 else f"{capitalised(run.label)}: {title}"
            drawn.append((quantity, name, at_vertices, mesh))

    def draw(canvas: Canvas) -> Figure:
        scales = _scales(runs, quantities, choice.q, canvas.colours)
        panels = [Panel(name, maps, scales[of], mesh, kind) for of, name, maps, mesh in drawn]
        room = max(int(canvas.width / _NARROWEST), 1)
        by_run = len(runs) > 1 < len(quantities)  # a row a run
        columns = (len(quantities) if len(quantities) <= room else 1) if by_run else min(room, len(panels))
        return brain_panels(panels, columns, canvas)

    return Shown(pd.concat(tables, ignore_index=True), folders.any_simulated(runs), draw)


def _spaces(places: Sequence[Place], choice: Choice) -> list[Scored]:
    """What each space of partitions explains that no other does."""
    runs = folders.chosen_runs(places, choice)
    return [
        Scored(f"unique to {space}" + f", {run['name']}" * (len(runs) > 1), run, place, space=space)
        for run, place in runs
        for space in place.result.spaces_of(run["name"])
    ]


def _quantity(run: Scored, quantity: str, q: float | None) -> np.ndarray:
    """Values of a quantity, voxel by voxel; NaN where the false discovery rate is not below q."""
    scores, model = run.voxels, _SHARES.get(quantity, quantity)
    if quantity in _SHARES:
        without = "No story has the repeats of a ceiling: draw another quantity."
        values = _column(run, f"normalised_{model}", without)
    else:
        values = scores.tuned - scores.frozen if model == "difference" else getattr(scores, model)
    if q is None:
        return values
    without = "Draw without q, or evaluate with evaluation.shifts above 0."
    return np.where(_column(run, f"q_{model}", without) < q, values, np.nan)


def _cannot(runs: Sequence[Scored], quantity: str, q: float) -> str:
    """What a legend says where false discovery rates of runs cannot be that low."""
    rate = f"q_{_SHARES.get(quantity, quantity)}"
    none = [run for run in runs if rate in run.voxels.untestable and not (run.voxels.more[rate] < q).any()]
    of = "" if len(none) == len(runs) else f" in {', '.join(run.name for run in none)}"
    return f" cannot be tested{of}" if none else ""


def _column(run: Scored, name: str, remedy: str) -> np.ndarray:
    """A column of numbers. RunError where the evaluation has none."""
    path, more = run.results.voxels_path, run.voxels.more
    if name not in more:
        raise RunError(path, f"no column {name}.", "an evaluation that computed it.", AGAIN)
    if not np.isfinite(more[name]).any():
        raise RunError(path, f"no number in column {name} of run {run.name}.", "some.", remedy)
    return more[name]


def _scales(
    runs: Sequence[Scored], quantities: Sequence[str], q: float | None, colours: Mapping[str, str]
) -> dict[str, Scale]:
    """One scale for both models' r, one for both shares, one for differences, over all voxels of all runs."""
    scales = {}
    unit = "share of variance (R2)" if runs[0].space else "test correlation r"
    both = bool(runs[0].space) or runs[0].results.tuned
    for quantity in quantities:
        pair = tuple(_SHARES) if quantity in _SHARES else ("frozen", "tuned")
        names = [one for one in pair if both or one in _UNTUNED] if quantity != "difference" else [quantity]
        values = [{name: _quantity(run, name, None) for name in names} for run in runs]
        scale = shown_scales(values, "share of the ceiling" if quantity in _SHARES else unit, colours)[
            quantity
        ]
        below = "" if q is None else f", q < {q:g}{_cannot(runs, quantity, q)}"
        scales[quantity] = replace(scale, label=f"{scale.label}{below}")
    return scales


def _mesh(run: Scored, source: Source, kind: str) -> Mesh:
    """The surfaces of a run's subject. RunError where there is none, ConfigError where it lacks this kind."""
    mesh = source.mesh
    if mesh is None or not mesh.kinds:
        found = f"no map of {run.entry['subject']}: {source.no_mesh or source.no_map}."
        remedy = "Draw what needs no surface: scatter, histogram or table."
        raise RunError(run.results.path, found, "voxels on a surface.", remedy)
    if kind not in mesh.kinds:
        listed = ", ".join(mesh.kinds)
        raise ConfigError("view", f"{kind}, of {mesh.name}.", f"one of {listed}.", "Choose one of them.")
    return mesh
