"""The maps of one run, and how they look in a notebook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import nibabel
import numpy as np

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.formatting.html import block, or_its_error, sentence, shown, simulated_badge
from brainwavlm.reporting.maps.columns import VoxelMap
from brainwavlm.reporting.maps.volume import Grid, Space, volume_image
from brainwavlm.reporting.meshes import Mesh
from brainwavlm.reporting.sources import Source
from brainwavlm.reporting.surface_maps import Scale, shown_scales, values_at_vertices
from brainwavlm.results.evaluation import UNTUNED

_SHOWN = ("r_frozen", "r_tuned", "difference")
_SHARES = ("unique_model_frozen", "unique_model_tuned", "unique_model_difference")


@dataclass(frozen=True, repr=False)
class RunMaps:
    """The maps of one run.

    Attributes
    ----------
    entry : mapping
        What summary.json says of the run.
    voxel : array (n_voxels,) int
        Columns of the subject's responses, in the order of the values.
    maps : dict of str to VoxelMap
    source : Source
    grid : Grid or None
        The volume whose voxels are the columns.
    mesh : Mesh or None
        The surface on which the columns lie.
    notes : tuple of str
        What could not be had, and why.
    """

    entry: Mapping[str, Any]
    voxel: np.ndarray
    maps: dict[str, VoxelMap]
    source: Source
    grid: Grid | None
    mesh: Mesh | None
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the run."""
        return str(self.entry["name"])

    @property
    def simulated(self) -> bool:
        """Whether the responses are simulated."""
        return bool(self.entry["simulated"])

    def volume(self, name: str, space: Space = "scanner") -> nibabel.Nifti1Image:
        """A map as a volume, float32: NaN where there is no value; a mask is 0 there.

        Parameters
        ----------
        name : str
            One of `maps`.
        space : str
            scanner: the affine of the data set's mask. surfaces: mm of the subject's pycortex surfaces.

        Raises
        ------
        ConfigError
            No such map.
        RunError
            The data set is not in a volume, or its mask cannot be read.
        """
        one = self._map(name)
        if self.grid is None:
            raise self._nowhere("volume")
        return volume_image(one, self.voxel, self.grid, space, self.simulated)

    def surface(self, name: str) -> dict[str, np.ndarray]:
        """A map at the vertices of the left and the right hemisphere, float32: NaN where there is no value.

        A mask is 0 there. `surface_maps.values_at_vertices` says what a vertex with several voxels takes.

        Raises
        ------
        ConfigError
            No such map.
        RunError
            The voxels lie on no surface, or it cannot be read.
        """
        one = self._map(name)
        if self.mesh is None:
            raise self._nowhere("surface")
        maps = values_at_vertices(self.mesh, self.voxel, one.values, one.kind)
        return {side: values.astype(np.float32) for side, values in maps.items()}

    def shown_scales(self) -> dict[str, Scale]:
        """The maps that pictures show, each with its colours."""
        names = [name for name in (*_SHOWN, *_SHARES) if name in self.maps]
        unit = self.maps[names[0]].unit
        return shown_scales([{name: self.maps[name].values for name in names}], unit)

    def _map(self, name: str) -> VoxelMap:
        if name not in self.maps:
            found = f"{name!r} is no map of run {self.name}."
            raise ConfigError("map", found, f"one of {', '.join(self.maps)}.", "Name one.")
        return self.maps[name]

    def _nowhere(self, what: str) -> RunError:
        found = " ".join([f"no {what} of {self.entry['subject']}.", *self.notes])
        expected = f"a data set that says in which {what} its columns lie."
        return RunError(self.name, found, expected, "docs/how-to/maps.md says which do.")

    def __repr__(self) -> str:
        mark = ", SIMULATED responses" if self.simulated else ""
        return f"<{len(self.maps)} maps of run {self.name!r}, {len(self.voxel):,} voxels{mark}>"

    def _repr_html_(self) -> str:
        return maps_html([self])


_MOST_RUNS = 4
_MOST_VERTICES = 50_000  # of a hemisphere: more take matplotlib longer than somebody waits for a cell


def maps_html(runs: Sequence[RunMaps]) -> str:
    """Frozen r, tuned r and their difference on the cortex, and the names of all maps, run by run."""
    parts = [or_its_error(run.name, partial(_maps, run)) for run in runs[:_MOST_RUNS]]
    if len(runs) > _MOST_RUNS:
        parts.append(sentence(f"… and {len(runs) - _MOST_RUNS} more runs"))
    return "".join(parts)


def _maps(run: RunMaps) -> str:
    entry = run.entry
    on = f"on the surface {run.mesh.name}" if run.mesh else "in a volume" if run.grid else "in no known place"
    masks, numbers = (
        ", ".join(name for name, one in run.maps.items() if (one.kind == "mask") is wanted)
        for wanted in (True, False)
    )
    deed = "speech model as it is" if entry["method"] == UNTUNED else f"tuned on {entry['target']}"
    control = ["CONTROL"] if entry["control"] != "none" else []
    return block(
        f"Maps of run {run.name}",
        [*simulated_badge(run.simulated), *control],
        sentence(f"{entry['subject']}, {deed}; {len(run.voxel):,} voxels {on}"),
        _picture(run),
        sentence(f"Numbers: {numbers}"),
        sentence(f"Masks: {masks}"),
        *(sentence(note) for note in run.notes),
    )


def _picture(run: RunMaps) -> str:
    from brainwavlm.reporting.figures.brains import Panel, brain_panels, mean_of_finite
    from brainwavlm.reporting.figures.style import data_uri, page_canvas

    mesh = run.mesh
    if mesh is None or not any(half.shapes for half in mesh.halves.values()):
        return ""
    n_vertices = max(len(half.sulcal) for half in mesh.halves.values())
    if n_vertices > _MOST_VERTICES or not mesh.kinds:
        return sentence(f"Surfaces of {n_vertices:,} vertices are drawn by `brainwavlm report`.")
    scales, kind = run.shown_scales(), mesh.kinds[0]
    panels = [Panel(name, run.surface(name), scale, mesh, kind) for name, scale in scales.items()]
    canvas = page_canvas(7.0, simulated=run.simulated)
    with canvas.style.applied():
        figure = brain_panels(panels, len(panels), canvas)
    means = ", ".join(f"{name} {shown(mean_of_finite(run.maps[name].values))}" for name in scales)
    image = data_uri(figure)
    return f'<img alt="Maps on the {kind} surface. Means over voxels: {means}." src="{image}" style="width:100%">'
